using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Postern.Vault;

// A tenant key wrapped by Azure Key Vault, all sizes in bytes:
//
//   0        1                        17                  81               81+n
//   | ver=01 | signing key's version  | signature (ES256) | ciphertext     |
//   | 1      | 16                     | 64 (r || s)       | n, RSA modulus |
//
//   ciphertext = RSA-OAEP-256(BoundKey)
//   signature  = ES256 over SHA-256(canonical: "postern/azure-wrap/1", key context, root key id, ciphertext)

/// <summary>The form in which a key wrapped by Azure Key Vault is stored.</summary>
internal sealed record AzureWrappedKey(string SigningVersion, byte[] Signature, byte[] Ciphertext)
{
    public const int SignatureLength = 64;
    private const byte Version = 0x01;
    private const int CiphertextOffset = 1 + 16 + SignatureLength;
    private const int MaxModulus = 1024;

    /// <summary>What is signed.</summary>
    public static byte[] Digest(KeyWrapContext context, string rootKeyId, ReadOnlySpan<byte> ciphertext) => SHA256.HashData(
        new CanonicalFields("postern/azure-wrap/1").Add(context.EncodeWhole()).Add(rootKeyId).Add(ciphertext).Written.Span);

    /// <summary>True for a version of a key as Key Vault names it: 32 digits of lower-case hexadecimal.</summary>
    public static bool IsVersion(string text) => text.Length == 32 && text.All(c => char.IsAsciiDigit(c) || c is >= 'a' and <= 'f');

    public byte[] ToBytes() => [Version, .. Convert.FromHexString(SigningVersion), .. Signature, .. Ciphertext];

    public static bool TryParse(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out AzureWrappedKey? wrapped)
    {
        wrapped = bytes.Length is > CiphertextOffset and <= CiphertextOffset + MaxModulus && bytes[0] == Version
            ? new(Convert.ToHexStringLower(bytes[1..17]), bytes[17..CiphertextOffset].ToArray(), bytes[CiphertextOffset..].ToArray())
            : null;
        return wrapped is not null;
    }
}
