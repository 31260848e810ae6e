using System.Globalization;
using System.Numerics;
using System.Text.Json;
using Apache.Arrow;

namespace Postern.Warehouse;

// Numbers in JSON follow one rule: a JSON number where a reader with doubles (JavaScript) gets exactly this number, else a string of
// all its digits. So no reader rounds in silence, and small numbers stay numbers.

/// <summary>Whole numbers of any width.</summary>
internal sealed class IntCells<T> : Cells<PrimitiveArray<T>> where T : unmanaged, IBinaryInteger<T>
{
    private const long MaxSafe = (1L << 53) - 1;

    public override void WriteJson(Utf8JsonWriter json, int row)
    {
        var value = Column.Values[row];
        if (typeof(T) == typeof(long) || typeof(T) == typeof(ulong))
        {
            if (!(T.CreateSaturating(MaxSafe) >= value && (T.IsPositive(value) || value >= T.CreateSaturating(-MaxSafe))))
            {
                Span<byte> text = stackalloc byte[24];
                value.TryFormat(text, out var written, default, CultureInfo.InvariantCulture);
                json.WriteStringValue(text[..written]);
                return;
            }
        }
        json.WriteNumberValue(long.CreateTruncating(value));
    }

    public override void WriteCsv(CsvFields csv, int row)
    {
        Span<byte> text = stackalloc byte[24];
        Column.Values[row].TryFormat(text, out var written, default, CultureInfo.InvariantCulture);
        csv.Plain(text[..written]);
    }
}

/// <summary>
/// Floating point of either width: the shortest text that reads back equal; <c>NaN</c> and infinities, which JSON lacks, as strings.
/// </summary>
internal sealed class FloatingCells<T> : Cells<PrimitiveArray<T>>
    where T : struct, IBinaryFloatingPointIeee754<T>
{
    public override void WriteJson(Utf8JsonWriter json, int row)
    {
        var value = Column.Values[row];
        Span<byte> text = stackalloc byte[32];
        if (T.IsFinite(value) && value.TryFormat(text, out var written, default, CultureInfo.InvariantCulture))
            json.WriteRawValue(text[..written], skipInputValidation: true);
        else
            json.WriteStringValue(NotFinite.Name(value));
    }

    public override void WriteCsv(CsvFields csv, int row)
    {
        var value = Column.Values[row];
        Span<byte> text = stackalloc byte[32];
        if (T.IsFinite(value) && value.TryFormat(text, out var written, default, CultureInfo.InvariantCulture))
            csv.Plain(text[..written]);
        else
            csv.Plain(NotFinite.Name(value));
    }
}

/// <summary>Decimals of up to 38 digits, with all digits of their scale.</summary>
internal sealed class DecimalCells(int scale) : Cells<Decimal128Array>
{
    private const int Width = 16;

    public override void WriteJson(Utf8JsonWriter json, int row)
    {
        Span<byte> text = stackalloc byte[DecimalText.MaxLength];
        var written = DecimalText.Write(Raw(row), scale, text, out var exact);
        if (exact)
            json.WriteRawValue(text[..written], skipInputValidation: true);
        else
            json.WriteStringValue(text[..written]);
    }

    public override void WriteCsv(CsvFields csv, int row)
    {
        Span<byte> text = stackalloc byte[DecimalText.MaxLength];
        csv.Plain(text[..DecimalText.Write(Raw(row), scale, text, out _)]);
    }

    private ReadOnlySpan<byte> Raw(int row) => Column.ValueBuffer.Span.Slice((Column.Offset + row) * Width, Width);
}

/// <summary>Decimals of more than 38 digits: rare, so the library's text is used; always a string in JSON.</summary>
internal sealed class WideDecimalCells : Cells<Decimal256Array>
{
    public override void WriteJson(Utf8JsonWriter json, int row) => json.WriteStringValue(Column.GetString(row));

    public override void WriteCsv(CsvFields csv, int row) => csv.Plain(System.Text.Encoding.ASCII.GetBytes(Column.GetString(row) ?? ""));
}

/// <summary>The names of what JSON has no number for, as the JSON mapping of Protocol Buffers spells them.</summary>
internal static class NotFinite
{
    public static ReadOnlySpan<byte> Name<T>(T value) where T : IFloatingPointIeee754<T> =>
        T.IsNaN(value) ? "NaN"u8 : T.IsPositive(value) ? "Infinity"u8 : "-Infinity"u8;
}
