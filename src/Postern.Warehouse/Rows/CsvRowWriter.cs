using System.IO.Pipelines;
using System.Text;
using Apache.Arrow;

namespace Postern.Warehouse;

/// <summary>
/// Writes CSV (RFC 4180): UTF-8 without mark, a header record, CRLF after each record. Numbers with all their digits, dates and times as in
/// <see cref="JsonRowWriter"/>, lists and structures as JSON text; formulas are disarmed (see <see cref="CsvFields"/>). The format
/// has no end mark: over HTTP, an answer that broke off must be aborted, which the caller of the writer does.
/// </summary>
public sealed class CsvRowWriter : RowWriter
{
    /// <inheritdoc/>
    public override string MediaType => "text/csv";

    /// <inheritdoc/>
    private protected override IRowSink Begin(RowStream rows, PipeWriter output) => new Sink(rows, output);

    private sealed class Sink(RowStream rows, PipeWriter output) : IRowSink
    {
        private readonly CsvFields csv = new(output);
        private readonly Cells[] cells = [.. rows.Schema.FieldsList.Select(f => Cells.For(f.DataType))];

        public long Bytes => csv.Written;

        public ValueTask HeadAsync(CancellationToken cancellation)
        {
            foreach (var column in rows.Columns)
            {
                csv.NextField();
                csv.Text(Encoding.UTF8.GetBytes(column.Name));
            }
            csv.EndRecord();
            return default;
        }

        public async ValueTask BatchAsync(RecordBatch batch, CancellationToken cancellation)
        {
            for (var i = 0; i < cells.Length; i++)
                cells[i].Bind(batch.Column(i));
            for (var row = 0; row < batch.Length; row++)
            {
                foreach (var cell in cells)
                {
                    csv.NextField();
                    if (!cell.IsNull(row))
                        cell.WriteCsv(csv, row);
                    else if (cells.Length == 1)
                        csv.Text([]); // An empty line would not be a record to most readers.
                }
                csv.EndRecord();
                if (output.UnflushedBytes >= FlushBytes)
                    await FlushAsync(output, cancellation);
            }
        }

        public ValueTask EndAsync(CancellationToken cancellation) => default;

        public ValueTask DisposeAsync() => default;
    }
}
