using System.Buffers.Text;
using System.Security.Cryptography;

namespace Postern.Model;

// The ports that two rooms share. Everything else is a class of its own room.

/// <summary>
/// The right to send one access token to one platform. A driver asks it to write the header and never holds the token.
/// </summary>
public interface IBearer
{
    /// <summary>The generation of the token pair, named in events and given back when the platform refuses it.</summary>
    int Generation { get; }

    /// <summary>Writes <c>Authorization: Bearer …</c> on a request to the connection's own endpoint.</summary>
    /// <exception cref="InvalidOperationException">The request goes to another origin than the connection's endpoint.</exception>
    void Authorize(HttpRequestMessage request);
}

/// <summary>Where a driver gets its bearer, and another one when the platform refused it.</summary>
public interface IBearerSource
{
    /// <summary>The bearer of the current generation; renewed first when it is about to end.</summary>
    ValueTask<Outcome<IBearer>> CurrentAsync(CancellationToken cancellation);

    /// <summary>
    /// The platform refused this generation: the pair after it, renewed once if it is still the current one. A caller that
    /// comes late gets the newer generation without another renewal.
    /// </summary>
    ValueTask<Outcome<IBearer>> AfterRefusalAsync(int refusedGeneration, CancellationToken cancellation);
}

/// <summary>A wrapped key as stored: useless without the key store that wrapped it.</summary>
/// <param name="Tenant">Whose key.</param>
/// <param name="Version">Which version; records name it.</param>
/// <param name="Active">True for the one version that seals; the others only open.</param>
/// <param name="RootKeyId">The root key that wrapped it.</param>
/// <param name="Wrapped">The key, wrapped.</param>
public sealed record WrappedKey(TenantId Tenant, Guid Version, bool Active, string RootKeyId, byte[] Wrapped)
{
    /// <summary>True while the rotation that made this version is not over.</summary>
    public bool Rotating { get; init; }

    /// <summary>True for what is left of a shredded tenant's key: its place, so that no new key takes it, and no bytes.</summary>
    public bool IsDestroyed => Wrapped.Length == 0;
}

/// <summary>Where wrapped tenant keys are kept; may be another database than the sealed records.</summary>
public interface IWrappedKeys
{
    /// <summary>All versions of a tenant's key, the active one first.</summary>
    Task<IReadOnlyList<WrappedKey>> ReadAsync(TenantId tenant, CancellationToken cancellation);

    /// <summary>Adds the tenant's first key; false when another node was first (read again then).</summary>
    Task<bool> TryAddFirstAsync(WrappedKey key, CancellationToken cancellation);
}

/// <summary>The time that claims, deadlines and expiry are decided by: the database's in production, a test's in tests.</summary>
public interface IStoreClock
{
    /// <summary>Now, by the store.</summary>
    ValueTask<DateTimeOffset> NowAsync(CancellationToken cancellation);
}

/// <summary>The source of chance: cryptographic in production, seeded in tests.</summary>
public interface IChance
{
    /// <summary>Fills the buffer.</summary>
    void Fill(Span<byte> buffer);

    /// <summary>A fraction in [0, 1), for jitter.</summary>
    double NextFraction()
    {
        Span<byte> bytes = stackalloc byte[8];
        Fill(bytes);
        return (BitConverter.ToUInt64(bytes) >> 11) * (1.0 / (1UL << 53));
    }

    /// <summary>A UUID, version 4.</summary>
    Guid NewId()
    {
        Span<byte> bytes = stackalloc byte[16];
        Fill(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }

    /// <summary>A fresh secret of 256 bits as 43 base64url characters: state, nonce, verifier, handle, code, session id.</summary>
    SecretText NewSecret()
    {
        Span<byte> bytes = stackalloc byte[32];
        Fill(bytes);
        var text = Base64Url.EncodeToString(bytes);
        CryptographicOperations.ZeroMemory(bytes);
        return new SecretText(text);
    }
}

/// <summary>The operating system's cryptographic source.</summary>
public sealed class SystemChance : IChance
{
    /// <inheritdoc/>
    public void Fill(Span<byte> buffer) => RandomNumberGenerator.Fill(buffer);
}
