using Postern.Model;

namespace Postern.Store;

/// <summary>Wrapped tenant keys in the store; useless without the key store that wrapped them.</summary>
internal sealed class StoredWrappedKeys(PosternStore store) : IWrappedKeys
{
    public Task<IReadOnlyList<WrappedKey>> ReadAsync(TenantId tenant, CancellationToken cancellation) => store.Keys.OfAsync(tenant, cancellation);

    public async Task<bool> TryAddFirstAsync(WrappedKey key, CancellationToken cancellation)
    {
        var created = new AuditEvent(EventKind.TenantKeyCreated, key.Tenant)
            .With("version", key.Version.ToString("D"))
            .With("root-key", key.RootKeyId);
        return (await store.CommitAsync([KeyChanges.AddFirst(key)], created, null, cancellation)).Committed;
    }
}
