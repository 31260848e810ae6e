using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Postern.Sandbox.Platform.Results;
using Postern.Sandbox.Platform.Statements;

namespace Postern.Sandbox.Platform;

/// <summary>Writes what the API says about a statement: status, manifest and the first (or another) chunk.</summary>
internal sealed class StatementReply(PresignedLinks links)
{
    private static readonly JsonWriterOptions Json = new() { SkipValidation = true };

    /// <summary>The reply of execute and poll.</summary>
    public async Task WriteAsync(HttpContext context, Statement statement)
    {
        var (state, fault, result) = statement.Look();
        await using var json = Begin(context);
        json.WriteStartObject();
        json.WriteString("statement_id", statement.Id);
        json.WriteStartObject("status");
        json.WriteString("state", state.ToString().ToUpperInvariant());
        if (fault is not null)
        {
            json.WriteStartObject("error");
            json.WriteString("error_code", fault.ErrorCode);
            json.WriteString("message", fault.Message);
            json.WriteEndObject();
            if (fault.SqlState is not null)
                json.WriteString("sql_state", fault.SqlState);
        }

        json.WriteEndObject();
        if (result is not null)
        {
            WriteManifest(json, statement, result);
            json.WritePropertyName("result");
            WriteChunk(json, context, statement, result, result.Spool.Chunks[0], first: true);
        }

        json.WriteEndObject();
        await json.FlushAsync(context.RequestAborted);
    }

    /// <summary>The reply of a chunk request.</summary>
    public async Task WriteChunkAsync(HttpContext context, Statement statement, StatementResult result, Chunk chunk)
    {
        await using var json = Begin(context);
        WriteChunk(json, context, statement, result, chunk, first: false);
        await json.FlushAsync(context.RequestAborted);
    }

    private static Utf8JsonWriter Begin(HttpContext context)
    {
        context.Response.ContentType = "application/json";
        return new Utf8JsonWriter(context.Response.BodyWriter, Json);
    }

    private static bool ByLinks(Statement statement, StatementResult result) =>
        !statement.Request.Inline && !(statement.Request.Hybrid && result.Spool.Chunks.Count == 1);

    private static void WriteManifest(Utf8JsonWriter json, Statement statement, StatementResult result)
    {
        var byLinks = ByLinks(statement, result);
        json.WriteStartObject("manifest");
        json.WriteString("format", statement.Request.Format);
        json.WriteStartObject("schema");
        json.WriteNumber("column_count", result.Columns.Count);
        json.WriteStartArray("columns");
        for (var position = 0; position < result.Columns.Count; position++)
            WriteColumn(json, result.Columns[position], position);
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteNumber("total_chunk_count", result.Spool.Chunks.Count);
        json.WriteStartArray("chunks");
        foreach (var chunk in result.Spool.Chunks)
        {
            json.WriteStartObject();
            WritePlace(json, chunk);
            if (byLinks)
                json.WriteNumber("byte_count", chunk.ByteCount);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("total_row_count", result.Spool.RowCount);
        if (byLinks)
            json.WriteNumber("total_byte_count", result.Spool.ByteCount);
        json.WriteBoolean("truncated", result.Truncated);
        json.WriteEndObject();
    }

    private static void WriteColumn(Utf8JsonWriter json, ResultColumn column, int position)
    {
        json.WriteStartObject();
        json.WriteString("name", column.Name);
        json.WriteString("type_text", column.TypeText);
        json.WriteString("type_name", column.TypeName);
        json.WriteNumber("position", position);
        if (column.Precision is { } precision)
            json.WriteNumber("type_precision", precision);
        if (column.Scale is { } scale)
            json.WriteNumber("type_scale", scale);
        json.WriteEndObject();
    }

    private static void WritePlace(Utf8JsonWriter json, Chunk chunk)
    {
        json.WriteNumber("chunk_index", chunk.Index);
        json.WriteNumber("row_offset", chunk.RowOffset);
        json.WriteNumber("row_count", chunk.RowCount);
    }

    private static void WriteNext(Utf8JsonWriter json, Statement statement, StatementResult result, Chunk chunk)
    {
        if (chunk.Index + 1 >= result.Spool.Chunks.Count)
            return;
        var next = result.Spool.Chunks[chunk.Index + 1];
        json.WriteNumber("next_chunk_index", next.Index);
        json.WriteString("next_chunk_internal_link",
            $"/api/2.0/sql/statements/{statement.Id}/result/chunks/{next.Index}?row_offset={next.RowOffset}");
    }

    private void WriteChunk(Utf8JsonWriter json, HttpContext context, Statement statement, StatementResult result, Chunk chunk, bool first)
    {
        json.WriteStartObject();
        if (ByLinks(statement, result))
        {
            json.WriteStartArray("external_links");
            if (result.Spool.RowCount > 0 || !first)
                WriteLink(json, context, statement, result, chunk);
            json.WriteEndArray();
        }
        else
        {
            WritePlace(json, chunk);
            WriteNext(json, statement, result, chunk);
            WriteData(json, statement, result, chunk);
        }

        json.WriteEndObject();
    }

    private static void WriteData(Utf8JsonWriter json, Statement statement, StatementResult result, Chunk chunk)
    {
        var data = result.Spool.Rent(chunk);
        try
        {
            if (statement.Request.Format == "JSON_ARRAY")
            {
                json.WritePropertyName("data_array");
                json.WriteRawValue(data.AsSpan(), skipInputValidation: true);
            }
            else
            {
                json.WriteBase64String("attachment", data.AsSpan());
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(data.Array!);
        }
    }

    private void WriteLink(Utf8JsonWriter json, HttpContext context, Statement statement, StatementResult result, Chunk chunk)
    {
        var (path, expires) = links.Mint(statement.Id, chunk.Index);
        json.WriteStartObject();
        WritePlace(json, chunk);
        json.WriteNumber("byte_count", chunk.ByteCount);
        WriteNext(json, statement, result, chunk);
        json.WriteString("external_link", $"{context.Request.Scheme}://{context.Request.Host}{path}");
        json.WriteString("expiration", expires.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture));
        json.WriteEndObject();
    }
}
