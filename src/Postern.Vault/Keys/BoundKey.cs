using System.Security.Cryptography;
using Postern.Model;

namespace Postern.Vault;

// What a remote key store is given to encrypt, 65 bytes:
//
//   0        1                                33          65
//   | ver=01 | SHA-256(context, canonical)    | key       |
//
// The service is given the context as well, so that its own log names the tenant; that a key belongs to its context does not
// hang on how well the service binds it (RSA wrapping binds nothing, and Transit's rewrap cannot pass associated data on).

/// <summary>A tenant key together with the context it belongs to.</summary>
internal static class BoundKey
{
    public const int Length = KeyOffset + RecordFormat.KeyLength;
    private const byte Version = 0x01;
    private const int KeyOffset = 1 + SHA256.HashSizeInBytes;

    /// <summary>Writes <see cref="Length"/> bytes, which the caller wipes.</summary>
    /// <exception cref="ArgumentException">The key does not have <see cref="RecordFormat.KeyLength"/> bytes.</exception>
    public static void Write(KeyWrapContext context, SecretBytes key, Span<byte> destination)
    {
        if (key.Length != RecordFormat.KeyLength)
            throw new ArgumentException($"A tenant key has {RecordFormat.KeyLength} bytes.", nameof(key));
        destination[0] = Version;
        SHA256.HashData(context.EncodeWhole(), destination[1..KeyOffset]);
        key.Reveal().CopyTo(destination[KeyOffset..]);
    }

    /// <summary>The key, if it belongs to this context.</summary>
    public static Outcome<SecretBytes> Open(KeyWrapContext context, ReadOnlySpan<byte> bound)
    {
        Span<byte> expected = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(context.EncodeWhole(), expected);
        return bound.Length == Length && bound[0] == Version && CryptographicOperations.FixedTimeEquals(expected, bound[1..KeyOffset])
            ? new SecretBytes(bound[KeyOffset..])
            : VaultErrors.Refuse(VaultError.Refused, "A wrapped key does not belong where it was found.");
    }
}
