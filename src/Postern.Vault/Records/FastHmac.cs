using System.Security.Cryptography;

namespace Postern.Vault;

/// <summary>
/// HMAC-SHA-512 (RFC 2104) of short messages as two one-shot hashes. The platform's own sets up and frees a context for each call, which is most
/// of the time of sealing a token; the hash is the platform's all the same. Wycheproof's vectors and the record vectors check it.
/// </summary>
internal static class FastHmac
{
    /// <summary>The longest message, in bytes.</summary>
    public const int MaxMessage = 512;

    private const int BlockLength = 128;

    /// <summary>Writes the MAC's 64 bytes.</summary>
    /// <exception cref="ArgumentException">The key is longer than a block, or the message than <see cref="MaxMessage"/>.</exception>
    public static void Sha512(ReadOnlySpan<byte> key, ReadOnlySpan<byte> message, Span<byte> mac)
    {
        if (key.Length > BlockLength || message.Length > MaxMessage)
            throw new ArgumentException("The key or the message is longer than this function is for.");
        Span<byte> inner = stackalloc byte[BlockLength + MaxMessage];
        Span<byte> outer = stackalloc byte[BlockLength + SHA512.HashSizeInBytes];
        try
        {
            inner[..BlockLength].Fill(0x36);
            outer[..BlockLength].Fill(0x5C);
            for (var i = 0; i < key.Length; i++)
            {
                inner[i] ^= key[i];
                outer[i] ^= key[i];
            }
            message.CopyTo(inner[BlockLength..]);
            SHA512.HashData(inner[..(BlockLength + message.Length)], outer[BlockLength..]);
            SHA512.HashData(outer, mac);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(inner);
            CryptographicOperations.ZeroMemory(outer);
        }
    }
}
