using Postern.Grants.Definitions;
using Postern.Grants.Renewal;
using Postern.Grants.Revocation;
using Postern.Model;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Keys;

/// <summary>How a shredding ended.</summary>
/// <param name="Receipt">The receipt; null when it stopped before anything was destroyed.</param>
/// <param name="Pending">Revocations that no authorization server confirmed yet.</param>
public sealed record ShredOutcome(SignedReceipt? Receipt, long Pending);

/// <summary>
/// Shreds a tenant, while nodes serve others:
/// <list type="number">
/// <item>its sessions end, and its definition is retired: nobody gets in any more</item>
/// <item>every grant is revoked, and the authorization servers are told, for which the keys are still needed</item>
/// <item>its other definitions are retired</item>
/// <item>every version of its key is destroyed; the place stays taken, so that no node makes a new key</item>
/// <item>a receipt is issued, once nothing opens any more</item>
/// </list>
/// Each step leaves what it did in the rows, so it is run again after it was killed.
/// </summary>
public sealed class TenantShredder
{
    private const int Page = 200;
    private static readonly TenantId System = Housekeeper.SystemTenant;
    private readonly PosternStore store;
    private readonly TokenVault vault;
    private readonly Revoker revoker;
    private readonly DefinitionBook definitions;
    private readonly VaultInventory inventory;
    private readonly Sequencer sequencer;
    private readonly IChance chance;
    private readonly TimeProvider time;

    internal TenantShredder(
        PosternStore store, TokenVault vault, Revoker revoker, DefinitionBook definitions, VaultInventory inventory, Sequencer sequencer, IChance chance,
        TimeProvider time)
    {
        this.store = store;
        this.vault = vault;
        this.revoker = revoker;
        this.definitions = definitions;
        this.inventory = inventory;
        this.sequencer = sequencer;
        this.chance = chance;
        this.time = time;
    }

    /// <summary>Shreds, or finishes what was cut short. What is destroyed cannot be had back by anybody.</summary>
    /// <param name="actor">Who shreds.</param>
    /// <param name="wait">How long the authorization servers are waited for.</param>
    /// <param name="abandonPending">Destroy the keys although some were not told; those tokens live until they end by themselves.</param>
    public async Task<ShredOutcome> RunAsync(TenantId tenant, string actor, TimeSpan wait, bool abandonPending, CancellationToken cancellation)
    {
        if (tenant == System)
            throw new ArgumentException("The deployment's own key vouches for receipts and is not shredded.", nameof(tenant));
        if (!await store.Keys.IsShreddedAsync(tenant, cancellation))
        {
            // 1
            await store.CommitAsync([SessionChanges.EndAllOf(tenant)], Event(EventKind.TenantShredBegun, tenant, actor), null, cancellation);
            await definitions.RetireAsync(tenant, DefinitionKind.Tenant, tenant.Value, actor, cancellation);
            // 2
            await RevokeAllAsync(tenant, actor, cancellation);
            var pending = await TellAsync(tenant, wait, cancellation);
            if (pending > 0 && !abandonPending)
                return new(null, pending);
            // 3
            foreach (var kind in Enum.GetValues<DefinitionKind>())
            {
                foreach (var row in await store.Definitions.CurrentAsync(tenant, kind, cancellation))
                    await definitions.RetireAsync(tenant, kind, row.Name, actor, cancellation);
            }
            // Whoever was on the way in when the tenant's definition went.
            await RevokeAllAsync(tenant, actor, cancellation);
            // 4
            await DestroyAsync(tenant, actor, cancellation);
        }
        // 5: also a key that this process unwrapped before somebody else destroyed it must not make anything readable.
        vault.Forget(tenant);
        return new(await IssueAsync(tenant, actor, cancellation), await PendingAsync(tenant, cancellation));
    }

    /// <summary>Checks that this deployment wrote a receipt. Whether the log has it, <see cref="ShredReceipt.ToDigest"/> tells.</summary>
    public async Task<bool> VerifyAsync(SignedReceipt shown, CancellationToken cancellation) =>
        (await vault.VerifyMacAsync(Context(shown.Receipt), shown.Receipt.ToBytes(), shown.Mac, cancellation)).Opened();

