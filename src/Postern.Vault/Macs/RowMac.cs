using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using Postern.Model;

namespace Postern.Vault;

// A row MAC, all sizes in bytes:
//
//   0        1        3                   19                 51
//   | ver=01 | suite  | key version UUID  | HMAC-SHA-256     |
//   | 1      | 2 (BE) | 16 (RFC 9562)     | 32 (RFC 2104)    |
//
//   prk     = HKDF-Extract(SHA-512, salt = "postern/row-mac/1", tenant key)
//   mac key = HKDF-Expand (SHA-512, prk, suite || "ROWMACKEY", 32)        once per tenant key version, kept beside it
//   mac     = HMAC-SHA-256(mac key, associated data || length(4, BE) || message)

/// <summary>The form of a MAC over a row.</summary>
public static class RowMac
{
    /// <summary>The length of a MAC value, in bytes: 51.</summary>
    public const int Length = MacOffset + HMACSHA256.HashSizeInBytes;

    /// <summary>Reads which key version a MAC names, without believing it. Null when the bytes are no MAC of this version.</summary>
    public static Guid? KeyVersionOf(ReadOnlySpan<byte> mac) => LooksLikeMac(mac) ? ReadKeyVersion(mac) : null;

    internal const ushort Suite = 0x0101;
    private const int MacOffset = 19;

    internal static bool LooksLikeMac(ReadOnlySpan<byte> mac) => mac.Length == Length && mac[0] == RecordFormat.Version;

    internal static ushort ReadSuite(ReadOnlySpan<byte> mac) => BinaryPrimitives.ReadUInt16BigEndian(mac[1..]);

    internal static Guid ReadKeyVersion(ReadOnlySpan<byte> mac) => new(mac.Slice(3, 16), bigEndian: true);

    internal static SecretBytes DeriveKey(ReadOnlySpan<byte> tenantKey)
    {
        Span<byte> prk = stackalloc byte[SHA512.HashSizeInBytes];
        Span<byte> macKey = stackalloc byte[HMACSHA256.HashSizeInBytes];
        Span<byte> info = stackalloc byte[2 + 9];
        try
        {
            HKDF.Extract(HashAlgorithmName.SHA512, tenantKey, "postern/row-mac/1"u8, prk);
            BinaryPrimitives.WriteUInt16BigEndian(info, Suite);
            "ROWMACKEY"u8.CopyTo(info[2..]);
            HKDF.Expand(HashAlgorithmName.SHA512, prk, macKey, info);
            return new SecretBytes(macKey);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(prk);
            CryptographicOperations.ZeroMemory(macKey);
        }
    }

    /// <summary>Writes the whole MAC value, <see cref="Length"/> bytes.</summary>
    internal static void Write(
        ReadOnlySpan<byte> macKey, Guid keyVersion, string deployment, MacContext context, ReadOnlySpan<byte> message, Span<byte> destination)
    {
        destination[0] = RecordFormat.Version;
        BinaryPrimitives.WriteUInt16BigEndian(destination[1..], Suite);
        keyVersion.TryWriteBytes(destination.Slice(3, 16), bigEndian: true, out _);

        using var head = AssociatedData.OfMac(Suite, keyVersion, deployment, context);
        var length = head.Bytes.Length + 4 + message.Length;
        var buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            head.Bytes.CopyTo(buffer);
            BinaryPrimitives.WriteUInt32BigEndian(buffer.AsSpan(head.Bytes.Length), (uint)message.Length);
            message.CopyTo(buffer.AsSpan(head.Bytes.Length + 4));
            HMACSHA256.HashData(macKey, buffer.AsSpan(0, length), destination[MacOffset..]);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>True when <paramref name="mac"/> is what <see cref="Write"/> makes, compared in constant time.</summary>
    internal static bool Fits(
        ReadOnlySpan<byte> macKey, Guid keyVersion, string deployment, MacContext context, ReadOnlySpan<byte> message, ReadOnlySpan<byte> mac)
    {
        Span<byte> expected = stackalloc byte[Length];
        Write(macKey, keyVersion, deployment, context, message, expected);
        return CryptographicOperations.FixedTimeEquals(expected, mac);
    }
}
