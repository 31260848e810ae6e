using System.Buffers;
using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Types;

namespace Postern.Sandbox.Platform.Results;

/// <summary>A value as the text it has in <c>JSON_ARRAY</c> and <c>CSV</c>.</summary>
internal static class CellText
{
    private static readonly SearchValues<char> WholeNumber = SearchValues.Create("-0123456789");

    /// <summary>The text; null for SQL NULL.</summary>
    /// <exception cref="NotSupportedException">A type that <see cref="ResultColumn"/> never lets through.</exception>
    public static string? Of(IArrowArray array, int row) => array.IsNull(row) ? null : array switch
    {
        StringArray a => a.GetString(row),
        Int32Array a => a.GetValue(row)!.Value.ToString(CultureInfo.InvariantCulture),
        Int64Array a => a.GetValue(row)!.Value.ToString(CultureInfo.InvariantCulture),
        DoubleArray a => Number(a.GetValue(row)!.Value),
        TimestampArray a => Timestamp(a.GetValue(row)!.Value, ((TimestampType)a.Data.DataType).Unit),
        Date32Array a => a.GetDateOnly(row)!.Value.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        BooleanArray a => a.GetValue(row)!.Value ? "true" : "false",
        Decimal128Array a => a.GetString(row),
        FloatArray a => Number(a.GetValue(row)!.Value),
        Int16Array a => a.GetValue(row)!.Value.ToString(CultureInfo.InvariantCulture),
        Int8Array a => a.GetValue(row)!.Value.ToString(CultureInfo.InvariantCulture),
        BinaryArray a => Convert.ToBase64String(a.GetBytes(row)),
        _ => throw new NotSupportedException($"No text for {array.Data.DataType.Name}."),
    };

    private static string Number(double value) => Pointed(value.ToString("R", CultureInfo.InvariantCulture));

    private static string Number(float value) => Pointed(value.ToString("R", CultureInfo.InvariantCulture));

    // The platform writes a whole number of a floating type with its point: 5.0.
    private static string Pointed(string text) => text.AsSpan().ContainsAnyExcept(WholeNumber) ? text : text + ".0";

    private static string Timestamp(long value, TimeUnit unit)
    {
        var ticks = unit switch
        {
            TimeUnit.Second => value * TimeSpan.TicksPerSecond,
            TimeUnit.Millisecond => value * TimeSpan.TicksPerMillisecond,
            TimeUnit.Microsecond => value * TimeSpan.TicksPerMicrosecond,
            _ => value / TimeSpan.NanosecondsPerTick,
        };
        return DateTime.UnixEpoch.AddTicks(ticks).ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
    }
}
