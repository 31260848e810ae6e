using Postern.Model;

namespace Postern.Gateway.Workbooks;

/// <summary>Checks whatever names something else in a workbook, and the SQL of every query.</summary>
internal static class WorkbookRules
{
    /// <summary>Notes all problems.</summary>
    public static void Check(Workbook workbook, ProblemList problems)
    {
        var queries = workbook.Queries.ToDictionary(query => query.Name, StringComparer.Ordinal);
        foreach (var query in workbook.Queries)
            CheckQuery(workbook, query, problems);
        foreach (var control in workbook.Controls.OfType<StringControl>())
            CheckOptions(control, queries, problems);
        var pageIds = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < workbook.Pages.Length; i++)
            CheckPage(workbook, workbook.Pages[i], YamlText.Item("pages", i), pageIds, queries, problems);
    }

    private static void CheckQuery(Workbook workbook, QueryDefinition query, ProblemList problems)
    {
        var path = YamlText.Member("queries", query.Name);
        var sqlPath = YamlText.Member(path, "sql");
        foreach (var name in query.Bind.Where(name => workbook.FindControl(name) is null))
            problems.Add(YamlText.Member(path, "bind"), $"There is no control '{name}'.", "Correct the name, or add the control.");
        var (template, sqlProblems) = SqlTemplate.Read(query.Sql, workbook.Controls);
        AddAll(sqlProblems, sqlPath, problems);
        if (template is null)
            return;
        foreach (var name in template.Used.Except(query.Bind))
            problems.Add(YamlText.Member(path, "bind"), $"The SQL uses '{name}', which is not bound.", $"Add it: 'bind: [{string.Join(", ", template.Used)}]'.");
        foreach (var name in query.Bind.Where(name => workbook.FindControl(name) is not null && !template.Used.Contains(name)))
            problems.Add(YamlText.Member(path, "bind"), $"'{name}' is bound, but the SQL does not use it.", "Remove it from 'bind', or use it.");

        // Where Postern enforces policies, [rows …] can be judged only against the tenant's policies: the publisher does that.
        if (!workbook.Identities.Contains(IdentityMode.Service))
            AddAll(new SqlExpander(query, template, workbook.Controls, policies: null).Expand().Problems, sqlPath, problems);
    }

    private static void AddAll(IEnumerable<SqlProblem> found, string path, ProblemList problems)
    {
        foreach (var problem in found)
            problems.Add(path, $"Line {problem.Line} of the SQL: {problem.Problem}", problem.Remedy);
    }

    private static void CheckOptions(StringControl control, Dictionary<string, QueryDefinition> queries, ProblemList problems)
    {
        if (control.Options is not { } options)
            return;
        var path = $"controls.{control.Name}.options";
        if (!queries.TryGetValue(options.Query, out var query))
        {
            problems.Add(YamlText.Member(path, "query"), $"There is no query '{options.Query}'.", "Correct the name, or add the query.");
            return;
        }
        CheckColumn(query, options.Value, YamlText.Member(path, "value"), problems);
        if (options.Label is { } label)
            CheckColumn(query, label, YamlText.Member(path, "label"), problems);
        if (query.Bind.Contains(control.Name))
            problems.Add(YamlText.Member(path, "query"), $"'{query.Name}' depends on this very control.", "Use a query that does not bind it.");
    }

    private static void CheckPage(
        Workbook workbook, Page page, string path, HashSet<string> pageIds, Dictionary<string, QueryDefinition> queries, ProblemList problems)
    {
        if (!pageIds.Add(page.Id))
            problems.Add(YamlText.Member(path, "id"), $"There is another page '{page.Id}'.", "Give each page its own id.");
        foreach (var name in page.Controls.Where(name => workbook.FindControl(name) is null))
            problems.Add(YamlText.Member(path, "controls"), $"There is no control '{name}'.", "Correct the name, or add the control.");
        for (var row = 0; row < page.Rows.Length; row++)
        {
            for (var i = 0; i < page.Rows[row].Length; i++)
                CheckTile(page.Rows[row][i], YamlText.Item(YamlText.Item(YamlText.Member(path, "rows"), row), i), queries, problems);
        }
    }

    private static void CheckTile(Tile tile, string path, Dictionary<string, QueryDefinition> queries, ProblemList problems)
    {
        if (!queries.TryGetValue(tile.Query, out var query))
        {
            problems.Add(YamlText.Member(path, "query"), $"There is no query '{tile.Query}'.", "Correct the name, or add the query.");
            return;
        }
        switch (tile)
        {
            case ValueTile value:
                CheckColumn(query, value.Field, YamlText.Member(path, "value.field"), problems);
                break;
            case TableTile table:
                foreach (var column in table.Columns)
                    CheckColumn(query, column, YamlText.Member(path, "table.columns"), problems);
                break;
            case ChartTile chart:
                var known = query.Columns.Select(column => column.Name).Concat(ChartRules.Produced(chart.Spec)).ToHashSet(StringComparer.Ordinal);
                foreach (var field in ChartRules.Fields(chart.Spec).Where(field => !known.Contains(field.Name)))
                {
                    problems.Add(YamlText.Member(path, "chart") + field.Path, $"The query '{query.Name}' has no column '{field.Name}'.",
                        $"Use one of {string.Join(", ", query.Columns.Select(column => column.Name))}, or make it in a transform.");
                }
                break;
        }
    }

    private static void CheckColumn(QueryDefinition query, string column, string path, ProblemList problems)
    {
        if (query.Columns.All(known => !string.Equals(known.Name, column, StringComparison.Ordinal)))
            problems.Add(path, $"The query '{query.Name}' has no column '{column}'.", $"Use one of {string.Join(", ", query.Columns.Select(known => known.Name))}.");
    }
}
