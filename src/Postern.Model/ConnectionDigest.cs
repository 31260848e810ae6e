using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;

namespace Postern.Model;

/// <summary>
/// The digest of where a connection's tokens may go: issuer, client, endpoint, platform and identity mode. It is part of the
/// associated data of every sealed token, so whoever edits an endpoint in the database gets no token, but a reconnect.
/// </summary>
public static class ConnectionDigest
{
    // A connection does not change once it is made, and lives as long as its revision is in force. By reference: what is made from it
    // with another endpoint is another one.
    private static readonly ConditionalWeakTable<Connection, byte[]> Known = [];

    /// <summary>SHA-256 over the length-prefixed fields, 32 bytes. The same array each time for the same connection; nobody writes to it.</summary>
    public static byte[] Of(Connection connection) => Known.GetValue(connection, Compute);

    private static byte[] Compute(Connection connection)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, "postern/connection-digest/1");
        Append(hash, connection.Tenant.Value);
        Append(hash, connection.Id.Value);
        Append(hash, connection.Platform);
        Append(hash, connection.Endpoint.AbsoluteUri);
        Append(hash, connection.Identity.ToString());
        Append(hash, connection.Authorization.Issuer);
        Append(hash, connection.Authorization.ClientId);
        return hash.GetHashAndReset();
    }

    private static void Append(IncrementalHash hash, string field)
    {
        var bytes = Encoding.UTF8.GetBytes(field);
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }
}
