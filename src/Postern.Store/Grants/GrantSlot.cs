using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Postern.Model;

namespace Postern.Store;

/// <summary>
/// The place that at most one active grant may hold: (subject, connection), hashed with length prefixes, because the three together
/// are longer than an index key may be in some databases.
/// </summary>
internal static class GrantSlot
{
    public static string Of(SubjectKey subject, ConnectionId connection)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, subject.Tenant.Value);
        Append(hash, connection.Value);
        Append(hash, subject.Authority);
        Append(hash, subject.Id);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
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
