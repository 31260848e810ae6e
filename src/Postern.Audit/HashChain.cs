using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Postern.Model;

namespace Postern.Audit;

/// <summary>
/// The first form of the log: a hash chain per tenant. Entry <c>i</c> is
/// <c>SHA-256(0x02 ‖ entry(i-1) ‖ leaf hash(i) ‖ i as 8 bytes, big-endian)</c>; 0x02 keeps it apart from leaves (0x00) and inner
/// nodes (0x01) of RFC 6962. Before the first entry stands <see cref="Genesis"/>, so that no tenant's log passes for another's.
/// </summary>
public static class HashChain
{
    /// <summary>The length of every hash, in bytes.</summary>
    public const int HashLength = 32;

    /// <summary>What stands before the first entry of a tenant: <c>SHA-256("postern/audit-chain/1" ‖ 0x00 ‖ tenant)</c>.</summary>
    public static byte[] Genesis(TenantId tenant) => SHA256.HashData(Encoding.UTF8.GetBytes($"postern/audit-chain/1\0{tenant.Value}"));

    /// <summary>The hash of an entry.</summary>
    /// <param name="previous">The entry before, or <see cref="Genesis"/>.</param>
    /// <param name="leafHash">The hash of the leaf.</param>
    /// <param name="index">Its place, from 0, without gaps.</param>
    public static byte[] Next(ReadOnlySpan<byte> previous, ReadOnlySpan<byte> leafHash, long index)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(previous.Length, HashLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(leafHash.Length, HashLength);
        Span<byte> input = stackalloc byte[1 + HashLength + HashLength + sizeof(long)];
        input[0] = 0x02;
        previous.CopyTo(input[1..]);
        leafHash.CopyTo(input[(1 + HashLength)..]);
        BinaryPrimitives.WriteInt64BigEndian(input[(1 + 2 * HashLength)..], index);
        return SHA256.HashData(input);
    }
}
