using System.IO.Pipelines;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Apache.Arrow;

namespace Postern.Warehouse;

/// <summary>
/// Writes <c>{"columns":[{"name","type"}],"rows":[[…],…]}</c>. Cells: null; numbers as JSON numbers where a reader with doubles gets
/// exactly that number, else as strings of all digits (whole numbers beyond ±(2^53 - 1), decimals of more than 15 digits, <c>NaN</c>, <c>Infinity</c>);
/// dates <c>2001-01-31</c>; times <c>2001-01-31T13:05:00Z</c>, without <c>Z</c> when the platform's type has no zone; bytes as base64; lists and
/// structures as JSON, maps as arrays of pairs. Broken off, it lacks its last brackets.
/// </summary>
public sealed class JsonRowWriter : RowWriter
{
    /// <summary>Everything but ASCII that is dangerous in HTML stays readable. Validation is off: the structure is fixed here.</summary>
    internal static JsonWriterOptions WriterOptions { get; } = new()
    {
        Encoder = JavaScriptEncoder.Create(UnicodeRanges.All), SkipValidation = true,
    };

    /// <inheritdoc/>
    public override string MediaType => "application/json";

    /// <inheritdoc/>
    private protected override IRowSink Begin(RowStream rows, PipeWriter output) => new Sink(rows, output);

    private sealed class Sink(RowStream rows, PipeWriter output) : IRowSink
    {
        private readonly Utf8JsonWriter json = new(output, WriterOptions);
        private readonly Cells[] cells = [.. rows.Schema.FieldsList.Select(f => Cells.For(f.DataType))];

        public long Bytes => json.BytesCommitted + json.BytesPending;

        public ValueTask HeadAsync(CancellationToken cancellation)
        {
            json.WriteStartObject();
            json.WriteStartArray("columns"u8);
            foreach (var column in rows.Columns)
            {
                json.WriteStartObject();
                json.WriteString("name"u8, column.Name);
                json.WriteString("type"u8, column.Type.Name());
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteStartArray("rows"u8);
            return default;
        }

        public async ValueTask BatchAsync(RecordBatch batch, CancellationToken cancellation)
        {
            for (var i = 0; i < cells.Length; i++)
                cells[i].Bind(batch.Column(i));
            for (var row = 0; row < batch.Length; row++)
            {
                json.WriteStartArray();
                foreach (var cell in cells)
                {
                    if (cell.IsNull(row))
                        json.WriteNullValue();
                    else
                        cell.WriteJson(json, row);
                }
                json.WriteEndArray();
                if (output.UnflushedBytes + json.BytesPending >= FlushBytes)
                {
                    json.Flush();
                    await FlushAsync(output, cancellation);
                }
            }
        }

        public ValueTask EndAsync(CancellationToken cancellation)
        {
            json.WriteEndArray();
            json.WriteEndObject();
            return default;
        }

        public ValueTask DisposeAsync()
        {
            json.Flush();
            return json.DisposeAsync();
        }
    }
}
