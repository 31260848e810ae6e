using System.Collections.Frozen;
using System.Text.Json.Nodes;

namespace Postern.Gateway.Workbooks;

/// <summary>Something a chart may not contain, with its path below the chart (<c>.encoding.url</c>).</summary>
internal sealed record ChartProblem(string Path, string Problem, string Remedy);

/// <summary>
/// What a chart may not contain: data of its own, anything that loads from an address or links to one, maps, and elements outside the
/// chart. Checked on the author's Vega-Lite and again on the compiled Vega, so that nothing the compiler adds slips through.
/// </summary>
internal static class ChartRules
{
    private const int MaxNodes = 5_000;

    private static readonly FrozenSet<string> RefusedInLite = FrozenSet.ToFrozenSet(
        ["data", "datasets", "url", "href", "usermeta", "$schema", "loader", "baseurl", "projection", "geo", "image", "shape_url", "element", "cursor_url"],
        StringComparer.OrdinalIgnoreCase);

    private static readonly FrozenSet<string> RefusedInVega = FrozenSet.ToFrozenSet(
        ["url", "href", "usermeta", "$schema", "loader", "baseurl", "projections", "element"], StringComparer.OrdinalIgnoreCase);

    private static readonly FrozenSet<string> RefusedTypes = FrozenSet.ToFrozenSet(["image", "geoshape", "geojson", "graticule", "sphere"], StringComparer.OrdinalIgnoreCase);

    private static readonly string[] Addresses = ["http:", "https:", "ftp:", "file:", "data:", "javascript:", "blob:", "//"];

    /// <summary>Problems of the author's Vega-Lite. The top-level <c>$schema</c> is allowed; the compiler drops it.</summary>
    public static IReadOnlyList<ChartProblem> Check(JsonObject lite)
    {
        var problems = new List<ChartProblem>();
        var nodes = 0;
        foreach (var (name, value) in lite)
        {
            if (!string.Equals(name, "$schema", StringComparison.Ordinal))
                Walk(name, value, "", RefusedInLite, problems, ref nodes);
        }
        return problems;
    }

    /// <summary>Problems of a compiled Vega specification.</summary>
    public static IReadOnlyList<ChartProblem> CheckCompiled(JsonObject vega)
    {
        var problems = new List<ChartProblem>();
        var nodes = int.MinValue;
        foreach (var (name, value) in vega)
            Walk(name, value, "", RefusedInVega, problems, ref nodes);
        return problems;
    }

    /// <summary>The columns a chart names, with their paths.</summary>
    public static IEnumerable<(string Name, string Path)> Fields(JsonNode? node, string path = "") => Named(node, path, "field");

    /// <summary>The columns a chart's transforms make.</summary>
    public static IEnumerable<string> Produced(JsonNode? node)
    {
        foreach (var (name, _) in Named(node, "", "as"))
            yield return name;
        if (node is JsonObject chart && chart["transform"] is JsonArray transforms && transforms.Any(transform => transform is JsonObject fold && fold.ContainsKey("fold")))
        {
            yield return "key";
            yield return "value";
        }
    }

    private static IEnumerable<(string Name, string Path)> Named(JsonNode? node, string path, string wanted)
    {
        switch (node)
        {
            case JsonObject members:
                foreach (var (name, value) in members)
                {
                    if (string.Equals(name, wanted, StringComparison.Ordinal))
                    {
                        foreach (var text in value is JsonArray several ? [.. several] : new[] { value })
                        {
                            if (text is JsonValue scalar && scalar.TryGetValue<string>(out var column))
                                yield return (column, $"{path}.{name}");
                        }
                    }
                    foreach (var inner in Named(value, $"{path}.{name}", wanted))
                        yield return inner;
                }
                break;
            case JsonArray items:
                for (var i = 0; i < items.Count; i++)
                {
                    foreach (var inner in Named(items[i], YamlText.Item(path, i), wanted))
                        yield return inner;
                }
                break;
        }
    }

    private static void Walk(string name, JsonNode? node, string parent, FrozenSet<string> refused, List<ChartProblem> problems, ref int nodes)
    {
        var path = name.StartsWith('[') ? parent + name : $"{parent}.{name}";
        if (++nodes > MaxNodes)
        {
            if (nodes == MaxNodes + 1)
                problems.Add(new("", $"The chart has more than {MaxNodes} parts.", "Simplify it."));
            return;
        }
        if (refused.Contains(name))
        {
            problems.Add(new(path, $"'{name}' is not possible in a chart.",
                "Remove it: the rows of the tile's query are its only data, and it neither loads nor links to anything."));
            return;
        }
        switch (node)
        {
            case JsonObject members:
                if (string.Equals(name, "bind", StringComparison.Ordinal))
                    problems.Add(new(path, "A parameter is bound to an input element.", "Use a control of the workbook; 'bind: scales' is possible."));
                foreach (var (member, value) in members)
                    Walk(member, value, path, refused, problems, ref nodes);
                break;
            case JsonArray items:
                for (var i = 0; i < items.Count; i++)
                    Walk(YamlText.Item("", i), items[i], path, refused, problems, ref nodes);
                break;
            case JsonValue scalar when scalar.TryGetValue<string>(out var text):
                var trimmed = text.TrimStart();
                if (Addresses.Any(address => trimmed.StartsWith(address, StringComparison.OrdinalIgnoreCase)))
                    problems.Add(new(path, "An address stands in the chart.", "Remove it: a chart neither loads nor links to anything."));
                if (string.Equals(name, "bind", StringComparison.Ordinal) && text is not ("scales" or "legend"))
                    problems.Add(new(path, "A parameter is bound to an input element.", "Use a control of the workbook; 'bind: scales' is possible."));
                if (name is "type" or "mark" && RefusedTypes.Contains(text))
                    problems.Add(new(path, $"The mark '{text}' is not possible.", "Use line, area, bar, point, rect, rule, text, tick or arc."));
                break;
        }
    }
}
