using Postern.Model;

namespace Postern.Store;

/// <summary>Finds wrapped tenant keys.</summary>
public sealed class KeyReads
{
    // A rotation that was cut short and is not gone on with within this is over: the next one is another.
    private static readonly TimeSpan OneRotation = TimeSpan.FromDays(1);

    private readonly Database database;

    internal KeyReads(Database database) => this.database = database;

    /// <summary>All versions of a tenant's key, the active one first, then the newest.</summary>
    public Task<IReadOnlyList<WrappedKey>> OfAsync(TenantId tenant, CancellationToken cancellation) => database.ListAsync(
        """
        SELECT k.*, {now} AS at FROM tenant_keys k WHERE tenant = @tenant
        ORDER BY CASE WHEN active_tenant IS NULL THEN 1 ELSE 0 END, created_at DESC, version
        """,
        new { tenant = tenant.Value }, Read, cancellation);

    /// <summary>All versions of all tenants' keys.</summary>
    public Task<IReadOnlyList<WrappedKey>> AllAsync(CancellationToken cancellation) => database.ListAsync(
        "SELECT k.*, {now} AS at FROM tenant_keys k ORDER BY tenant, created_at, version", null, Read, cancellation);

    /// <summary>True when the tenant had a key and every version of it was destroyed.</summary>
    public async Task<bool> IsShreddedAsync(TenantId tenant, CancellationToken cancellation) =>
        await OfAsync(tenant, cancellation) is { Count: > 0 } keys && keys.All(key => key.IsDestroyed);

    // What is left of a destroyed key keeps the active place, so that nobody takes it, and seals nothing.
    private static WrappedKey Read(Columns row)
    {
        var wrapped = row.Bytes("wrapped");
        return new(row.Tenant(), row.Id("version"), row.TextOrNull("active_tenant") is not null && wrapped.Length > 0, row.Text("root_key_id"), wrapped)
        {
            Rotating = row.NumberOrNull("rotating") is not null && row.Number("at") - row.Number("created_at") < OneRotation.ToMs(),
        };
    }
}
