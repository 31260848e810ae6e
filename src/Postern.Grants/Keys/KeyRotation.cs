using Postern.Model;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Keys;

/// <summary>How fast a rotation works, and how long it waits before it removes an old key.</summary>
/// <param name="RowsPerSecond">How many rows a second are moved at most.</param>
/// <param name="Settle">
/// How long after the last row the old key stays: longer than any node seals with a version it read before (60 seconds) and than a
/// renewal holds a row that it read (30 seconds).
/// </param>
public sealed record RotationPace(double RowsPerSecond, TimeSpan Settle)
{
    /// <value>200 rows a second, 90 seconds.</value>
    public static RotationPace Default { get; } = new(200, TimeSpan.FromSeconds(90));

    /// <value>How many rows are moved in one transaction at most; 100. Whoever renews one of them waits until it is written, some milliseconds.</value>
    public int Batch { get; init; } = 100;

    // Ten times a second at least, so that a slow rotation is an even one.
    internal int RowsAtOnce => (int)Math.Clamp(RowsPerSecond / 10, 1, Batch);
}

/// <summary>How far a rotation is.</summary>
/// <param name="What">Whose rows, or <c>root</c>.</param>
/// <param name="Done">Rows or keys that were moved.</param>
/// <param name="Left">How many are left, as counted when it began.</param>
/// <param name="Unreadable">How many did not open and were left as they are.</param>
/// <param name="PerSecond">The rate so far.</param>
public readonly record struct RotationProgress(string What, long Done, long Left, long Unreadable, double PerSecond);

/// <summary>What a tenant's rotation came to.</summary>
/// <param name="Tenant">Whose keys.</param>
/// <param name="Version">The version that seals; null when the tenant has no key, or was shredded.</param>
/// <param name="Moved">How many rows this run moved.</param>
/// <param name="Unreadable">How many rows do not open.</param>
/// <param name="Retired">The versions that were removed.</param>
/// <param name="Kept">The old versions that something still uses, with where.</param>
public sealed record RotationReport(
    TenantId Tenant, Guid? Version, long Moved, long Unreadable, IReadOnlyList<Guid> Retired, IReadOnlyDictionary<Guid, IReadOnlyList<KeyUse>> Kept);

/// <summary>
/// Rotates tenants' keys while nodes serve:
/// <list type="number">
/// <item>a new version is put in the active one's place; every node seals with it from then on</item>
/// <item>rows that are not under it are moved, many at once, each by compare-and-set on the bytes that were read</item>
/// <item>after a while in which nobody can still seal with an old version, what came late is moved too</item>
/// <item>old versions that nothing uses are removed</item>
/// </list>
/// A row's header names its key version, so whoever runs it again after it was killed goes on where it was. The versions that it made are marked
/// as such until it is over for all of its tenants: one whose old versions were removed before the kill is not rotated once more.
/// </summary>
public sealed class KeyRotation
{
    // Connects and sign-ins last ten minutes at most.
    private static readonly TimeSpan PassingAtMost = TimeSpan.FromMinutes(11);
    private readonly PosternStore store;
    private readonly TokenVault vault;
    private readonly VaultRows rows;
    private readonly TimeProvider time;

    internal KeyRotation(PosternStore store, TokenVault vault, VaultRows rows, TimeProvider time)
    {
        this.store = store;
        this.vault = vault;
        this.rows = rows;
        this.time = time;
    }

    /// <summary>Rotates the keys of these tenants; one that has none, or was shredded, is passed over.</summary>
    /// <param name="tenants">Whose.</param>
    /// <param name="evenUnfinished">Make a new version also where an earlier rotation left old ones; otherwise that one is finished.</param>
    /// <param name="actor">Who rotates, for the events.</param>
    /// <exception cref="VaultException">The key store does not answer. Nothing is lost; run it again.</exception>
    public async Task<IReadOnlyList<RotationReport>> RunAsync(
        IReadOnlyList<TenantId> tenants, bool evenUnfinished, string actor, RotationPace pace, IProgress<RotationProgress> progress, CancellationToken cancellation)
    {
        var sweeps = new List<Sweep>();
        foreach (var tenant in tenants)
        {
            // 1
            var sweep = await ActivateAsync(tenant, evenUnfinished, oneOfMany: tenants.Count > 1, actor, cancellation);
            sweeps.Add(sweep);
            // 2
            await SweepAsync(sweep, pace, progress, cancellation);
        }
        if (sweeps.Any(sweep => sweep is { Version: not null, IsOver: false }))
            await Task.Delay(pace.Settle, time, cancellation);
        var reports = new List<RotationReport>();
        foreach (var sweep in sweeps)
        {
            // 3
            await SweepAsync(sweep, pace, progress, cancellation);
            // 4
            reports.Add(await RetireAsync(sweep, actor, cancellation));
        }
        if (tenants.Count > 0)
            await store.UpkeepAsync(KeyChanges.EndRotation(tenants), cancellation);
        return reports;
    }

