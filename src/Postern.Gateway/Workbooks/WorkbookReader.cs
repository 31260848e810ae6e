using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Text.RegularExpressions;
using Postern.Model;

namespace Postern.Gateway.Workbooks;

/// <summary>
/// Reads <c>*.workbook.yaml</c>: structure first, then everything that names something else. Unknown keys are refused; all problems are
/// told at once. Its rules and <c>workbook.schema.json</c> say the same; a test compares the two.
/// </summary>
internal static partial class WorkbookReader
{
    private const int MaxQueries = 64;
    private const int MaxPages = 20;

    private static readonly FrozenDictionary<string, IdentityMode> Identities = new Dictionary<string, IdentityMode>
    {
        ["user"] = IdentityMode.User,
        ["federated"] = IdentityMode.Federated,
        ["service"] = IdentityMode.Service,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The workbook, or all problems.</summary>
    public static WorkbookReport<Workbook> Read(string text)
    {
        var yaml = YamlText.Read(text);
        if (yaml.Problems.Count > 0)
            return WorkbookReport<Workbook>.Failed(yaml.Problems);

        var problems = new ProblemList(yaml);
        var root = ObjectReader.Over(yaml.Root, "", problems, "'workbook: name', 'schema: 1', 'title: …' and so on");
        var workbook = ReadRoot(root);
        if (workbook is not null)
            WorkbookRules.Check(workbook, problems);
        return problems.IsEmpty && workbook is not null ? WorkbookReport<Workbook>.Of(workbook) : WorkbookReport<Workbook>.Failed(InOrder(problems));
    }

    private static IEnumerable<WorkbookProblem> InOrder(ProblemList problems) =>
        problems.All.Distinct().OrderBy(problem => problem.Line ?? 0).ThenBy(problem => problem.Path, StringComparer.Ordinal);

    private static Workbook? ReadRoot(ObjectReader root)
    {
        var name = root.Text("workbook", required: true);
        if (!WorkbookId.TryParse(name, out var id) && name is not null)
            root.Problem("workbook", $"'{name}' is no workbook name.", Slug.Remedy("workbook", name));
        if (root.Integer("schema", 1, 1) is null && !root.Has("schema"))
            root.Problem("schema", "'schema' is missing.", "Add 'schema: 1'.");
        var title = root.Text("title", required: true);
        var connectionName = root.Text("connection", required: true);
        if (!ConnectionId.TryParse(connectionName, out var connection) && connectionName is not null)
            root.Problem("connection", $"'{connectionName}' is no connection name.", Slug.Remedy("connection", connectionName));

        var identities = ReadIdentities(root);
        var policies = root.Texts("policies", 20);
        foreach (var policy in policies.Where(policy => !Slug.IsValid(policy)))
            root.Problem("policies", $"'{policy}' is no policy name.", Slug.Remedy("policy", policy));
        if (identities.Contains(IdentityMode.Service) && policies.Count == 0)
            root.Problem("policies", "identity [service] needs row policies.", "Name them: 'policies: [one]'. Without them everybody would see all rows.");
        if (!identities.Contains(IdentityMode.Service) && root.Has("policies"))
            root.Problem("policies", "Row policies are for identity [service].", "Remove 'policies': the platform decides by the person's own permissions.");

        var controls = root.Members("controls", 40).Select(member => ControlReader.Read(member.Name, member.Node, member.Path, root.Problems)).ToList();
        var queries = root.Members("queries", MaxQueries).Select(member => ReadQuery(member.Name, ObjectReader.Over(member.Node, member.Path, root.Problems,
            "'sql: …' and 'columns: …'"))).ToList();
        if (queries.Count == 0)
            root.Problem("queries", "There is no query.", "Add 'queries:' with at least one.");
        var pages = root.Items("pages", MaxPages).Select(item => PageReader.Read(ObjectReader.Over(item.Node, item.Path, root.Problems,
            "'id: …', 'title: …' and 'rows: …'"))).ToList();
        if (pages.Count == 0)
            root.Problem("pages", "There is no page.", "Add 'pages:' with at least one.");
        root.Done();

        if (name is null || title is null || connectionName is null || controls.Contains(null) || queries.Contains(null) || pages.Contains(null))
            return null;
        return new(id, title, connection, identities, [.. policies], [.. controls!], [.. queries!], [.. pages!]);
    }

    private static ImmutableArray<IdentityMode> ReadIdentities(ObjectReader root)
    {
        var words = root.Texts("identity", 3);
        foreach (var word in words.Where(word => !Identities.ContainsKey(word)))
            root.Problem("identity", $"'{word}' is no identity.", "Use user, federated or service.");
        if (words.Count == 0)
            root.Problem("identity", "The accepted identities are missing.", "Add 'identity: [user]', or [user, federated], or [service]; there is no default.");
        if (words.Contains("service") && words.Count > 1)
        {
            root.Problem("identity", "service stands together with other identities.",
                "Write two workbooks: under 'service' Postern filters the rows, otherwise the platform does.");
        }
        return [.. words.Where(Identities.ContainsKey).Select(word => Identities[word])];
    }

    private static QueryDefinition? ReadQuery(string name, ObjectReader query)
    {
        var valid = NamePattern().IsMatch(name);
        if (!valid)
            query.Problems.Add(query.Path, $"'{name}' is no query name.", "Use a lower-case letter, then letters, digits and '_', at most 40.");
        var sql = query.Text("sql", required: true, maxLength: 20_000);
        var bind = query.Texts("bind", 40);
        var columns = new List<ColumnContract>();
        foreach (var member in query.Members("columns", 100))
        {
            var column = ObjectReader.Over(member.Node, member.Path, query.Problems, "'{type: string}'");
            if (!ColumnPattern().IsMatch(member.Name))
                query.Problems.Add(member.Path, $"'{member.Name}' is no column name.", "Use a letter or '_', then letters, digits and '_'; rename the column with AS.");
            var type = column.Word("type", ColumnTypes.ByName, required: true);
            var label = column.Text("label");
            var format = column.Text("format", maxLength: 40);
            column.Done();
            if (type is { } known)
                columns.Add(new(member.Name, known, label, format));
        }
        if (query.Node("columns") is null or System.Text.Json.Nodes.JsonObject { Count: 0 })
            query.Problem("columns", "The columns are missing.", "List every column of the result with its type: 'columns: {state: {type: string}}'.");
        var limit = query.Integer("limit", 1, 100_000) ?? 5_000;
        var timeout = ReadTimeout(query);
        query.Done();
        return valid && sql is not null ? new(name, sql, [.. bind], [.. columns], (int)limit, timeout) : null;
    }

    private static TimeSpan ReadTimeout(ObjectReader query)
    {
        var timeout = TimeSpan.FromSeconds(20);
        if (query.Text("timeout", maxLength: 10) is not { } text)
            return timeout;
        if (text.EndsWith('s') && text[0] != '0' && int.TryParse(text.AsSpan(0, text.Length - 1), System.Globalization.NumberStyles.None, null, out var seconds) && seconds is >= 1 and <= 300)
            return TimeSpan.FromSeconds(seconds);
        query.Problem("timeout", $"'{text}' is no time from 1s to 300s.", "Write seconds, such as 20s.");
        return timeout;
    }

    /// <summary>Names of controls, queries and pages; two underscores in a row are Postern's own.</summary>
    [GeneratedRegex("^[a-z](?:_?[a-z0-9]){0,39}\\z", RegexOptions.CultureInvariant)]
    internal static partial Regex NamePattern();

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]{0,127}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex ColumnPattern();
}

/// <summary>The words for column types.</summary>
internal static class ColumnTypes
{
    public static FrozenDictionary<string, ColumnType> ByName { get; } =
        Enum.GetValues<ColumnType>().ToFrozenDictionary(type => type.ToString().ToLowerInvariant(), StringComparer.Ordinal);
}
