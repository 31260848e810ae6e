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
    // Two answers fit into a flight: the wrapped keys' store's and the key store's, which has a deadline of its own.
    private readonly SingleFlight<TenantId, Outcome<TenantKey>> activeFlights = new(2 * options.KeyStoreTimeout, time);
    private readonly SingleFlight<(TenantId, Guid), Outcome<TenantKey>> versionFlights = new(2 * options.KeyStoreTimeout, time);
    private readonly KeyStoreGate gate = new(chance, time);

    /// <summary>The tenant's key that seals; created when the tenant has none.</summary>
    public ValueTask<Outcome<KeyLease>> ActiveAsync(TenantId tenant, CancellationToken cancellation) =>
        cache.TryGetActive(tenant, out var lease)
            ? new(lease)
            : AcquireActiveAsync(tenant, cancellation);

    /// <summary>The tenant's key of one version.</summary>
    public ValueTask<Outcome<KeyLease>> VersionAsync(TenantId tenant, Guid version, CancellationToken cancellation) =>
        cache.TryGet(tenant, version, out var lease)
            ? new(lease)
            : AcquireVersionAsync(tenant, version, cancellation);

    /// <summary>The sealing key without waiting; false when it is not in memory.</summary>
    public bool TryActive(TenantId tenant, out KeyLease lease) => cache.TryGetActive(tenant, out lease);

    /// <summary>
    /// Drops a tenant's keys from memory, and what is remembered of failures to unwrap them; the key store looks again, too.
    /// </summary>
    public void Forget(TenantId tenant)
    {
        keyStore.Refresh();
        cache.Forget(tenant);
        gate.Forget(tenant);
    }

    /// <summary>Drops all tenants' keys from memory; the key store looks again, too.</summary>
    public void ForgetAll()
    {
        keyStore.Refresh();
        cache.ForgetAll();
    }

    /// <summary>A new key version, wrapped and not stored.</summary>
    public async Task<Outcome<WrappedKey>> NewVersionAsync(TenantId tenant, CancellationToken cancellation)
    {
        var version = chance.NewId();
        using var secret = NewKey();
        var wrapping = await AskKeyStoreAsync(
            (tenant, version), token => keyStore.WrapAsync(Context(tenant, version), secret, token), cancellation);
        return wrapping.TryGet(out var wrapped, out var why)
            ? new WrappedKey(tenant, version, Active: true, wrapped.RootKeyId, wrapped.Wrapped)
            : why;
    }

    /// <summary>The same key, wrapped by the current root key and not stored.</summary>
    public async Task<Outcome<WrappedKey>> RewrapAsync(WrappedKey key, CancellationToken cancellation)
    {
        if (OfAnotherStore(key) is { } elsewhere)
            return elsewhere;
        var rewrapping = await AskKeyStoreAsync(
            (key.Tenant, key.Version),
            token => keyStore.RewrapAsync(Context(key.Tenant, key.Version), key.RootKeyId, key.Wrapped, token),
            cancellation);
        return rewrapping.TryGet(out var wrapped, out var why)
            ? key with { RootKeyId = wrapped.RootKeyId, Wrapped = wrapped.Wrapped }
            : why;
    }

    /// <summary>Wipes every key.</summary>
    public void Dispose() => cache.Dispose();

    // Apart from the ways to a key in memory, which would otherwise pay for these closures.
    private ValueTask<Outcome<KeyLease>> AcquireActiveAsync(TenantId tenant, CancellationToken cancellation) =>
        AcquireAsync(token => activeFlights.RunAsync(tenant, deadline => LoadActiveAsync(tenant, deadline), token), cancellation);

    private ValueTask<Outcome<KeyLease>> AcquireVersionAsync(TenantId tenant, Guid version, CancellationToken cancellation) =>
        AcquireAsync(
            token => versionFlights.RunAsync((tenant, version), deadline => LoadVersionAsync(tenant, version, null, deadline), token),
            cancellation);

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

            // A tenant whose keys were destroyed was shredded; a new first key would bring it back to life.
            if (rows.Count > 0)
                return VaultErrors.Refuse(VaultError.UnknownKeyVersion, rows.All(key => key.IsDestroyed)
                    ? $"Tenant {tenant} was shredded: its keys are destroyed, and no new one is made."
                    : "The tenant has keys, but none that seals.");

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
        TenantKey? key = null;
        try
        {
            var wrapping = await AskKeyStoreAsync(
                (tenant, Guid.Empty), token => keyStore.WrapAsync(Context(tenant, version), secret, token), deadline);
            if (!wrapping.TryGet(out var wrapped, out var why))
                return why;
            if (!await wrappedKeys.TryAddFirstAsync(new(tenant, version, Active: true, wrapped.RootKeyId, wrapped.Wrapped), deadline))
                return null;

            VaultLog.TenantKeyCreated(log, tenant, version, wrapped.RootKeyId);
            key = new TenantKey(version, secret);
            if (!cache.TryPut(tenant, key, seen))
            {
                key.Release();
                return null;
            }
            cache.NoteActive(tenant, version, seen);
            return key;
        }
        finally
        {
            if (key is null)
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
            if (row is null or { IsDestroyed: true })
                return VaultErrors.Refuse(VaultError.UnknownKeyVersion);
            var unwrapped = await AskKeyStoreAsync(
                (tenant, version), token => UnwrapAsync(tenant, version, row, token), deadline);
            if (!unwrapped.TryGet(out var secret, out var why))
                return why;

            var key = new TenantKey(version, secret);
            if (cache.TryPut(tenant, key, seen))
                return key;
            // Forgotten while it was unwrapped: the row may be gone, so it is read again.
            key.Release();
            known = null;
        }
    }

    /// <summary>
    /// Why a key is not even asked for: another key store wrapped it, so the settings lack that one. Not what an edited row is told: nobody's
    /// grant ends because a node was not restarted before a move, or <c>Former</c> was removed too early.
    /// </summary>
    private Refusal? OfAnotherStore(WrappedKey key) => keyStore.Owns(key.RootKeyId) ? null : VaultErrors.Refuse(
        VaultError.RootKeyMissing,
        $"The key of tenant {key.Tenant} was wrapped by '{key.RootKeyId}', which is no root key of {keyStore.Description}. Name the key store that made it as the former one, and restart the node.");

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

    private async ValueTask<Outcome<SecretBytes>> UnwrapAsync(TenantId tenant, Guid version, WrappedKey row, CancellationToken cancellation)
    {
        var unwrapped = OfAnotherStore(row) is { } elsewhere
            ? elsewhere
            : await keyStore.UnwrapAsync(Context(tenant, version), row.RootKeyId, row.Wrapped, cancellation);
        if (!unwrapped.TryGet(out var secret, out var why))
        {
            VaultLog.UnwrapRefused(log, tenant, version, row.RootKeyId, why.Code, why.Detail);
            return why;
        }
        if (secret.Length == RecordFormat.KeyLength)
            return secret;
        secret.Dispose();
        return VaultErrors.Refuse(VaultError.Refused, "The key store gave a key of the wrong length.");
    }

    /// <summary>
    /// Asks the key store, unless it failed a moment ago. It speaks to a network and to libraries: whatever it throws, and a silence
    /// longer than its time, means that it is not available.
    /// </summary>
    private async Task<Outcome<T>> AskKeyStoreAsync<T>(
        (TenantId, Guid) key, Func<CancellationToken, ValueTask<Outcome<T>>> ask, CancellationToken cancellation) where T : notnull
    {
        if (!gate.TryEnter(key, out var paused))
            return paused;
        using var deadline = new CancellationTokenSource(options.KeyStoreTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellation);
        // Given up by its caller is no answer, and proves no outage; it pauses the key like one, which costs a moment.
        Refusal? failure = VaultErrors.Refuse(VaultError.KeyStoreUnavailable);
        try
        {
            // Also a library that ignores its token is given up.
            var answer = await ask(either.Token).AsTask().WaitAsync(either.Token);
            failure = answer.Refusal;
            return answer;
        }
        catch (Exception thrown) when (thrown is not OperationCanceledException || !cancellation.IsCancellationRequested)
        {
            VaultLog.KeyStoreFailed(log, keyStore.Description, thrown);
            return failure!;
        }
        finally
        {
            gate.Leave(key, failure);
        }
    }
}