    /// <summary>The version that seals: a new one, unless an earlier rotation is not finished. Who asks for one tenant alone means that one.</summary>
    private async Task<Sweep> ActivateAsync(TenantId tenant, bool evenUnfinished, bool oneOfMany, string actor, CancellationToken cancellation)
    {
        while (true)
        {
            var keys = await store.Keys.OfAsync(tenant, cancellation);
            if (keys.FirstOrDefault(key => key.Active) is not { } active)
                return new(tenant, null);
            if (!evenUnfinished && (keys.Count > 1 || active.Rotating && oneOfMany))
                return new(tenant, active.Version) { IsOver = keys.Count == 1 };
            if (!(await vault.NewKeyVersionAsync(tenant, cancellation)).TryGet(out var next, out var why))
                throw new VaultException(why);
            var rotated = Event(EventKind.TenantKeyRotated, tenant, actor)
                .With("version", next.Version.ToString("D")).With("previous", active.Version.ToString("D")).With("root-key", next.RootKeyId);
            if ((await store.CommitAsync(KeyChanges.AddVersion(active, next with { Rotating = true }), rotated, null, cancellation)).Committed)
            {
                vault.Forget(tenant);
                return new(tenant, next.Version);
            }
            // Somebody rotated, wrapped anew or shredded in the same moment: decided again.
            vault.Forget(tenant);
        }
    }

    private async Task SweepAsync(Sweep sweep, RotationPace pace, IProgress<RotationProgress> progress, CancellationToken cancellation)
    {
        if (sweep is not { Version: { } version, IsOver: false })
            return;
        var left = await store.SealedRows.CountNotUnderAsync(sweep.Tenant, version, cancellation);
        var paced = new Pacer(pace.RowsPerSecond, time);
        bool overtaken;
        do
        {
            overtaken = false;
            sweep.Unreadable = 0;
            await foreach (var batch in rows.LastingAsync(sweep.Tenant, version, cancellation).Chunk(pace.RowsAtOnce).WithCancellation(cancellation))
            {
                var (moved, unreadable) = await MoveAsync(batch, cancellation);
                sweep.Moved += moved;
                sweep.Unreadable += unreadable;
                left -= moved;
                // What anybody wrote since it was read stands, and is looked at again.
                overtaken |= moved + unreadable < batch.Length;
                progress.Report(new(sweep.Tenant.Value, sweep.Moved, Math.Max(left, 0), sweep.Unreadable, paced.Rate));
                await paced.NextAsync(batch.Length, cancellation);
            }
        }
        while (overtaken);
    }

    private async Task<(int Moved, int Unreadable)> MoveAsync(VaultRow[] batch, CancellationToken cancellation)
    {
        var (moved, unreadable) = (0, 0);
        var untold = new List<Upkeep>(batch.Length);
        foreach (var row in batch)
        {
            switch (await row.SealAnewAsync!(cancellation))
            {
                case null:
                    unreadable++;
                    break;
                case { Told: { } told, Change: var change }:
                    moved += (await store.CommitAsync([change], told, null, cancellation)).Committed ? 1 : 0;
                    break;
                case { Change: var change }:
                    untold.Add(change);
                    break;
            }
        }
        return (moved + await store.UpkeepAsync(untold, cancellation), unreadable);
    }

    private async Task<RotationReport> RetireAsync(Sweep sweep, string actor, CancellationToken cancellation)
    {
        var (retired, kept) = (new List<Guid>(), new Dictionary<Guid, IReadOnlyList<KeyUse>>());
        if (sweep is not { Version: { } version, IsOver: false })
            return new(sweep.Tenant, sweep.Version, 0, 0, retired, kept);
        await store.RecordAsync(
            Event(EventKind.TenantKeySwept, sweep.Tenant, actor).With("version", version.ToString("D")).With("rows", sweep.Moved).With("unreadable", sweep.Unreadable), cancellation);

        var since = time.GetTimestamp();
        foreach (var old in (await store.Keys.OfAsync(sweep.Tenant, cancellation)).Where(key => !key.Active && key.Version != version))
        {
            IReadOnlyList<KeyUse> uses;
            while ((uses = await store.SealedRows.UsesOfAsync(sweep.Tenant, old.Version, cancellation)).Count > 0
                && uses.All(use => use.Passing) && time.GetElapsedTime(since) < PassingAtMost)
            {
                await Task.Delay(TimeSpan.FromSeconds(5), time, cancellation);
            }
            var gone = uses.Count == 0 && (await store.CommitAsync(
                [KeyChanges.Retire(old)], Event(EventKind.TenantKeyRetired, sweep.Tenant, actor).With("version", old.Version.ToString("D")), null, cancellation)).Committed;
            if (gone)
                retired.Add(old.Version);
            else
                kept[old.Version] = uses;
        }
        return new(sweep.Tenant, version, sweep.Moved, sweep.Unreadable, retired, kept);
    }

    private static AuditEvent Event(EventKind kind, TenantId tenant, string actor) => new(kind, tenant) { Actor = actor };

    private sealed record Sweep(TenantId Tenant, Guid? Version)
    {
        /// <summary>The rotation was cut short, and of this tenant nothing is left to do.</summary>
        public bool IsOver { get; init; }

        public long Moved { get; set; }

        public long Unreadable { get; set; }
    }
}

/// <summary>Holds work to a rate.</summary>
internal sealed class Pacer(double perSecond, TimeProvider time)
{
    private readonly long begun = time.GetTimestamp();
    private long done;

    /// <summary>How many a second so far.</summary>
    public double Rate => done / Math.Max(time.GetElapsedTime(begun).TotalSeconds, 0.001);

    /// <summary>So many more were done; waits until the next may be.</summary>
    public async ValueTask NextAsync(int more, CancellationToken cancellation)
    {
        done += more;
        var early = TimeSpan.FromSeconds(done / perSecond) - time.GetElapsedTime(begun);
        if (early > TimeSpan.Zero)
            await Task.Delay(early, time, cancellation);
    }
}
