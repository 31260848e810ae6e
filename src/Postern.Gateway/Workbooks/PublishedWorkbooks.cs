using Postern.Grants.Definitions;
using Postern.Model;
using Postern.Store;

namespace Postern.Gateway.Workbooks;

/// <summary>The catalogue of published workbooks, read again when a definition changed.</summary>
internal sealed class PublishedWorkbooks(DefinitionBook definitions)
{
    private volatile Loaded? loaded;

    public async ValueTask<WorkbookCatalog> CatalogAsync(TenantId tenant, CancellationToken cancellation)
    {
        // Asking first brings the definitions up to date, so that their version is the one these rows belong to.
        await definitions.RowsAsync(tenant, DefinitionKind.Workbook, cancellation);
        var version = definitions.Version;
        if (loaded is { } current && current.Version == version)
            return current.Catalog;
        var rows = new List<StoredWorkbook>();
        foreach (var known in await definitions.TenantsAsync(cancellation))
        {
            foreach (var row in await definitions.RowsAsync(known.Id, DefinitionKind.Workbook, cancellation))
                rows.Add(new(row.Tenant, row.Revision, row.Body));
        }
        var catalog = WorkbookCatalog.Load(rows);
        loaded = new(version, catalog);
        return catalog;
    }

    private sealed record Loaded(long Version, WorkbookCatalog Catalog);
}
