using System.Buffers.Text;
using System.Numerics;
using System.Text.Json;
using Apache.Arrow;
using Apache.Arrow.Types;

namespace Postern.Warehouse;

/// <summary>True and false.</summary>
internal sealed class BoolCells : Cells<BooleanArray>
{
    public override void WriteJson(Utf8JsonWriter json, int row) => json.WriteBooleanValue(Value(row));

    public override void WriteCsv(CsvFields csv, int row) => csv.Plain(Value(row) ? "true"u8 : "false"u8);

    private bool Value(int row) => BitUtility.GetBit(Column.ValueBuffer.Span, Column.Offset + row);
}

/// <summary>Days: <c>2001-01-31</c>.</summary>
internal sealed class DateCells<T>(bool daysPerUnit) : Cells<PrimitiveArray<T>> where T : unmanaged, IBinaryInteger<T>
{
    private const long MillisecondsPerDay = 86_400_000;

    public override void WriteJson(Utf8JsonWriter json, int row)
    {
        Span<byte> text = stackalloc byte[IsoTime.MaxLength];
        json.WriteStringValue(text[..IsoTime.Date(Days(row), text)]);
    }

    public override void WriteCsv(CsvFields csv, int row)
    {
        Span<byte> text = stackalloc byte[IsoTime.MaxLength];
        csv.Plain(text[..IsoTime.Date(Days(row), text)]);
    }

    private long Days(int row)
    {
        var value = long.CreateTruncating(Column.Values[row]);
        return daysPerUnit ? value : (long)Math.Floor((decimal)value / MillisecondsPerDay);
    }
}

/// <summary>Times: <c>2001-01-31T13:05:00Z</c> with a zone, without <c>Z</c> when local.</summary>
internal sealed class TimestampCells(TimestampType type) : Cells<PrimitiveArray<long>>
{
    private readonly bool utc = !string.IsNullOrEmpty(type.Timezone);
    private readonly int fractionDigits = type.Unit switch
    {
        TimeUnit.Second => 0,
        TimeUnit.Millisecond => 3,
        TimeUnit.Microsecond => 6,
        _ => 9,
    };

    public override void WriteJson(Utf8JsonWriter json, int row)
    {
        Span<byte> text = stackalloc byte[IsoTime.MaxLength];
        json.WriteStringValue(text[..IsoTime.Timestamp(Column.Values[row], fractionDigits, utc, text)]);
    }

    public override void WriteCsv(CsvFields csv, int row)
    {
        Span<byte> text = stackalloc byte[IsoTime.MaxLength];
        csv.Plain(text[..IsoTime.Timestamp(Column.Values[row], fractionDigits, utc, text)]);
    }
}

/// <summary>Text; bytes that are no UTF-8 become U+FFFD.</summary>
internal sealed class TextCells : Cells<Apache.Arrow.Array>
{
    public override void WriteJson(Utf8JsonWriter json, int row) => json.WriteStringValue(VariableBytes.Of(Column, row));

    public override void WriteCsv(CsvFields csv, int row) => csv.Text(VariableBytes.Of(Column, row));
}

/// <summary>Bytes as base64 (RFC 4648 section 4).</summary>
internal sealed class BytesCells : Cells<Apache.Arrow.Array>
{
    public override void WriteJson(Utf8JsonWriter json, int row) => json.WriteBase64StringValue(VariableBytes.Of(Column, row));

    public override void WriteCsv(CsvFields csv, int row)
    {
        var bytes = VariableBytes.Of(Column, row);
        var text = new byte[Base64.GetMaxEncodedToUtf8Length(bytes.Length)];
        Base64.EncodeToUtf8(bytes, text, out _, out var written);
        csv.Text(text.AsSpan(0, written));
    }
}

/// <summary>The content of a cell of variable length, whatever the width of its offsets.</summary>
internal static class VariableBytes
{
    public static ReadOnlySpan<byte> Of(IArrowArray column, int row) => column switch
    {
        BinaryArray narrow => narrow.GetBytes(row),
        LargeBinaryArray wide => wide.GetBytes(row),
        _ => throw new NotSupportedException($"Not a column of text or bytes: {column.Data.DataType.TypeId}."),
    };
}
