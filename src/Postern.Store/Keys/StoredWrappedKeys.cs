using Postern.Model;

namespace Postern.Store;

/// <summary>Wrapped tenant keys in the store; useless without the key store that wrapped them.</summary>
internal sealed class StoredWrappedKeys(Database database, PosternStore store) : IWrappedKeys
{
    public Task<IReadOnlyList<WrappedKey>> ReadAsync(TenantId tenant, CancellationToken cancellation) => database.ListAsync(
        """
        SELECT * FROM tenant_keys WHERE tenant = @tenant
        ORDER BY CASE WHEN active_tenant IS NULL THEN 1 ELSE 0 END, created_at DESC, version
        """,
        new { tenant = tenant.Value },
        row => new WrappedKey(
            row.Tenant(), row.Id("version"), row.TextOrNull("active_tenant") is not null, row.Text("root_key_id"), row.Bytes("wrapped")),
        cancellation);

    public async Task<bool> TryAddFirstAsync(WrappedKey key, CancellationToken cancellation)
    {
        var created = new AuditEvent(EventKind.TenantKeyCreated, key.Tenant)
            .With("version", key.Version.ToString("D"))
            .With("root-key", key.RootKeyId);
        return (await store.CommitAsync([KeyChanges.AddFirst(key)], created, null, cancellation)).Committed;
    }
}

/// <summary>Changes of tenant keys.</summary>
internal static class KeyChanges
{
    /// <summary>Adds the tenant's first key, as the active one. Refused when the tenant has an active key.</summary>
    public static Change AddFirst(WrappedKey key) => new(
        "key-add-first",
        """
        INSERT INTO tenant_keys (tenant, version, active_tenant, root_key_id, wrapped, created_at)
        VALUES (@tenant, @version, @tenant, @rootKeyId, @wrapped, {now})
        """,
        new { tenant = key.Tenant.Value, version = key.Version.ToString("D"), rootKeyId = key.RootKeyId, wrapped = key.Wrapped },
        new FeedNotice(ChangeKind.Key, key.Tenant, key.Version.ToString("D")));
}
