using System.Collections.Immutable;
using Postern.Gateway.Tenants;
using Postern.Gateway.Workbooks;
using Postern.Grants.Definitions;
using Postern.Host.Configuration;
using Postern.Model;
using Postern.Store;

namespace Postern.Host.Composition;

/// <summary>A workbook that cannot be published, with everything that is wrong with it.</summary>
internal sealed class WorkbookException(string file, IEnumerable<WorkbookProblem> problems)
    : Exception($"{file} cannot be published:\n" + string.Join('\n', problems.Select(problem => "  " + problem)));

/// <summary>
/// Makes the store say what the configuration says. Precedence: the configuration decides about every name it holds, also one that an
/// operator published before; what it put earlier and no longer holds is retired; what somebody else made is left alone.
/// <list type="number">
/// <item>tenants that are gone are retired with all that the configuration put for them, so that their hosts are free</item>
/// <item>of each tenant: what differs is put, what is gone is retired</item>
/// <item>its workbooks are published, against the policies as they stand; those that are gone are retired</item>
/// </list>
/// </summary>
internal sealed class Seeding(DefinitionBook definitions, WorkbookPublisher publisher)
{
    private static readonly IReadOnlySet<string> Nothing = ImmutableHashSet<string>.Empty;

    public async Task SeedAsync(PosternSettings settings, CancellationToken cancellation)
    {
        // 1
        var named = settings.Tenants.Select(tenant => tenant.Tenant.Id).ToHashSet();
        foreach (var gone in await definitions.TenantsOfMakerAsync(DefinitionRow.Configuration, cancellation))
        {
            if (!named.Contains(gone))
                await definitions.RetireOthersAsync(gone, Enum.GetValues<DefinitionKind>().ToDictionary(kind => kind, _ => Nothing), DefinitionRow.Configuration, cancellation);
        }
        foreach (var tenant in settings.Tenants)
        {
            if (await definitions.MustPassOverAsync(tenant.Tenant.Id, cancellation))
                continue;
            // 2
            ImmutableArray<SeedBody> policies = [.. tenant.Policies.Select(policy => new SeedBody(DefinitionKind.Policy, policy.Name, PolicyRows.Write(policy)))];
            await definitions.SeedAsync(new TenantSeed(tenant.Tenant, tenant.Connections, tenant.EmbedKeys, policies), DefinitionRow.Configuration, cancellation);
            await definitions.RetireOthersAsync(tenant.Tenant.Id, new Dictionary<DefinitionKind, IReadOnlySet<string>>
            {
                [DefinitionKind.Connection] = tenant.Connections.Select(connection => connection.Id.Value).ToHashSet(),
                [DefinitionKind.EmbedKey] = tenant.EmbedKeys.Select(key => key.Id).ToHashSet(),
                [DefinitionKind.Policy] = policies.Select(policy => policy.Name).ToHashSet(),
            }, DefinitionRow.Configuration, cancellation);

            // 3
            var target = await TargetAsync(tenant, cancellation);
            var published = await definitions.RowsAsync(tenant.Tenant.Id, DefinitionKind.Workbook, cancellation);
            var workbooks = new List<SeedBody>();
            var kept = new HashSet<string>();
            foreach (var file in tenant.WorkbookFiles)
            {
                var text = await File.ReadAllTextAsync(file, cancellation);
                if (published.FirstOrDefault(row => Stands(row, text, target)) is { } standing)
                {
                    kept.Add(standing.Name);
                    continue;
                }
                var workbook = Publish(file, text, target);
                kept.Add(workbook.Name);
                workbooks.Add(workbook);
            }
            await definitions.SeedAsync(new TenantSeed(tenant.Tenant, [], [], [.. workbooks]), DefinitionRow.Configuration, cancellation);
            await definitions.RetireOthersAsync(
                tenant.Tenant.Id, new Dictionary<DefinitionKind, IReadOnlySet<string>> { [DefinitionKind.Workbook] = kept }, DefinitionRow.Configuration, cancellation);
        }
    }

    /// <summary>Publishes one file beside the configuration's. A name that the configuration holds is refused: it would be undone at the next start.</summary>
    /// <exception cref="InvalidOperationException">The configuration holds a workbook of that name.</exception>
    public async Task PublishAsync(TenantDefinition tenant, string file, string actor, CancellationToken cancellation)
    {
        var body = Publish(file, await File.ReadAllTextAsync(file, cancellation), await TargetAsync(tenant, cancellation));
        var published = await definitions.RowsAsync(tenant.Tenant.Id, DefinitionKind.Workbook, cancellation);
        if (published.Any(row => row.Name == body.Name && row.MadeBy == DefinitionRow.Configuration))
            throw new InvalidOperationException($"The workbook '{body.Name}' comes from the configuration, which decides about it. Change the file there, or publish under another name.");
        await definitions.PutAsync(tenant.Tenant.Id, body, actor, cancellation);
    }

    private async Task<PublishTarget> TargetAsync(TenantDefinition tenant, CancellationToken cancellation)
    {
        var policies = await definitions.RowsAsync(tenant.Tenant.Id, DefinitionKind.Policy, cancellation);
        return new(tenant.Connections, [.. policies.Select(row => PolicyRows.Read(row.Body, row.Revision))]);
    }

    private SeedBody Publish(string file, string text, PublishTarget target)
    {
        var report = publisher.Publish(text, target);
        return report.Value is { } workbook
            ? new(DefinitionKind.Workbook, workbook.Id.Value, workbook.ToBody())
            : throw new WorkbookException(file, report.Problems);
    }

    /// <summary>
    /// True when the configuration published this very text already, against policies that still stand: compiling its charts again takes a second.
    /// </summary>
    private static bool Stands(DefinitionRow row, string text, PublishTarget target) =>
        row.MadeBy == DefinitionRow.Configuration
        && PublishedWorkbook.TryRead(row.Body, row.Revision, out var workbook) && workbook.IsPublishedFrom(text)
        && workbook.Queries.All(query => query.Policies.All(stamp => target.Policies.Any(policy => policy.Stamp == stamp)));
}
