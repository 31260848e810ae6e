using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Postern.Model;
using Postern.Policy;

namespace Postern.Gateway.Workbooks;

/// <summary>Where a workbook is published to: what its names must fit.</summary>
/// <param name="Connections">The tenant's connections.</param>
/// <param name="Policies">The tenant's table policies.</param>
public sealed record PublishTarget(ImmutableArray<Connection> Connections, ImmutableArray<TablePolicy> Policies);

/// <summary>Turns workbook files into published workbooks, or into a list of everything that is wrong with them.</summary>
/// <param name="charts">Compiles charts.</param>
public sealed class WorkbookPublisher(ChartCompiler charts)
{
    /// <summary>
    /// Reads a file and checks it in itself: structure, names, SQL, charts. Needs no tenant; under identity <c>service</c> the SQL's tables
    /// are left to <see cref="Publish"/>, which knows the policies.
    /// </summary>
    public WorkbookReport<Workbook> Validate(string text)
    {
        var read = WorkbookReader.Read(text);
        if (read.Value is not { } workbook)
            return read;
        var problems = new ProblemList(YamlText.Read(text));
        Compile(workbook, [], problems);
        return problems.IsEmpty ? read : WorkbookReport<Workbook>.Failed(problems.All);
    }

    /// <summary>
    /// 1 reads and checks the file; 2 checks it against the tenant; 3 expands every query into its texts; 4 compiles the charts.
    /// </summary>
    public WorkbookReport<PublishedWorkbook> Publish(string text, PublishTarget target)
    {
        // 1
        var read = WorkbookReader.Read(text);
        if (read.Value is not { } workbook)
            return WorkbookReport<PublishedWorkbook>.Failed(read.Problems);
        var problems = new ProblemList(YamlText.Read(text));
        // 2
        CheckTarget(workbook, target, problems);
        // 3
        var queries = Expand(workbook, target, problems);
        // 4
        var compiled = new SortedDictionary<string, CompiledChart>(StringComparer.Ordinal);
        var pages = Compile(workbook, compiled, problems);

        return problems.IsEmpty
            ? WorkbookReport<PublishedWorkbook>.Of(new(workbook.Id, workbook.Title, workbook.Connection, workbook.Identities, Sha256.Hex(text),
                workbook.Controls, queries, pages, [.. compiled.Values]))
            : WorkbookReport<PublishedWorkbook>.Failed(problems.All);
    }

    private static void CheckTarget(Workbook workbook, PublishTarget target, ProblemList problems)
    {
        var connection = target.Connections.FirstOrDefault(candidate => candidate.Id == workbook.Connection);
        if (connection is null)
            problems.Add("connection", $"The tenant has no connection '{workbook.Connection}'.", "Correct the name, or add the connection first.");
        else if (!workbook.Identities.Contains(connection.Identity))
        {
            problems.Add("identity", $"The connection '{connection.Id}' runs under '{connection.Identity.ToString().ToLowerInvariant()}'.",
                "Name that identity, or use another connection; there is no falling back.");
        }
        foreach (var name in workbook.Policies.Where(name => target.Policies.All(policy => !string.Equals(policy.Name, name, StringComparison.Ordinal))))
            problems.Add("policies", $"The tenant has no policy '{name}'.", "Correct the name, or add the policy first.");
    }

    private static ImmutableArray<PublishedQuery> Expand(Workbook workbook, PublishTarget target, ProblemList problems)
    {
        ImmutableArray<TablePolicy>? policies = workbook.Identities.Contains(IdentityMode.Service) ? target.Policies : null;
        foreach (var policy in policies ?? [])
        {
            foreach (var problem in RowFilterSql.Problems(policy))
                problems.Add("policies", $"The policy '{policy.Name}' cannot be written as SQL: {problem}.", "Correct the policy.");
        }
        if (!problems.IsEmpty)
            return [];

        var queries = ImmutableArray.CreateBuilder<PublishedQuery>();
        var applied = new HashSet<string>(StringComparer.Ordinal);
        foreach (var query in workbook.Queries)
        {
            // The reader already read this SQL without a problem.
            var template = SqlTemplate.Read(query.Sql, workbook.Controls).Template!;
            var (published, found) = new SqlExpander(query, template, workbook.Controls, policies).Expand();
            foreach (var problem in found)
                problems.Add($"queries.{query.Name}.sql", $"Line {problem.Line} of the SQL: {problem.Problem}", problem.Remedy);
            if (published is null)
                continue;
            queries.Add(published);
            applied.UnionWith(published.Policies.Select(stamp => stamp.Name));
            if (policies is not null && published.Policies.IsEmpty)
                problems.Add($"queries.{query.Name}.sql", "No policy applies to this query.", "Read at least one protected table with [rows table alias]; everybody would see the same rows otherwise.");
        }
        foreach (var name in applied.Except(workbook.Policies))
            problems.Add("policies", $"The policy '{name}' applies to a query, but is not named.", "Add it to 'policies'.");
        if (problems.IsEmpty)
        {
            foreach (var name in workbook.Policies.Except(applied))
                problems.Add("policies", $"The policy '{name}' applies to no query.", "Remove it, or read its table with [rows table alias].");
        }
        return queries.ToImmutable();
    }

    private ImmutableArray<Page> Compile(Workbook workbook, SortedDictionary<string, CompiledChart> compiled, ProblemList problems) =>
        [.. workbook.Pages.Select((page, i) => Compile(page, YamlText.Item("pages", i), compiled, problems))];

    private Page Compile(Page page, string path, SortedDictionary<string, CompiledChart> compiled, ProblemList problems) => page with
    {
        Rows = [.. page.Rows.Select((row, i) => row.Select((tile, j) =>
            tile is ChartTile chart ? Compile(chart, $"{path}.rows[{i}][{j}].chart", compiled, problems) : tile).ToImmutableArray())],
    };

    private ChartTile Compile(ChartTile tile, string path, SortedDictionary<string, CompiledChart> compiled, ProblemList problems)
    {
        var (chart, found) = charts.Compile(tile.Spec.AsObject());
        foreach (var problem in found)
            problems.Add(path + problem.Path, problem.Problem, problem.Remedy);
        if (chart is null)
            return tile;
        compiled[chart.Hash] = chart;
        return tile with { Spec = JsonValue.Create(chart.Hash) };
    }
}
