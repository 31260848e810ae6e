using Microsoft.Extensions.Logging;
using Postern.Model;

namespace Postern.Vault;

/// <summary>
/// Tenant keys: created on first use, kept wrapped, unwrapped once per key and node, cached for a short time. Two nodes that both
/// create the first key agree on the one that the store took.
/// </summary>
internal sealed class TenantKeys(
    VaultOptions options, IKeyStore keyStore, IWrappedKeys wrappedKeys, IChance chance, TimeProvider time, ILogger log) : IDisposable
{
    private readonly KeyCache cache = new(options.KeyIdle, options.KeyLifetime, time);
    private readonly SingleFlight<TenantId, Outcome<TenantKey>> activeFlights = new(options.KeyStoreTimeout, time);
    private readonly SingleFlight<(TenantId, Guid), Outcome<TenantKey>> versionFlights = new(options.KeyStoreTimeout, time);

    /// <summary>The tenant's key that seals; created when the tenant has none.</summary>
    public ValueTask<Outcome<KeyLease>> ActiveAsync(TenantId tenant, CancellationToken cancellation) =>
        cache.TryGetActive(tenant, out var lease)
            ? new(lease)
            : AcquireAsync(token => activeFlights.RunAsync(tenant, deadline => LoadActiveAsync(tenant, deadline), token), cancellation);

    /// <summary>The tenant's key of one version.</summary>
    public ValueTask<Outcome<KeyLease>> VersionAsync(TenantId tenant, Guid version, CancellationToken cancellation) =>
        cache.TryGet(tenant, version, out var lease)
            ? new(lease)
            : AcquireAsync(
                token => versionFlights.RunAsync((tenant, version), deadline => LoadVersionAsync(tenant, version, null, deadline), token),
                cancellation);

    /// <summary>The sealing key without waiting; false when it is not in memory.</summary>
    public bool TryActive(TenantId tenant, out KeyLease lease) => cache.TryGetActive(tenant, out lease);

    /// <summary>Drops a tenant's keys from memory.</summary>
    public void Forget(TenantId tenant) => cache.Forget(tenant);

    /// <summary>Wipes every key.</summary>
    public void Dispose() => cache.Dispose();

    private async ValueTask<Outcome<KeyLease>> AcquireAsync(
        Func<CancellationToken, Task<Outcome<TenantKey>>> load, CancellationToken cancellation)
    {
        while (true)
        {
            Outcome<TenantKey> loaded;
            try
            {
                loaded = await load(cancellation);
            }
            catch (TimeoutException timeout)
            {
                VaultLog.KeyStoreFailed(log, keyStore.Description, timeout);
                return VaultErrors.Refuse(VaultError.KeyStoreUnavailable);
            }
            if (!loaded.TryGet(out var key, out var why))
                return why;
            // The key may have been forgotten between the flight's end and here; then it is loaded again.
            if (key.TryAcquire())
                return new KeyLease(key);
        }
    }

    private async Task<Outcome<TenantKey>> LoadActiveAsync(TenantId tenant, CancellationToken deadline)
    {
        while (true)
        {
            var seen = cache.Epoch;
            if (Cached(cache.TryGetActive(tenant, out var lease), lease) is { } cached)
                return cached;

            var rows = await wrappedKeys.ReadAsync(tenant, deadline);
            if (rows.FirstOrDefault(key => key.Active) is { } row)
            {
                var loaded = await versionFlights.RunAsync(
                    (tenant, row.Version), inner => LoadVersionAsync(tenant, row.Version, row, inner), deadline);
                if (loaded.TryGet(out _, out _))
                    cache.NoteActive(tenant, row.Version, seen);
                return loaded;
            }

            // A tenant whose keys were all retired is being shredded; a new first key would bring it back to life.
            if (rows.Count > 0)
                return VaultErrors.Refuse(VaultError.UnknownKeyVersion, "The tenant has keys, but none that seals.");

            if (await TryCreateAsync(tenant, seen, deadline) is { } created)
                return created;
            // Another node was first, or the tenant was forgotten meanwhile: read again, within the deadline.
            deadline.ThrowIfCancellationRequested();
        }
    }

    private async Task<Outcome<TenantKey>?> TryCreateAsync(TenantId tenant, long seen, CancellationToken deadline)
    {
        var version = chance.NewId();
        var secret = NewKey();
        var kept = false;
        try
        {
            var wrapping = await AskKeyStoreAsync(
                token => keyStore.WrapAsync(Context(tenant, version), secret, token), deadline);
            if (!wrapping.TryGet(out var wrapped, out var why))
                return why;
            if (!await wrappedKeys.TryAddFirstAsync(new(tenant, version, Active: true, wrapped.RootKeyId, wrapped.Wrapped), deadline))
                return null;

            VaultLog.TenantKeyCreated(log, tenant, version, wrapped.RootKeyId);
            var key = new TenantKey(version, secret);
            kept = cache.TryPut(tenant, key, seen);
            if (!kept)
                return null;
            cache.NoteActive(tenant, version, seen);
            return key;
        }
        finally
        {
            if (!kept)
                secret.Dispose();
        }
    }

    private async Task<Outcome<TenantKey>> LoadVersionAsync(TenantId tenant, Guid version, WrappedKey? known, CancellationToken deadline)
    {
        while (true)
        {
            var seen = cache.Epoch;
            if (Cached(cache.TryGet(tenant, version, out var lease), lease) is { } cached)
                return cached;

            var row = known ?? (await wrappedKeys.ReadAsync(tenant, deadline)).FirstOrDefault(key => key.Version == version);
            if (row is null)
                return VaultErrors.Refuse(VaultError.UnknownKeyVersion);
            var unwrapped = await AskKeyStoreAsync(
                token => keyStore.UnwrapAsync(Context(tenant, version), row.RootKeyId, row.Wrapped, token), deadline);
            if (!unwrapped.TryGet(out var secret, out var why))
            {
                VaultLog.UnwrapRefused(log, tenant, version, row.RootKeyId, why.Code);
                return why;
            }
            if (secret.Length != RecordFormat.KeyLength)
            {
                secret.Dispose();
                return VaultErrors.Refuse(VaultError.Refused, "The key store gave a key of the wrong length.");
            }

            var key = new TenantKey(version, secret);
            if (cache.TryPut(tenant, key, seen))
                return key;
            // Forgotten while it was unwrapped: the row may be gone, so it is read again.
            key.Release();
            known = null;
        }
    }

    /// <summary>A key that came into the cache since the caller looked. The flight hands out the key, not the lease.</summary>
    private static TenantKey? Cached(bool found, KeyLease lease)
    {
        if (!found)
            return null;
        lease.Dispose();
        return lease.Key;
    }

    private SecretBytes NewKey()
    {
        Span<byte> bytes = stackalloc byte[RecordFormat.KeyLength];
        try
        {
            chance.Fill(bytes);
            return new SecretBytes(bytes);
        }
        finally
        {
            System.Security.Cryptography.CryptographicOperations.ZeroMemory(bytes);
        }
    }

    private KeyWrapContext Context(TenantId tenant, Guid version) =>
        new(options.Deployment, tenant, version, KeyWrapContext.TenantKeyPurpose);

    /// <summary>A key store speaks to a network and to libraries: whatever it throws means that it is not available.</summary>
    private async ValueTask<Outcome<T>> AskKeyStoreAsync<T>(
        Func<CancellationToken, ValueTask<Outcome<T>>> ask, CancellationToken deadline) where T : notnull
    {
        try
        {
            return await ask(deadline);
        }
        catch (Exception failure) when (failure is not OperationCanceledException || !deadline.IsCancellationRequested)
        {
            VaultLog.KeyStoreFailed(log, keyStore.Description, failure);
            return VaultErrors.Refuse(VaultError.KeyStoreUnavailable);
        }
    }
}
