using System.Security.Cryptography;
using System.Text;

namespace Postern.Store;

/// <summary>
/// SHA-256 of a random secret (session cookie, state, handle, code), kept in the secret's place: whoever reads the database cannot
/// use it. Plain SHA-256 suffices because these secrets have 256 random bits; it is not for passwords.
/// </summary>
public readonly record struct SecretHash
{
    private readonly string? hex;
    private SecretHash(string hex) => this.hex = hex;

    /// <summary>64 lower-case hexadecimal digits, as stored and as the feed names sessions; empty for the default value, which matches no row.</summary>
    public string Hex => hex ?? "";

    /// <summary>The hash of a secret's UTF-8 bytes.</summary>
    public static SecretHash Of(ReadOnlySpan<byte> secret) => new(Convert.ToHexStringLower(SHA256.HashData(secret)));

    /// <summary>The hash of a secret's text in UTF-8.</summary>
    public static SecretHash Of(string secret) => Of(Encoding.UTF8.GetBytes(secret));

    /// <summary>Takes 32 bytes that are a hash already.</summary>
    /// <exception cref="ArgumentException">Not 32 bytes.</exception>
    public static SecretHash FromBytes(ReadOnlySpan<byte> hash) =>
        hash.Length == SHA256.HashSizeInBytes
            ? new(Convert.ToHexStringLower(hash))
            : throw new ArgumentException("A SHA-256 hash has 32 bytes.", nameof(hash));

    /// <summary>The stored form, as read from the database or the feed.</summary>
    internal static SecretHash FromHex(string hex) => new(hex);

    /// <inheritdoc/>
    public override string ToString() => Hex;
}
