using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Keys;

/// <summary>How many values of one kind there are.</summary>
/// <param name="Kind">What, such as <c>token.refresh</c> or <c>mac.session</c>.</param>
/// <param name="Readable">How many open where they lie.</param>
/// <param name="Unreadable">How many do not.</param>
public sealed record KindCount(string Kind, long Readable, long Unreadable);

/// <summary>A key version and what names it.</summary>
/// <param name="Version">The version; the empty id stands for values that are none of the vault's.</param>
/// <param name="State"><c>active</c>, <c>old</c>, <c>destroyed</c>, or <c>missing</c> when values name a version that is not there.</param>
/// <param name="RootKey">The root key that wraps it; null for missing ones.</param>
/// <param name="Values">How many values name it.</param>
public sealed record VersionCount(Guid Version, string State, string? RootKey, long Values);

/// <summary>What a tenant has under its key.</summary>
/// <param name="Tenant">Whose.</param>
/// <param name="Shredded">True when every version of its key was destroyed.</param>
/// <param name="Kinds">By kind.</param>
/// <param name="Versions">By key version.</param>
public sealed record TenantInventory(TenantId Tenant, bool Shredded, IReadOnlyList<KindCount> Kinds, IReadOnlyList<VersionCount> Versions)
{
    /// <summary>How many open.</summary>
    public long Readable => Kinds.Sum(kind => kind.Readable);

    /// <summary>How many do not.</summary>
    public long Unreadable => Kinds.Sum(kind => kind.Unreadable);

    /// <summary>True when everything is as it must be: all of it opens, or the tenant was shredded and nothing does.</summary>
    public bool IsSound => Shredded ? Readable == 0 : Unreadable == 0;
}

/// <summary>Opens everything that a tenant has under its key, and counts. Nothing that was opened is kept.</summary>
public sealed class VaultInventory
{
    private readonly PosternStore store;
    private readonly VaultRows rows;

    internal VaultInventory(PosternStore store, VaultRows rows)
    {
        this.store = store;
        this.rows = rows;
    }

    /// <summary>All tenants that have a key or had one.</summary>
    public async Task<IReadOnlyList<TenantId>> TenantsAsync(CancellationToken cancellation) =>
        [.. (await store.Keys.AllAsync(cancellation)).Select(key => key.Tenant).Where(tenant => tenant != Renewal.Housekeeper.SystemTenant).Distinct()];

    /// <summary>Counts a tenant's. May run while nodes work; a row that is written meanwhile counts as it was read.</summary>
    /// <exception cref="Vault.VaultException">The key store does not answer, so nothing can be said.</exception>
    public async Task<TenantInventory> CountAsync(TenantId tenant, CancellationToken cancellation)
    {
        var kinds = new SortedDictionary<string, (long Readable, long Unreadable)>(StringComparer.Ordinal);
        var versions = new Dictionary<Guid, long>();
        await foreach (var row in rows.LastingAsync(tenant, null, cancellation))
            await CountAsync(row, kinds, versions, cancellation);
        await foreach (var row in rows.PassingAsync(tenant, cancellation))
            await CountAsync(row, kinds, versions, cancellation);

        // After the rows: a version that came meanwhile is known then.
        var keys = await store.Keys.OfAsync(tenant, cancellation);
        var counted = keys.Select(key => new VersionCount(
            key.Version, key.IsDestroyed ? "destroyed" : key.Active ? "active" : "old", key.RootKeyId, versions.GetValueOrDefault(key.Version)));
        var missing = versions.Where(pair => keys.All(key => key.Version != pair.Key)).Select(pair => new VersionCount(pair.Key, "missing", null, pair.Value));
        return new(
            tenant, keys.Count > 0 && keys.All(key => key.IsDestroyed),
            [.. kinds.Select(pair => new KindCount(pair.Key, pair.Value.Readable, pair.Value.Unreadable))], [.. counted, .. missing]);
    }

    private static async Task CountAsync(
        VaultRow row, SortedDictionary<string, (long Readable, long Unreadable)> kinds, Dictionary<Guid, long> versions, CancellationToken cancellation)
    {
        foreach (var part in row.Parts)
        {
            var (readable, unreadable) = kinds.GetValueOrDefault(part.Kind);
            kinds[part.Kind] = (await part.OpenAsync(cancellation)).Opened() ? (readable + 1, unreadable) : (readable, unreadable + 1);
            var version = part.Version ?? Guid.Empty;
            versions[version] = versions.GetValueOrDefault(version) + 1;
        }
    }
}
