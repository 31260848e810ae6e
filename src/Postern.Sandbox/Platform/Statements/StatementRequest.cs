using System.Globalization;
using System.Text.Json;
using Postern.Sandbox.Platform.Sql;

namespace Postern.Sandbox.Platform.Statements;

/// <summary>An execute request after its fields were checked.</summary>
internal sealed record StatementRequest(
    string Sql,
    IReadOnlyList<StatementParameter> Parameters,
    string Disposition,
    string Format,
    TimeSpan Wait,
    bool CancelAfterWait,
    long? RowLimit,
    long? ByteLimit)
{
    /// <summary>Results that travel in the reply whatever their size.</summary>
    public bool Inline => Disposition == "INLINE";

    /// <summary>Results that travel in the reply when they fit into one chunk, else as links.</summary>
    public bool Hybrid => Disposition == "INLINE_OR_EXTERNAL_LINKS";

    /// <summary>Reads the body of an execute request.</summary>
    /// <param name="body">A JSON object; unknown fields are ignored, as the real platform does.</param>
    /// <param name="options">The limits.</param>
    /// <param name="request">The request.</param>
    /// <param name="why">The message of an <c>INVALID_PARAMETER_VALUE</c>.</param>
    public static bool TryRead(JsonElement body, PlatformOptions options, out StatementRequest request, out string why)
    {
        request = null!;
        var fields = new Fields(body);
        var sql = fields.Text("statement");
        var warehouse = fields.Text("warehouse_id");
        var disposition = fields.Choice("disposition", "INLINE", "EXTERNAL_LINKS", "INLINE_OR_EXTERNAL_LINKS");
        var format = fields.Choice("format", "JSON_ARRAY", "ARROW_STREAM", "CSV");
        var onTimeout = fields.Choice("on_wait_timeout", "CONTINUE", "CANCEL");
        var wait = fields.Wait();
        var rows = fields.Limit("row_limit");
        var bytes = fields.Limit("byte_limit");
        var catalog = fields.Text("catalog");
        var schema = fields.Text("schema");
        var parameters = fields.Parameters();

        why = fields.Fault
            ?? (string.IsNullOrWhiteSpace(warehouse) ? "warehouse_id is required."
            : warehouse != options.WarehouseId ? $"{warehouse} is not a valid endpoint id."
            : string.IsNullOrEmpty(sql) ? "statement is required."
            : sql.Length > options.MaxStatementLength
                ? $"The statement text exceeds the sandbox's limit of {options.MaxStatementLength} characters."
            : catalog is not null && Ascii.Fold(catalog) != Catalog.Name ? $"Catalog '{catalog}' does not exist."
            : schema is not null && Ascii.Fold(schema) != Catalog.Schema ? $"Schema '{schema}' does not exist."
            : disposition == "INLINE" && format != "JSON_ARRAY"
                ? $"The format {format} is not supported with disposition INLINE; use EXTERNAL_LINKS."
            : wait == TimeSpan.Zero && onTimeout == "CANCEL" ? "on_wait_timeout CANCEL has no meaning when wait_timeout is 0s."
            : "");
        if (why.Length > 0)
            return false;
        request = new(sql!, parameters, disposition, format, wait, onTimeout == "CANCEL", rows, bytes);
        return true;
    }

    /// <summary>Reads fields one by one and remembers the first that is wrong.</summary>
    private sealed class Fields(JsonElement body)
    {
        public string? Fault { get; private set; }

        public string? Text(string name) => Get(name, JsonValueKind.String)?.GetString();

        public string Choice(string name, string standard, params string[] others)
        {
            var value = Text(name) ?? standard;
            if (value != standard && !others.Contains(value))
                Fault ??= $"{name} must be one of {standard}, {string.Join(", ", others)}.";
            return value;
        }

        public TimeSpan Wait()
        {
            var text = Text("wait_timeout") ?? "10s";
            if (text.EndsWith('s')
                && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
                && seconds is 0 or >= 5 and <= 50)
                return TimeSpan.FromSeconds(seconds);
            Fault ??= "wait_timeout must be 0s or between 5s and 50s.";
            return default;
        }

        public long? Limit(string name)
        {
            if (!body.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
                return null;
            // Protobuf's JSON mapping writes 64-bit numbers as text; readers take both.
            var read = value.ValueKind == JsonValueKind.String
                ? long.TryParse(value.GetString(), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                : value.TryGetInt64Safe(out number);
            if (!read || number <= 0)
                Fault ??= $"{name} must be a positive number.";
            return number;
        }

        public IReadOnlyList<StatementParameter> Parameters()
        {
            if (Get("parameters", JsonValueKind.Array) is not { } list)
                return [];
            var parameters = new List<StatementParameter>();
            foreach (var item in list.EnumerateArray())
            {
                var fields = new Fields(item);
                if (item.ValueKind != JsonValueKind.Object)
                {
                    Fault ??= "A parameter must be an object.";
                }
                else if (StatementParameter.TryCreate(fields.Text("name"), fields.Text("value"), fields.Text("type"), out var parameter, out var why)
                    && fields.Fault is null)
                {
                    if (parameters.Exists(other => other.Name == parameter.Name))
                        Fault ??= $"Parameter '{parameter.Name}' is given twice.";
                    parameters.Add(parameter);
                }
                else
                {
                    Fault ??= fields.Fault ?? why;
                }
            }

            return parameters;
        }

        private JsonElement? Get(string name, JsonValueKind kind)
        {
            if (!body.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
                return null;
            if (value.ValueKind == kind)
                return value;
            Fault ??= $"{name} must be {(kind == JsonValueKind.Array ? "an array" : "a string")}.";
            return null;
        }
    }
}

/// <summary>Reading numbers without exceptions.</summary>
internal static class JsonNumbers
{
    /// <summary>The number, where the element is one that fits.</summary>
    public static bool TryGetInt64Safe(this JsonElement element, out long number)
    {
        number = 0;
        return element.ValueKind == JsonValueKind.Number && element.TryGetInt64(out number);
    }
}
