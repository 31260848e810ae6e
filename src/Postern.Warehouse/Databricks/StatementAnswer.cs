using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;

namespace Postern.Warehouse.Databricks;

/// <summary>Where a statement stands at the platform.</summary>
internal enum StatementState
{
    Unknown,
    Pending,
    Running,
    Succeeded,
    Failed,
    Canceled,
    /// <summary>Succeeded, and the result is already released: success without rows to fetch.</summary>
    Closed,
}

/// <summary>A column of the manifest.</summary>
internal sealed record ManifestColumn(string Name, string TypeName, string TypeText, int Precision, int Scale);

/// <summary>What the platform announces about a result.</summary>
internal sealed record ResultManifest(
    string? Format, string? Compression, ImmutableArray<ManifestColumn> Columns, int ChunkCount, long? TotalRows, bool Truncated);

/// <summary>A presigned link to one chunk. The address is a capability: it is never logged and never leaves the driver.</summary>
internal sealed record ChunkLink(
    int Index, long? Rows, Uri Address, DateTimeOffset? Expires, ImmutableArray<KeyValuePair<string, string>> Headers)
{
    public override string ToString() => $"chunk {Index} [redacted]";
}

/// <summary>The answer to an execute, poll or chunk request, read leniently: what is missing or of another type is absent.</summary>
internal sealed record StatementAnswer(
    string? StatementId, StatementState State, string? ErrorCode, string? ErrorMessage, string? SqlState, ResultManifest? Manifest,
    ImmutableArray<ChunkLink> Links, bool HasInlineRows)
{
    /// <summary>Reads an answer; null when it is not a JSON object.</summary>
    public static StatementAnswer? Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                return null;
            var status = root.Member("status");
            var error = status.Member("error");
            // A chunk answer is the result object itself; the others wrap it.
            var result = root.Member("result") is { ValueKind: JsonValueKind.Object } wrapped ? wrapped : root;
            return new(
                root.Text("statement_id"), ReadState(status.Text("state")),
                error.Text("error_code"), error.Text("message"), status.Text("sql_state"),
                ReadManifest(root.Member("manifest")), ReadLinks(result),
                result.Member("data_array").ValueKind == JsonValueKind.Array || result.Member("attachment").ValueKind == JsonValueKind.String);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static StatementState ReadState(string? text) => text switch
    {
        "PENDING" => StatementState.Pending,
        "RUNNING" => StatementState.Running,
        "SUCCEEDED" => StatementState.Succeeded,
        "FAILED" => StatementState.Failed,
        "CANCELED" => StatementState.Canceled,
        "CLOSED" => StatementState.Closed,
        _ => StatementState.Unknown,
    };

    private static ResultManifest? ReadManifest(JsonElement manifest)
    {
        if (manifest.ValueKind != JsonValueKind.Object)
            return null;
        var columns = ImmutableArray.CreateBuilder<ManifestColumn>();
        foreach (var column in manifest.Member("schema").Member("columns").Items())
        {
            var typeName = column.Text("type_name") ?? "STRING";
            columns.Add(new(
                column.Text("name") ?? "", typeName, column.Text("type_text") ?? typeName,
                (int)(column.Number("type_precision") ?? 38), (int)(column.Number("type_scale") ?? 0)));
        }
        return new(
            manifest.Text("format"), manifest.Text("result_compression"), columns.ToImmutable(),
            (int)(manifest.Number("total_chunk_count") ?? 0), manifest.Number("total_row_count"),
            manifest.Member("truncated").ValueKind == JsonValueKind.True);
    }

    private static ImmutableArray<ChunkLink> ReadLinks(JsonElement result)
    {
        var links = ImmutableArray.CreateBuilder<ChunkLink>();
        foreach (var link in result.Member("external_links").Items())
        {
            if (link.Number("chunk_index") is not { } index || !Uri.TryCreate(link.Text("external_link"), UriKind.Absolute, out var address))
                continue;
            var expires = DateTimeOffset.TryParse(
                link.Text("expiration"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at : (DateTimeOffset?)null;
            var headers = ImmutableArray.CreateBuilder<KeyValuePair<string, string>>();
            if (link.Member("http_headers") is { ValueKind: JsonValueKind.Object } given)
            {
                foreach (var header in given.EnumerateObject())
                {
                    if (header.Value.ValueKind == JsonValueKind.String)
                        headers.Add(new(header.Name, header.Value.GetString()!));
                }
            }
            links.Add(new((int)index, link.Number("row_count"), address, expires, headers.ToImmutable()));
        }
        return links.ToImmutable();
    }
}

/// <summary>Reading JSON of which nothing is certain.</summary>
internal static class LenientJson
{
    public static JsonElement Member(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value : default;

    public static string? Text(this JsonElement element, string name) =>
        element.Member(name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    /// <summary>A whole number that is not negative and fits; 2^31 - 1 is beyond any count of chunks and 2^53 beyond any of rows.</summary>
    public static long? Number(this JsonElement element, string name) =>
        element.Member(name) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt64(out var number) && number is >= 0 and <= 1L << 53
            ? number : null;

    public static IEnumerable<JsonElement> Items(this JsonElement element) =>
        element.ValueKind == JsonValueKind.Array ? element.EnumerateArray() : [];
}
