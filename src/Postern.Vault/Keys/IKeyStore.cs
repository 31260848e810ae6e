using Postern.Model;

namespace Postern.Vault;

/// <summary>
/// Where the root keys live: a file on this machine, or a key management service. A root key never leaves it; tenant keys go in
/// to be wrapped and come out unwrapped, always with the context they belong to.
/// </summary>
/// <remarks>
/// Expected failures are refusals made by <see cref="VaultErrors.Refuse"/>: <see cref="VaultError.KeyStoreUnavailable"/> when it
/// does not answer, <see cref="VaultError.RootKeyMissing"/> when the root key is not there, <see cref="VaultError.Refused"/>
/// when the wrapped key does not belong to the context. An implementation over a service that binds no context of its own
/// (RSA wrapping) must bind it locally before it wraps. The address of the service comes from configuration, never from what
/// is unwrapped.
/// </remarks>
public interface IKeyStore
{
    /// <summary>What and how strong it is, for start-up, health and <c>doctor</c>; such as <c>file keyring</c>.</summary>
    string Description { get; }

    /// <summary>The id of the root key that wraps now.</summary>
    ValueTask<Outcome<string>> CurrentRootKeyIdAsync(CancellationToken cancellation);

    /// <summary>Wraps a tenant key under the current root key. The caller keeps and wipes the key.</summary>
    ValueTask<Outcome<RootWrapping>> WrapAsync(KeyWrapContext context, SecretBytes key, CancellationToken cancellation);

    /// <summary>Unwraps a tenant key. The caller wipes what it gets.</summary>
    ValueTask<Outcome<SecretBytes>> UnwrapAsync(
        KeyWrapContext context, string rootKeyId, ReadOnlyMemory<byte> wrapped, CancellationToken cancellation);

    /// <summary>Every root key that still unwraps, oldest first, and which one wraps: for inventories and rotation.</summary>
    ValueTask<Outcome<IReadOnlyList<RootKeyInfo>>> RootKeysAsync(CancellationToken cancellation);

    /// <summary>
    /// True when a root key of this id would be one of this store's, by the form of the id alone; nobody is asked. By this a deployment that
    /// moved from one key store to another knows which of them unwraps.
    /// </summary>
    bool Owns(string rootKeyId) => true;

    /// <summary>The root keys may have changed elsewhere: look again before the next use. Must not block.</summary>
    void Refresh()
    {
    }

    /// <summary>
    /// Wraps the same tenant key under the current root key. A service that can do this inside does; otherwise the key passes
    /// through this process, in memory that is wiped.
    /// </summary>
    async ValueTask<Outcome<RootWrapping>> RewrapAsync(
        KeyWrapContext context, string rootKeyId, ReadOnlyMemory<byte> wrapped, CancellationToken cancellation)
    {
        var unwrapped = await UnwrapAsync(context, rootKeyId, wrapped, cancellation);
        if (!unwrapped.TryGet(out var key, out var why))
            return why;
        using (key)
            return await WrapAsync(context, key, cancellation);
    }
}

/// <summary>A key store whose root keys Postern itself makes and destroys. A service has its own rotation, which is begun there.</summary>
public interface IRootKeyring
{
    /// <summary>Adds a root key that is known but does not wrap yet, and answers its id.</summary>
    string AddRootKey();

    /// <summary>Lets a known root key wrap from now on; the others only unwrap.</summary>
    void Promote(string rootKeyId);

    /// <summary>Destroys a root key that does not wrap. What it alone wrapped is lost for good.</summary>
    void Destroy(string rootKeyId);
}

/// <summary>A root key as lists show it.</summary>
/// <param name="Id">Its id, as <see cref="RootWrapping"/> names it.</param>
/// <param name="Created">When it was made.</param>
/// <param name="Current">True for the one that wraps.</param>
public sealed record RootKeyInfo(string Id, DateTimeOffset Created, bool Current);

/// <summary>A wrapped key and the root key that wrapped it.</summary>
public sealed record RootWrapping(string RootKeyId, byte[] Wrapped);

/// <summary>What a wrapped key belongs to; none of it is secret, a key management service may log it.</summary>
/// <param name="Deployment">The deployment, from <see cref="VaultOptions.Deployment"/>.</param>
/// <param name="Tenant">Whose key.</param>
/// <param name="KeyVersion">Which version.</param>
/// <param name="Purpose">What the key is for.</param>
public sealed record KeyWrapContext(string Deployment, TenantId Tenant, Guid KeyVersion, string Purpose)
{
    /// <summary>The purpose of tenant keys.</summary>
    public const string TenantKeyPurpose = "tenant-key";

    /// <summary>The context's fields but for the deployment, in canonical form.</summary>
    internal ReadOnlySpan<byte> Encode() =>
        new CanonicalFields().Add(Tenant.Value).Add(KeyVersion).Add(Purpose).Written.Span;

    /// <summary>All of the context in canonical form: what a service is given to bind, and what <see cref="BoundKey"/> hashes.</summary>
    internal byte[] EncodeWhole() =>
        new CanonicalFields("postern/key-context/1").Add(Deployment).Add(Tenant.Value).Add(KeyVersion).Add(Purpose).ToArray();
}
