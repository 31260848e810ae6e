using Postern.Grants.Renewal;
using Postern.Model;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Keys;

/// <summary>What a rotation of the root key came to.</summary>
/// <param name="RootKeyId">The root key that wraps.</param>
/// <param name="Rewrapped">How many tenant keys this run wrapped anew.</param>
/// <param name="Unreadable">How many tenant keys do not unwrap; their root key is kept.</param>
/// <param name="Destroyed">The root keys that were destroyed.</param>
/// <param name="Kept">The root keys that still wrap a tenant key, or that only the service can remove.</param>
public sealed record RootRotationReport(string RootKeyId, long Rewrapped, long Unreadable, IReadOnlyList<string> Destroyed, IReadOnlyList<string> Kept);

/// <summary>
/// Rotates the root key while nodes serve:
/// <list type="number">
/// <item>a keyring gets a new root key, and then lets it wrap; a service has its own newest version already</item>
/// <item>every tenant key that another root key wraps is wrapped anew, by compare-and-set on the old bytes; no record changes</item>
/// <item>after a while in which nobody can still wrap with an old one, what came late is wrapped anew too</item>
/// <item>a keyring's old root keys that wrap nothing are destroyed</item>
/// </list>
/// What is done is what the keyring and the rows say, so it is run again after it was killed. An event stands before each change of the
/// keyring, which is no database: a kill between the two tells the same thing twice, and never leaves it untold.
/// </summary>
public sealed class RootRotation
{
    private static readonly TenantId System = Housekeeper.SystemTenant;
    private readonly PosternStore store;
    private readonly TokenVault vault;
    private readonly IKeyStore keyStore;
    private readonly TimeProvider time;

    internal RootRotation(PosternStore store, TokenVault vault, IKeyStore keyStore, TimeProvider time)
    {
        this.store = store;
        this.vault = vault;
        this.keyStore = keyStore;
        this.time = time;
    }

    /// <summary>
    /// Adds a root key to the keyring that does not wrap yet, so that its file can be copied to other machines first; the next
    /// <see cref="RunAsync"/> promotes it. Answers its id, or null where the key store has no keyring.
    /// </summary>
    public async Task<string?> AddAsync(string actor, CancellationToken cancellation)
    {
        if (keyStore is not IRootKeyring keyring)
            return null;
        var keys = await RootKeysAsync(cancellation);
        // One that was added and not promoted yet is that one.
        if (!keys[^1].Current)
            return keys[^1].Id;
        var added = keyring.AddRootKey();
        await store.RecordAsync(Event(EventKind.RootKeyAdded, actor, added), cancellation);
        return added;
    }

    /// <summary>Rotates, or finishes a rotation that was cut short.</summary>
    /// <exception cref="VaultException">The key store does not answer. Nothing is lost; run it again.</exception>
    public async Task<RootRotationReport> RunAsync(string actor, RotationPace pace, IProgress<RotationProgress> progress, CancellationToken cancellation)
    {
        // 1
        if (keyStore is IRootKeyring keyring)
            await PromoteAsync(keyring, actor, cancellation);
        var current = Got(await keyStore.CurrentRootKeyIdAsync(cancellation));

        // 2
        var sweep = new Sweep(new Pacer(pace.RowsPerSecond, time), progress);
        await RewrapAsync(current, sweep, actor, cancellation);
        await Task.Delay(pace.Settle, time, cancellation);

        // 3
        await RewrapAsync(current, sweep, actor, cancellation);

        // 4
        var (destroyed, kept) = await DestroyAsync(current, actor, cancellation);
        return new(current, sweep.Done, sweep.Unreadable, destroyed, kept);
    }

    private async Task PromoteAsync(IRootKeyring keyring, string actor, CancellationToken cancellation)
    {
        var keys = await RootKeysAsync(cancellation);
        var newest = keys[^1];
        if (newest.Current && keys.Count > 1)
        {
            // It was promoted, and the rest was cut short; perhaps the nodes do not know yet.
            await store.UpkeepAsync(KeyChanges.RootKeysChanged(System), cancellation);
            return;
        }
        var next = newest.Current ? (await AddAsync(actor, cancellation))! : newest.Id;
        await store.RecordAsync(Event(EventKind.RootKeyPromoted, actor, next), cancellation);
        keyring.Promote(next);
        await store.UpkeepAsync(KeyChanges.RootKeysChanged(System), cancellation);
    }

    private async Task RewrapAsync(string current, Sweep sweep, string actor, CancellationToken cancellation)
    {
        bool overtaken;
        do
        {
            overtaken = false;
            sweep.Unreadable = 0;
            var left = (await store.Keys.AllAsync(cancellation)).Where(key => !key.IsDestroyed && key.RootKeyId != current).ToList();
            for (var i = 0; i < left.Count; i++)
            {
                var key = left[i];
                var rewrapping = await vault.RewrapAsync(key, cancellation);
                if (!rewrapping.Opened() || !rewrapping.TryGet(out var rewrapped, out _))
                {
                    sweep.Unreadable++;
                }
                else
                {
                    var told = new AuditEvent(EventKind.TenantKeyRewrapped, key.Tenant) { Actor = actor }
                        .With("version", key.Version.ToString("D")).With("root-key", rewrapped.RootKeyId).With("previous", key.RootKeyId);
                    if ((await store.CommitAsync([KeyChanges.Rewrap(key, rewrapped)], told, null, cancellation)).Committed)
                        sweep.Done++;
                    else
                        overtaken = true;
                }
                sweep.Progress.Report(new("root", sweep.Done, left.Count - i - 1, sweep.Unreadable, sweep.Paced.Rate));
                await sweep.Paced.NextAsync(1, cancellation);
            }
        }
        while (overtaken);
    }

    private async Task<(IReadOnlyList<string> Destroyed, IReadOnlyList<string> Kept)> DestroyAsync(string current, string actor, CancellationToken cancellation)
    {
        var (destroyed, kept) = (new List<string>(), new List<string>());
        var used = (await store.Keys.AllAsync(cancellation)).Where(key => !key.IsDestroyed).Select(key => key.RootKeyId).ToHashSet(StringComparer.Ordinal);
        foreach (var old in (await RootKeysAsync(cancellation)).Where(key => key.Id != current))
        {
            if (keyStore is not IRootKeyring keyring || used.Contains(old.Id))
            {
                kept.Add(old.Id);
                continue;
            }
            await store.RecordAsync(Event(EventKind.RootKeyRetired, actor, old.Id), cancellation);
            keyring.Destroy(old.Id);
            destroyed.Add(old.Id);
        }
        await store.UpkeepAsync(KeyChanges.RootKeysChanged(System), cancellation);
        return (destroyed, kept);
    }

    private async Task<IReadOnlyList<RootKeyInfo>> RootKeysAsync(CancellationToken cancellation) => Got(await keyStore.RootKeysAsync(cancellation));

    private static T Got<T>(Outcome<T> outcome) where T : notnull => outcome.TryGet(out var value, out var why) ? value : throw new VaultException(why);

    private static AuditEvent Event(EventKind kind, string actor, string rootKey) => new AuditEvent(kind, System) { Actor = actor }.With("root-key", rootKey);

    private sealed class Sweep(Pacer paced, IProgress<RotationProgress> progress)
    {
        public Pacer Paced => paced;

        public IProgress<RotationProgress> Progress => progress;

        public long Done { get; set; }

        public long Unreadable { get; set; }
    }
}