    private async Task RevokeAllAsync(TenantId tenant, string actor, CancellationToken cancellation)
    {
        foreach (var state in new[] { GrantState.Unconfirmed, GrantState.Active, GrantState.Reconnect })
        {
            while (await store.Grants.ListAsync(tenant, new GrantFilter { State = state, Limit = Page }, cancellation) is { Count: > 0 } grants)
            {
                foreach (var grant in grants)
                    await revoker.RevokeAsync(grant, "tenant-shredded", actor, cancellation);
            }
        }
    }

    /// <summary>Tells the authorization servers, here and on whatever node runs: how many are still to be told when the time is up.</summary>
    private async Task<long> TellAsync(TenantId tenant, TimeSpan wait, CancellationToken cancellation)
    {
        var since = time.GetTimestamp();
        while (true)
        {
            await revoker.TellAsync(cancellation);
            var pending = await PendingAsync(tenant, cancellation);
            if (pending == 0 || time.GetElapsedTime(since) >= wait)
                return pending;
            await Task.Delay(TimeSpan.FromSeconds(1), time, cancellation);
        }
    }

    private async Task<long> PendingAsync(TenantId tenant, CancellationToken cancellation) =>
        (await store.Revocations.CountAsync(tenant, cancellation)).GetValueOrDefault(RevocationStatus.Pending);

    private async Task DestroyAsync(TenantId tenant, string actor, CancellationToken cancellation)
    {
        // Again until it is so: a version that was added in the same moment is destroyed in the next turn.
        while (!await store.Keys.IsShreddedAsync(tenant, cancellation))
        {
            var keys = await store.Keys.OfAsync(tenant, cancellation);
            var told = Event(EventKind.TenantShredded, tenant, actor)
                .With("versions", keys.Count).With("root-keys", string.Join(' ', keys.Select(key => key.RootKeyId).Distinct(StringComparer.Ordinal)))
                .With("pending", await PendingAsync(tenant, cancellation));
            Change destroyed = keys.Count > 0 ? KeyChanges.Destroy(tenant) : KeyChanges.Bury(tenant, chance.NewId());
            await store.CommitAsync([destroyed], told, null, cancellation);
            vault.Forget(tenant);
        }
    }

    private async Task<SignedReceipt> IssueAsync(TenantId tenant, string actor, CancellationToken cancellation)
    {
        var left = await inventory.CountAsync(tenant, cancellation);
        var keys = await store.Keys.OfAsync(tenant, cancellation);
        var revocations = await store.Revocations.CountAsync(tenant, cancellation);
        var position = await sequencer.PositionAsync(tenant, time, cancellation)
            ?? throw new InvalidOperationException("The keys are destroyed, but the log's position could not be had for the receipt: another node orders the log and does not go on. Run the same command again.");
        var receipt = new ShredReceipt(
            tenant.Value, DateTimeOffset.FromUnixTimeMilliseconds((await store.Clock.NowAsync(cancellation)).ToUnixTimeMilliseconds()), actor,
            left.Kinds.ToDictionary(kind => kind.Kind, kind => kind.Readable + kind.Unreadable), left.Readable,
            [.. keys.Select(key => key.Version)], [.. keys.Select(key => key.RootKeyId).Distinct(StringComparer.Ordinal)],
            revocations.ToDictionary(pair => pair.Key.ToString(), pair => pair.Value), position);
        var issued = new SignedReceipt(receipt, await vault.MacAsync(Context(receipt), receipt.ToBytes(), cancellation));
        await store.RecordAsync(Event(EventKind.ShredReceiptIssued, tenant, actor).With("sha256", receipt.ToDigest()), cancellation);
        return issued;
    }

    private static MacContext Context(ShredReceipt receipt) => MacContexts.Extension(System, "shred-receipt", "receipts", receipt.Tenant);

    private static AuditEvent Event(EventKind kind, TenantId tenant, string actor) => new(kind, tenant) { Actor = actor };
}
