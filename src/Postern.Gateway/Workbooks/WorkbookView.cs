using System.Globalization;
using System.Text.Json.Nodes;

namespace Postern.Gateway.Workbooks;

/// <summary>What a viewer's browser gets to know of a workbook: layout, controls, columns and compiled charts. No SQL, table, fragment or policy.</summary>
public static class WorkbookView
{
    /// <summary>The body of <c>GET /api/workbooks/{workbook}</c>. Locked controls are left out: the browser may not send them.</summary>
    public static JsonObject Of(PublishedWorkbook workbook, TimeProvider clock)
    {
        var visible = workbook.Controls.Where(control => control.HostMaySet != HostMaySet.Locked).ToList();
        var names = visible.Select(control => control.Name).ToHashSet(StringComparer.Ordinal);
        var charts = workbook.Charts.ToDictionary(chart => chart.Hash, chart => chart.Vega, StringComparer.Ordinal);
        return new JsonObject
        {
            ["id"] = workbook.Id.Value,
            ["title"] = workbook.Title,
            ["connection"] = workbook.Connection.Value,
            ["pages"] = Array(workbook.Pages, page => new JsonObject
            {
                ["id"] = page.Id,
                ["title"] = page.Title,
                ["controls"] = Array(page.Controls.Where(names.Contains), name => JsonValue.Create(name)),
                ["rows"] = Array(page.Rows, row => Array(row, tile => Of(tile, charts))),
            }),
            ["controls"] = new JsonObject(visible.Select(control => KeyValuePair.Create<string, JsonNode?>(control.Name, Of(control, clock)))),
            ["queries"] = new JsonObject(workbook.Queries.Select(query => KeyValuePair.Create<string, JsonNode?>(query.Name, new JsonObject
            {
                ["columns"] = new JsonObject(query.Columns.Select(column => KeyValuePair.Create<string, JsonNode?>(column.Name, Of(column)))),
                ["bind"] = Array(query.Bind.Where(names.Contains), name => JsonValue.Create(name)),
            }))),
        };
    }

    private static JsonObject Of(Control control, TimeProvider clock)
    {
        var view = new JsonObject
        {
            ["type"] = control switch { DateRangeControl => "date_range", IntControl => "int", ChoiceControl => "choice", _ => "string" },
            ["label"] = control.Label,
        };
        switch (control)
        {
            case DateRangeControl range:
                var (from, to) = range.Default.Resolve(clock);
                view["default"] = new JsonObject { ["from"] = Text(from), ["to"] = Text(to) };
                Add(view, "min", range.Min is { } min ? Text(min) : null);
                Add(view, "max", range.Max is { } max ? Text(max) : null);
                break;
            case IntControl number:
                view["default"] = number.Default;
                view["min"] = number.Min;
                view["max"] = number.Max;
                break;
            case ChoiceControl choice:
                view["default"] = choice.Default;
                view["choices"] = Array(choice.Choices, one => new JsonObject { ["key"] = one.Key, ["label"] = one.Label });
                break;
            case StringControl text:
                if (text.Many)
                    view["default"] = Array(text.Default, item => JsonValue.Create(item));
                else if (!text.Default.IsEmpty)
                    view["default"] = text.Default[0];
                if (text.Many)
                {
                    view["many"] = true;
                    view["maxItems"] = text.MaxItems;
                }
                if (text.Options is { } options)
                {
                    var source = new JsonObject { ["query"] = options.Query, ["value"] = options.Value };
                    Add(source, "label", options.Label);
                    view["options"] = source;
                }
                break;
        }
        return view;
    }

    private static JsonObject Of(ColumnContract column)
    {
        var view = new JsonObject { ["type"] = column.Type.ToString().ToLowerInvariant() };
        Add(view, "label", column.Label);
        Add(view, "format", column.Format);
        return view;
    }

    private static JsonObject Of(Tile tile, Dictionary<string, string> charts)
    {
        var view = new JsonObject
        {
            ["kind"] = tile switch { ValueTile => "value", ChartTile => "chart", _ => "table" },
            ["query"] = tile.Query,
            ["title"] = tile.Title,
        };
        Add(view, "describe", tile.Describe);
        if (tile.Span is { } span)
            view["span"] = span;
        switch (tile)
        {
            case ValueTile value:
                view["field"] = value.Field;
                Add(view, "format", value.Format);
                break;
            case ChartTile chart:
                view["spec"] = JsonNode.Parse(charts[chart.Spec.GetValue<string>()]);
                break;
            case TableTile table:
                view["columns"] = Array(table.Columns, name => JsonValue.Create(name));
                view["page"] = table.PageSize;
                view["export"] = Array(table.Export, format => JsonValue.Create(format));
                break;
        }
        return view;
    }

    private static void Add(JsonObject view, string name, string? value)
    {
        if (value is not null)
            view[name] = value;
    }

    private static JsonArray Array<T>(IEnumerable<T> items, Func<T, JsonNode?> view) => [.. items.Select(view)];

    private static string Text(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
