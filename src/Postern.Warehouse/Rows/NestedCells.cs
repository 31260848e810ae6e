using System.Buffers;
using System.Text.Json;
using Apache.Arrow;
using Apache.Arrow.Types;

namespace Postern.Warehouse;

/// <summary>Lists, maps and structures: JSON values in JSON, JSON text in a CSV field.</summary>
internal abstract class NestedCells<TArray> : Cells<TArray> where TArray : class, IArrowArray
{
    private readonly ArrayBufferWriter<byte> text = new();

    /// <inheritdoc/>
    public sealed override void WriteCsv(CsvFields csv, int row)
    {
        text.ResetWrittenCount();
        using (var json = new Utf8JsonWriter(text, JsonRowWriter.WriterOptions))
            WriteJson(json, row);
        csv.Text(text.WrittenSpan);
    }

    /// <summary>Writes a cell or null.</summary>
    protected static void WriteValue(Utf8JsonWriter json, Cells cells, int row)
    {
        if (cells.IsNull(row))
            json.WriteNullValue();
        else
            cells.WriteJson(json, row);
    }
}

/// <summary>A list as a JSON array.</summary>
internal sealed class ListCells(ListType type) : NestedCells<ListArray>
{
    private readonly Cells items = For(type.ValueDataType);

    public override void Bind(IArrowArray column)
    {
        base.Bind(column);
        items.Bind(Column.Values);
    }

    public override void WriteJson(Utf8JsonWriter json, int row)
    {
        json.WriteStartArray();
        var offsets = Column.ValueOffsets;
        for (var i = offsets[row]; i < offsets[row + 1]; i++)
            WriteValue(json, items, i);
        json.WriteEndArray();
    }
}

/// <summary>A map as a JSON array of <c>[key, value]</c> pairs: keys may be of any type, and an object would lose their order and repetition.</summary>
internal sealed class MapCells(MapType type) : NestedCells<MapArray>
{
    private readonly Cells keys = For(type.KeyField.DataType);
    private readonly Cells values = For(type.ValueField.DataType);

    public override void Bind(IArrowArray column)
    {
        base.Bind(column);
        keys.Bind(Column.Keys);
        values.Bind(Column.Values);
    }

    public override void WriteJson(Utf8JsonWriter json, int row)
    {
        json.WriteStartArray();
        var offsets = Column.ValueOffsets;
        for (var i = offsets[row]; i < offsets[row + 1]; i++)
        {
            json.WriteStartArray();
            WriteValue(json, keys, i);
            WriteValue(json, values, i);
            json.WriteEndArray();
        }
        json.WriteEndArray();
    }
}

/// <summary>A structure as a JSON object.</summary>
internal sealed class StructCells(StructType type) : NestedCells<StructArray>
{
    private readonly JsonEncodedText[] names =
        [.. type.Fields.Select(f => JsonEncodedText.Encode(f.Name, JsonRowWriter.WriterOptions.Encoder))];
    private readonly Cells[] fields = [.. type.Fields.Select(f => For(f.DataType))];

    public override void Bind(IArrowArray column)
    {
        base.Bind(column);
        for (var i = 0; i < fields.Length; i++)
            fields[i].Bind(Column.Fields[i]);
    }

    public override void WriteJson(Utf8JsonWriter json, int row)
    {
        json.WriteStartObject();
        for (var i = 0; i < fields.Length; i++)
        {
            json.WritePropertyName(names[i]);
            WriteValue(json, fields[i], row);
        }
        json.WriteEndObject();
    }
}
