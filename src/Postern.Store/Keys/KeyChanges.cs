using Dapper;
using Postern.Model;

namespace Postern.Store;

/// <summary>
/// Tenant keys come, are wrapped anew, go and are destroyed. Each change of a key names the wrapped bytes that it was decided by, so of
/// two that rotate at once one is refused. The feed names every change, and nodes read the keys again.
/// </summary>
public static class KeyChanges
{
    private const string Insert =
        """
        INSERT INTO tenant_keys (tenant, version, active_tenant, root_key_id, wrapped, rotating, created_at)
        VALUES (@tenant, @version, @tenant, @rootKeyId, @wrapped, @rotating, {now})
        """;

    /// <summary>Adds the tenant's first key, as the active one. Refused when the tenant has an active key, or was shredded.</summary>
    internal static Change AddFirst(WrappedKey key) => new("key-add-first", Insert, Parameters(key), Notice(key));

    /// <summary>Puts a new version in the place of the active one, which only opens from then on. Refused when that changed since it was read.</summary>
    /// <param name="active">The active version as read.</param>
    /// <param name="next">The new version.</param>
    public static IReadOnlyList<Change> AddVersion(WrappedKey active, WrappedKey next) =>
    [
        new(
            "key-supersede",
            "UPDATE tenant_keys SET active_tenant = NULL WHERE tenant = @tenant AND version = @version AND active_tenant = @tenant AND wrapped = @wrapped",
            Parameters(active)),
        new("key-add-version", Insert, Parameters(next), Notice(next)),
    ];

    /// <summary>Puts the same key, wrapped anew, in the place of the old bytes. Refused when those changed since they were read.</summary>
    public static Change Rewrap(WrappedKey seen, WrappedKey rewrapped) => new(
        "key-rewrap",
        """
        UPDATE tenant_keys SET wrapped = @rewrapped, root_key_id = @newRootKeyId
        WHERE tenant = @tenant AND version = @version AND wrapped = @wrapped AND root_key_id = @rootKeyId
        """,
        new
        {
            tenant = seen.Tenant.Value,
            version = seen.Version.ToString("D"),
            wrapped = seen.Wrapped,
            rootKeyId = seen.RootKeyId,
            rewrapped = rewrapped.Wrapped,
            newRootKeyId = rewrapped.RootKeyId,
        },
        Notice(seen));

    /// <summary>Removes an old version. Refused while it is the active one, and while anything that counts is under it.</summary>
    public static Change Retire(WrappedKey key) => new(
        "key-retire",
        $"""
        DELETE FROM tenant_keys WHERE tenant = @tenant AND version = @version AND active_tenant IS NULL AND wrapped = @wrapped
            AND {string.Join(" AND ", SealedRowReads.Uses.Select(use => $"NOT EXISTS ({use.Select("1")})"))}
        """,
        new { tenant = key.Tenant.Value, version = key.Version.ToString("D"), wrapped = key.Wrapped, keyVersion = SealedRowReads.Bytes(key.Version) },
        Notice(key));

    /// <summary>
    /// The rotation of these tenants is over: their versions are no longer <see cref="WrappedKey.Rotating"/>. In one statement, so that whoever is
    /// killed here has ended it for all of them or for none. Never refused.
    /// </summary>
    /// <param name="tenants">At least one.</param>
    public static Upkeep EndRotation(IReadOnlyList<TenantId> tenants)
    {
        // One parameter each: an array is not written alike in all databases.
        var parameters = new DynamicParameters();
        foreach (var (i, tenant) in tenants.Index())
            parameters.Add($"tenant{i}", tenant.Value);
        var names = string.Join(", ", Enumerable.Range(0, tenants.Count).Select(i => $"@tenant{i}"));
        return new(
            "key-rotation-over", $"UPDATE tenant_keys SET rotating = NULL WHERE rotating IS NOT NULL AND tenant IN ({names})", parameters, expected: RowCount.Any);
    }

    /// <summary>Destroys every version of a tenant's key. The rows stay without their bytes: the tenant is shredded, and gets no new key. Never refused.</summary>
    public static Change Destroy(TenantId tenant) => new(
        "key-destroy",
        "UPDATE tenant_keys SET wrapped = @nothing WHERE tenant = @tenant",
        new { tenant = tenant.Value, nothing = Array.Empty<byte>() },
        new FeedNotice(ChangeKind.Key, tenant, "destroyed"), RowCount.Any);

    /// <summary>Takes the place of a first key for a tenant that never had one, so that it gets none. Refused when it has one.</summary>
    /// <param name="version">A new id, which names no key.</param>
    public static Change Bury(TenantId tenant, Guid version)
    {
        var nothing = new WrappedKey(tenant, version, Active: false, "none", []);
        return new("key-bury", Insert, Parameters(nothing), Notice(nothing));
    }

    /// <summary>Tells every node that the root keys changed, in the name of the deployment's own log.</summary>
    public static Upkeep RootKeysChanged(TenantId system) => new(
        "root-keys-changed", "UPDATE counters SET counted = counted WHERE name = 'feed'", new { }, new FeedNotice(ChangeKind.Key, system, "root"), RowCount.Any);

    private static object Parameters(WrappedKey key) =>
        new { tenant = key.Tenant.Value, version = key.Version.ToString("D"), rootKeyId = key.RootKeyId, wrapped = key.Wrapped, rotating = key.Rotating ? 1 : (long?)null };

    private static FeedNotice Notice(WrappedKey key) => new(ChangeKind.Key, key.Tenant, key.Version.ToString("D"));
}
