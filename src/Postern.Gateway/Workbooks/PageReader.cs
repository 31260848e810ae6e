using System.Collections.Immutable;
using System.Text.Json.Nodes;

namespace Postern.Gateway.Workbooks;

/// <summary>Reads one page of a workbook file.</summary>
internal static class PageReader
{
    /// <summary>The page, or null when it has no name; problems are noted either way.</summary>
    public static Page? Read(ObjectReader page)
    {
        var id = page.Text("id", required: true, maxLength: 40);
        if (id is not null && !WorkbookReader.NamePattern().IsMatch(id))
            page.Problem("id", $"'{id}' is no page name.", "Use a lower-case letter, then letters, digits and single '_', at most 40.");
        var title = page.Text("title", required: true);
        var controls = page.Texts("controls", 40);
        var rows = ImmutableArray.CreateBuilder<ImmutableArray<Tile>>();
        foreach (var (node, path) in page.Items("rows", 40))
        {
            if (node is not JsonArray { Count: >= 1 and <= 12 } tiles)
            {
                page.Problems.Add(path, "A row is a list of 1 to 12 tiles.", "Write '- - {query: …, …}'.");
                continue;
            }
            var row = ImmutableArray.CreateBuilder<Tile>();
            for (var i = 0; i < tiles.Count; i++)
            {
                if (ReadTile(ObjectReader.Over(tiles[i], YamlText.Item(path, i), page.Problems, "'{query: …, title: …, value: {field: …}}'")) is { } tile)
                    row.Add(tile);
            }
            if (row.Sum(tile => tile.Span ?? 1) > 12)
                page.Problems.Add(path, "The spans of a row add up to more than 12.", "Give the tiles smaller spans, or begin another row.");
            rows.Add(row.ToImmutable());
        }
        if (rows.Count == 0)
            page.Problem("rows", "The page has no tiles.", "Add 'rows:' with at least one row.");
        page.Done();
        return id is not null && title is not null ? new(id, title, [.. controls], rows.ToImmutable()) : null;
    }

    private static Tile? ReadTile(ObjectReader tile)
    {
        var query = tile.Text("query", required: true);
        var title = tile.Text("title", required: true);
        var describe = tile.Text("describe", maxLength: 500);
        var span = (int?)tile.Integer("span", 1, 12);
        var kinds = new[] { "value", "chart", "table" }.Where(tile.Has).ToList();
        if (kinds.Count != 1)
        {
            tile.Problems.Add(tile.Path, "A tile is exactly one of value, chart and table.", "Keep one of the three.");
            return null;
        }
        Tile? result = kinds[0] switch
        {
            "value" => ReadValue(tile, query ?? "", title ?? "", describe, span),
            "chart" => ReadChart(tile, query ?? "", title ?? "", describe, span),
            _ => ReadTable(tile, query ?? "", title ?? "", describe, span),
        };
        tile.Done();
        return query is null || title is null ? null : result;
    }

    private static ValueTile? ReadValue(ObjectReader tile, string query, string title, string? describe, int? span)
    {
        var value = ObjectReader.Over(tile.Node("value"), tile.At("value"), tile.Problems, "'value: {field: flights}'");
        var field = value.Text("field", required: true);
        var format = value.Text("format", maxLength: 40);
        value.Done();
        return field is null ? null : new(query, title, describe, span, field, format);
    }

    private static ChartTile? ReadChart(ObjectReader tile, string query, string title, string? describe, int? span)
    {
        if (describe is null && !tile.Has("describe"))
            tile.Problem("describe", "A chart has no description.", "Add 'describe: …': one sentence for people who do not see the picture.");
        if (tile.Node("chart") is not JsonObject spec || spec.Count == 0)
        {
            tile.Problem("chart", "The chart is no Vega-Lite object.", "Write 'chart: {mark: line, encoding: {…}}', without data.");
            return null;
        }
        foreach (var problem in ChartRules.Check(spec))
            tile.Problems.Add(tile.At("chart") + problem.Path, problem.Problem, problem.Remedy);
        return new(query, title, describe, span, spec.DeepClone());
    }

    private static TableTile ReadTable(ObjectReader tile, string query, string title, string? describe, int? span)
    {
        var table = ObjectReader.Over(tile.Node("table"), tile.At("table"), tile.Problems, "'table: {columns: [state, flights], page: 50}'");
        var columns = table.Texts("columns", 100);
        if (columns.Count == 0)
            table.Problem("columns", "The table shows no columns.", "Name them: 'columns: [state, flights]'.");
        var page = table.Integer("page", 1, 1_000) ?? 50;
        table.Done();
        var export = tile.Texts("export", 2);
        foreach (var format in export.Where(format => format is not ("csv" or "arrow")))
            tile.Problem("export", $"'{format}' is no export format.", "Use csv or arrow.");
        return new(query, title, describe, span, [.. columns], (int)page, [.. export]);
    }
}
