using System.Buffers;
using System.Globalization;
using System.Text.Json;

namespace Postern.Warehouse.Databricks;

/// <summary>The body of <c>POST /api/2.0/sql/statements</c>: documented fields only.</summary>
internal static class ExecuteRequest
{
    private const int MaxTags = 20;

    /// <summary>Arrow by links: the one combination that streams any size and keeps every type.</summary>
    public static byte[] Write(Statement statement, TimeSpan waitTimeout)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using var json = new Utf8JsonWriter(buffer);
        var execution = statement.Connection.Execution;
        json.WriteStartObject();
        json.WriteString("statement"u8, statement.Sql);
        json.WriteString("warehouse_id"u8, execution.Warehouse);
        if (execution.Catalog is { } catalog)
            json.WriteString("catalog"u8, catalog);
        if (execution.Schema is { } schema)
            json.WriteString("schema"u8, schema);
        json.WriteString("disposition"u8, "EXTERNAL_LINKS"u8);
        json.WriteString("format"u8, "ARROW_STREAM"u8);
        json.WriteString("wait_timeout"u8, string.Create(CultureInfo.InvariantCulture, $"{(int)waitTimeout.TotalSeconds}s"));
        if (waitTimeout > TimeSpan.Zero)
            json.WriteString("on_wait_timeout"u8, "CONTINUE"u8);
        json.WriteNumber("row_limit"u8, statement.RowLimit);
        WriteParameters(json, statement);
        WriteTags(json, statement);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteParameters(Utf8JsonWriter json, Statement statement)
    {
        if (statement.Parameters.IsEmpty)
            return;
        json.WriteStartArray("parameters"u8);
        foreach (var parameter in statement.Parameters)
        {
            json.WriteStartObject();
            json.WriteString("name"u8, parameter.Name);
            if (Text(parameter.Value) is { } text)
                json.WriteString("value"u8, text);
            else
                json.WriteNull("value"u8);
            json.WriteString("type"u8, TypeName(parameter.Value.Type));
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteTags(Utf8JsonWriter json, Statement statement)
    {
        if (statement.Tags.IsEmpty)
            return;
        json.WriteStartArray("query_tags"u8);
        foreach (var (key, value) in statement.Tags.Take(MaxTags))
        {
            json.WriteStartObject();
            json.WriteString("key"u8, key);
            json.WriteString("value"u8, value);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    // Every value travels as text and is cast by the platform to the type beside it.
    private static string? Text(SqlValue value) => value switch
    {
        SqlValue.Text v => v.Value,
        SqlValue.Whole v => v.Value.ToString(CultureInfo.InvariantCulture),
        SqlValue.Real v => v.Value.ToString("R", CultureInfo.InvariantCulture),
        SqlValue.Flag v => v.Value ? "true" : "false",
        SqlValue.Day v => v.Value.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        SqlValue.Moment v => v.Value.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture),
        _ => null,
    };

    private static string TypeName(SqlType type) => type switch
    {
        SqlType.Int => "BIGINT",
        SqlType.Float => "DOUBLE",
        SqlType.Bool => "BOOLEAN",
        SqlType.Date => "DATE",
        SqlType.Timestamp => "TIMESTAMP",
        _ => "STRING",
    };
}
