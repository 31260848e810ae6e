using System.Text;
using System.Text.Json;
using Apache.Arrow;
using Apache.Arrow.Ipc;

namespace Postern.Sandbox.Platform.Results;

/// <summary>Writes one chunk of a result. Every chunk stands alone: a JSON array, a piece of CSV or a whole Arrow stream.</summary>
internal abstract class ChunkEncoder : IDisposable
{
    /// <summary>The encoder of a format.</summary>
    /// <param name="format"><c>JSON_ARRAY</c>, <c>CSV</c> or <c>ARROW_STREAM</c>.</param>
    /// <param name="output">Where to; stays open.</param>
    /// <param name="schema">The result's schema, with the names as selected.</param>
    /// <param name="first">True for the first chunk; only it carries the header line of CSV.</param>
    public static ChunkEncoder For(string format, Stream output, Schema schema, bool first) => format switch
    {
        "JSON_ARRAY" => new JsonChunk(output),
        "CSV" => new CsvChunk(output, first ? schema : null),
        _ => new ArrowChunk(output, schema),
    };

    /// <summary>Writes the rows of a batch and lets the output's position tell the size so far.</summary>
    public abstract void Write(RecordBatch batch);

    /// <summary>Ends the chunk.</summary>
    public abstract void Complete();

    /// <summary>Frees what the encoder holds; the output stays open.</summary>
    public abstract void Dispose();
}

/// <summary>Rows as arrays of strings and nulls.</summary>
internal sealed class JsonChunk : ChunkEncoder
{
    private readonly Utf8JsonWriter json;

    public JsonChunk(Stream output)
    {
        json = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true });
        json.WriteStartArray();
    }

    public override void Write(RecordBatch batch)
    {
        for (var row = 0; row < batch.Length; row++)
        {
            json.WriteStartArray();
            for (var column = 0; column < batch.ColumnCount; column++)
            {
                if (CellText.Of(batch.Column(column), row) is { } text)
                    json.WriteStringValue(text);
                else
                    json.WriteNullValue();
            }

            json.WriteEndArray();
        }

        json.Flush();
    }

    public override void Complete()
    {
        json.WriteEndArray();
        json.Flush();
    }

    public override void Dispose() => json.Dispose();
}

/// <summary>RFC 4180 with values as in JSON; SQL NULL is the word <c>null</c>, and a text that reads so is quoted.</summary>
internal sealed class CsvChunk : ChunkEncoder
{
    private readonly StreamWriter text;

    public CsvChunk(Stream output, Schema? header)
    {
        text = new StreamWriter(output, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), leaveOpen: true) { NewLine = "\r\n" };
        if (header is not null)
            text.WriteLine(string.Join(',', header.FieldsList.Select(field => Quote(field.Name))));
    }

    public override void Write(RecordBatch batch)
    {
        for (var row = 0; row < batch.Length; row++)
        {
            for (var column = 0; column < batch.ColumnCount; column++)
            {
                if (column > 0)
                    text.Write(',');
                text.Write(CellText.Of(batch.Column(column), row) is { } value ? Quote(value) : "null");
            }

            text.WriteLine();
        }

        text.Flush();
    }

    public override void Complete() => text.Flush();

    public override void Dispose() => text.Dispose();

    private static string Quote(string value) => value == "null" || value.AsSpan().ContainsAny(",\"\r\n")
        ? $"\"{value.Replace("\"", "\"\"", StringComparison.Ordinal)}\""
        : value;
}

/// <summary>An Arrow IPC stream: schema, batches, end-of-stream marker.</summary>
internal sealed class ArrowChunk : ChunkEncoder
{
    private readonly ArrowStreamWriter arrow;

    public ArrowChunk(Stream output, Schema schema)
    {
        arrow = new ArrowStreamWriter(output, schema, leaveOpen: true);
        arrow.WriteStart();
    }

    public override void Write(RecordBatch batch) => arrow.WriteRecordBatch(batch);

    public override void Complete() => arrow.WriteEnd();

    public override void Dispose() => arrow.Dispose();
}
