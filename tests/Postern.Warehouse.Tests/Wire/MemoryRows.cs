using System.Collections.Immutable;
using System.IO.Pipelines;
using System.Text;
using Apache.Arrow;
using Apache.Arrow.Types;
using Postern.Model;

namespace Postern.Warehouse.Tests.Wire;

/// <summary>A row stream of batches that are made as they are read; ends with a refusal when one is given.</summary>
public sealed class MemoryRows(Schema schema, IEnumerable<RecordBatch> batches, Refusal? broken = null) : RowStream
{
    private readonly IEnumerator<RecordBatch> batches = batches.GetEnumerator();

    public override Schema Schema => schema;
    public override ImmutableArray<ResultColumn> Columns =>
        [.. schema.FieldsList.Select(f => new ResultColumn(f.Name, ColumnTypes.Of(f.DataType)!.Value, f.DataType.Name))];
    public override string StatementId => "memory";
    public override int Generation => 1;
    public override bool Truncated => false;
    public override long? TotalRows => null;

    public static MemoryRows Of(string name, IArrowType type, IArrowArray column, Refusal? broken = null)
    {
        var schema = new Schema([new Field(name, type, true)], null);
        return new(schema, [new RecordBatch(schema, [column], column.Length)], broken);
    }

    public override ValueTask<Outcome<NextRows>> ReadAsync(CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (batches.MoveNext())
            return new(new NextRows(batches.Current));
        return new(broken is null ? NextRows.End : broken);
    }

    public override ValueTask DisposeAsync()
    {
        batches.Dispose();
        return default;
    }
}

/// <summary>Writes rows into memory.</summary>
public static class Written
{
    public static async Task<(byte[] Bytes, Delivery Delivery)> ByAsync(RowWriter writer, RowStream rows)
    {
        using var memory = new MemoryStream();
        var pipe = PipeWriter.Create(memory);
        var delivery = await writer.WriteAsync(rows, pipe, default);
        await pipe.CompleteAsync();
        return (memory.ToArray(), delivery);
    }

    public static async Task<string> TextAsync(RowWriter writer, RowStream rows)
    {
        var (bytes, delivery) = await ByAsync(writer, rows);
        Assert.Equal(bytes.Length, delivery.Bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    /// <summary>The JSON value of one cell.</summary>
    public static async Task<string> JsonCellAsync(IArrowType type, IArrowArray column)
    {
        var text = await TextAsync(new JsonRowWriter(), MemoryRows.Of("c", type, column));
        var start = text.IndexOf("\"rows\":[[", StringComparison.Ordinal) + "\"rows\":[[".Length;
        return text[start..^"]]}".Length];
    }
}
