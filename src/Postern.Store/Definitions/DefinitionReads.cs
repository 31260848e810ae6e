using Postern.Model;

namespace Postern.Store;

/// <summary>Finds definitions. Check each row's MAC before believing it.</summary>
public sealed class DefinitionReads
{
    private readonly Database database;

    internal DefinitionReads(Database database) => this.database = database;

    /// <summary>The revision in force, or null.</summary>
    public Task<DefinitionRow?> CurrentAsync(TenantId tenant, DefinitionKind kind, string name, CancellationToken cancellation) => database.FindAsync(
        "SELECT * FROM definitions WHERE tenant = @tenant AND kind = @kind AND name = @name AND superseded_at IS NULL",
        new { tenant = tenant.Value, kind = (int)kind, name }, DefinitionRow.Read, cancellation);

    /// <summary>Everything of a kind in force for a tenant, by name.</summary>
    public Task<IReadOnlyList<DefinitionRow>> CurrentAsync(TenantId tenant, DefinitionKind kind, CancellationToken cancellation) => database.ListAsync(
        "SELECT * FROM definitions WHERE tenant = @tenant AND kind = @kind AND superseded_at IS NULL ORDER BY name",
        new { tenant = tenant.Value, kind = (int)kind }, DefinitionRow.Read, cancellation);

    /// <summary>Everything of a kind in force, of all tenants; for the start of a node.</summary>
    public Task<IReadOnlyList<DefinitionRow>> CurrentOfAllAsync(DefinitionKind kind, CancellationToken cancellation) => database.ListAsync(
        "SELECT * FROM definitions WHERE kind = @kind AND superseded_at IS NULL ORDER BY tenant, name",
        new { kind = (int)kind }, DefinitionRow.Read, cancellation);

    /// <summary>The highest revision that there is, in force or not; 0 for none.</summary>
    public async Task<long> HighestAsync(TenantId tenant, DefinitionKind kind, string name, CancellationToken cancellation) =>
        (await database.FindAsync(
            "SELECT * FROM definitions WHERE tenant = @tenant AND kind = @kind AND name = @name ORDER BY revision DESC LIMIT 1",
            new { tenant = tenant.Value, kind = (int)kind, name }, DefinitionRow.Read, cancellation))?.Revision ?? 0;

    /// <summary>The highest revision of everything that ever was, in force or not.</summary>
    public async Task<IReadOnlyDictionary<(TenantId Tenant, DefinitionKind Kind, string Name), long>> HighestOfAllAsync(CancellationToken cancellation) =>
        (await database.ListAsync(
            "SELECT tenant, kind, name, MAX(revision) AS highest FROM definitions GROUP BY tenant, kind, name", null,
            row => (Key: (row.Tenant(), (DefinitionKind)row.Int("kind"), row.Text("name")), Highest: row.Number("highest")), cancellation))
        .ToDictionary(row => row.Key, row => row.Highest);

    /// <summary>One revision, in force or not; null if there is none.</summary>
    public Task<DefinitionRow?> FindAsync(TenantId tenant, DefinitionKind kind, string name, long revision, CancellationToken cancellation) =>
        database.FindAsync(
            "SELECT * FROM definitions WHERE tenant = @tenant AND kind = @kind AND name = @name AND revision = @revision",
            new { tenant = tenant.Value, kind = (int)kind, name, revision }, DefinitionRow.Read, cancellation);
}
