using System.Collections.Immutable;
using Postern.Gateway.Tenants;
using Postern.Gateway.Workbooks;
using Postern.Grants.Definitions;
using Postern.Host.Configuration;
using Postern.Store;

namespace Postern.Host.Composition;

/// <summary>A workbook that cannot be published, with everything that is wrong with it.</summary>
internal sealed class WorkbookException(string file, IEnumerable<WorkbookProblem> problems)
    : Exception($"{file} cannot be published:\n" + string.Join('\n', problems.Select(problem => "  " + problem)));

/// <summary>
/// Puts what the configuration says into the store, where it differs: tenants, connections, keys and policies first, then the
/// workbooks, which are published against the policies as they stand.
/// </summary>
internal sealed class Seeding(DefinitionBook definitions, WorkbookPublisher publisher)
{
    private const string Actor = "configuration";

    public async Task SeedAsync(PosternSettings settings, CancellationToken cancellation)
    {
        foreach (var tenant in settings.Tenants)
        {
            ImmutableArray<SeedBody> policies = [.. tenant.Policies.Select(policy => new SeedBody(DefinitionKind.Policy, policy.Name, PolicyRows.Write(policy)))];
            await definitions.SeedAsync(new TenantSeed(tenant.Tenant, tenant.Connections, tenant.EmbedKeys, policies), Actor, cancellation);

            var rows = await definitions.RowsAsync(tenant.Tenant.Id, DefinitionKind.Policy, cancellation);
            var target = new PublishTarget(tenant.Connections, [.. rows.Select(row => PolicyRows.Read(row.Body, row.Revision))]);
            var published = await definitions.RowsAsync(tenant.Tenant.Id, DefinitionKind.Workbook, cancellation);
            var workbooks = new List<SeedBody>();
            foreach (var file in tenant.WorkbookFiles)
            {
                var text = await File.ReadAllTextAsync(file, cancellation);
                if (published.Any(row => Stands(row, text, target)))
                    continue;
                var report = publisher.Publish(text, target);
                if (report.Value is not { } workbook)
                    throw new WorkbookException(file, report.Problems);
                workbooks.Add(new(DefinitionKind.Workbook, workbook.Id.Value, workbook.ToBody()));
            }
            await definitions.SeedAsync(new TenantSeed(tenant.Tenant, [], [], [.. workbooks]), Actor, cancellation);
        }
    }

    /// <summary>True when this very text is published already, against policies that still stand: compiling its charts again takes a second.</summary>
    private static bool Stands(DefinitionRow row, string text, PublishTarget target) =>
        PublishedWorkbook.TryRead(row.Body, row.Revision, out var workbook) && workbook.IsPublishedFrom(text)
        && workbook.Queries.All(query => query.Policies.All(stamp => target.Policies.Any(policy => policy.Stamp == stamp)));
}
