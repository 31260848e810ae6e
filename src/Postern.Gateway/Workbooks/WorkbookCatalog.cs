using System.Collections.Frozen;
using System.Collections.Immutable;
using Postern.Model;

namespace Postern.Gateway.Workbooks;

/// <summary>A published workbook as the store keeps it.</summary>
/// <param name="Tenant">Whose.</param>
/// <param name="Revision">The row's revision.</param>
/// <param name="Body">What <see cref="PublishedWorkbook.ToBody"/> wrote.</param>
public sealed record StoredWorkbook(TenantId Tenant, long Revision, string Body);

/// <summary>The published workbooks of all tenants at one moment. Immutable: a change makes a new one.</summary>
public sealed class WorkbookCatalog
{
    private readonly FrozenDictionary<(TenantId, WorkbookId), PublishedWorkbook> workbooks;

    private WorkbookCatalog(Dictionary<(TenantId, WorkbookId), PublishedWorkbook> workbooks, ImmutableArray<StoredWorkbook> unreadable)
    {
        this.workbooks = workbooks.ToFrozenDictionary();
        Unreadable = unreadable;
    }

    /// <summary>No workbooks.</summary>
    public static WorkbookCatalog Empty { get; } = Load([]);

    /// <summary>Rows that are no published workbook (or were altered); they are left out and should be reported.</summary>
    public ImmutableArray<StoredWorkbook> Unreadable { get; }

    /// <summary>Reads stored bodies; of two with the same name in a tenant the higher revision counts.</summary>
    public static WorkbookCatalog Load(IEnumerable<StoredWorkbook> stored)
    {
        var read = new Dictionary<(TenantId, WorkbookId), PublishedWorkbook>();
        var unreadable = ImmutableArray.CreateBuilder<StoredWorkbook>();
        foreach (var row in stored)
        {
            if (!PublishedWorkbook.TryRead(row.Body, row.Revision, out var workbook))
                unreadable.Add(row);
            else if (!read.TryGetValue((row.Tenant, workbook.Id), out var other) || other.Revision < workbook.Revision)
                read[(row.Tenant, workbook.Id)] = workbook;
        }
        return new(read, unreadable.ToImmutable());
    }

    /// <summary>The workbook of that name in that tenant, or null.</summary>
    public PublishedWorkbook? Find(TenantId tenant, WorkbookId workbook) => workbooks.GetValueOrDefault((tenant, workbook));

    /// <summary>A tenant's workbooks, by name.</summary>
    public IEnumerable<PublishedWorkbook> Of(TenantId tenant) =>
        workbooks.Where(entry => entry.Key.Item1 == tenant).Select(entry => entry.Value).OrderBy(workbook => workbook.Id.Value, StringComparer.Ordinal);
}
