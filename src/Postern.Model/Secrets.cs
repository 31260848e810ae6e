using System.Security.Cryptography;
using System.Text;

namespace Postern.Model;

// A secret prints as [redacted], converts to nothing, compares in constant time and is opened by one method,
// Reveal, which the analyzer allows in Vault, OAuth and Grants only (BannedSymbols.Reveal.txt).

/// <summary>
/// Secret bytes in memory that the garbage collector does not move, wiped on <see cref="Dispose"/>: a token as UTF-8, a key.
/// </summary>
public sealed class SecretBytes : IDisposable, IEquatable<SecretBytes>
{
    private readonly byte[] bytes;
    private bool wiped;

    /// <summary>Takes a copy of the bytes; the caller wipes its own.</summary>
    public SecretBytes(ReadOnlySpan<byte> source)
    {
        bytes = GC.AllocateUninitializedArray<byte>(source.Length, pinned: true);
        source.CopyTo(bytes);
    }

    /// <summary>The number of bytes, which is not secret.</summary>
    public int Length => bytes.Length;

    /// <summary>The bytes themselves.</summary>
    /// <exception cref="ObjectDisposedException">The secret was wiped.</exception>
    public ReadOnlySpan<byte> Reveal()
    {
        ObjectDisposedException.ThrowIf(wiped, this);
        return bytes;
    }

    /// <summary>UTF-8 bytes of a text that has to exist as a string already, such as a field of a parsed answer.</summary>
    public static SecretBytes FromText(string text)
    {
        var buffer = Encoding.UTF8.GetBytes(text);
        try
        {
            return new(buffer);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(buffer);
        }
    }

    /// <summary>Equal content, compared in constant time.</summary>
    public bool Equals(SecretBytes? other) => other is not null && CryptographicOperations.FixedTimeEquals(bytes, other.bytes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SecretBytes);

    /// <summary>A constant: a hash of the content would give some of it away.</summary>
    public override int GetHashCode() => 0;

    /// <inheritdoc/>
    public override string ToString() => "[redacted]";

    /// <summary>Overwrites the bytes with zeros.</summary>
    public void Dispose()
    {
        wiped = true;
        CryptographicOperations.ZeroMemory(bytes);
    }
}

/// <summary>
/// A secret that lives as text because a library wants text: a client secret, a session cookie, a code in transit.
/// It cannot be wiped; tokens at rest use <see cref="SecretBytes"/>.
/// </summary>
public sealed class SecretText : IEquatable<SecretText>
{
    private readonly string text;

    /// <summary>Wraps a non-empty text.</summary>
    public SecretText(string text)
    {
        ArgumentException.ThrowIfNullOrEmpty(text);
        this.text = text;
    }

    /// <summary>The text itself.</summary>
    public string Reveal() => text;

    /// <summary>Equal content, compared in constant time.</summary>
    public bool Equals(SecretText? other) =>
        other is not null && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(text), Encoding.UTF8.GetBytes(other.text));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SecretText);

    /// <summary>A constant: a hash of the content would give some of it away.</summary>
    public override int GetHashCode() => 0;

    /// <inheritdoc/>
    public override string ToString() => "[redacted]";
}
