using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using Apache.Arrow;
using Apache.Arrow.Types;
using CsCheck;
using Postern.Warehouse.Tests.Wire;

namespace Postern.Warehouse.Tests;

/// <summary>What is written reads back equal, by parsers that know nothing of the writers.</summary>
public sealed class RowWriterPropertyTests
{
    private static readonly Gen<string> Texts = Gen.OneOf(
        Gen.String[Gen.Char["abc,\"\r\n=+-@'\t é世{[<&"], 0, 12], Gen.String[0, 8].Where(IsWellFormed), Gen.Const("😀"));

    private static readonly Gen<(string? Text, long? Number, double? Real)[]> Tables =
        Gen.Select(Maybe(Texts), Gen.Long.Nullable(), Gen.Double.Nullable()).Array[0, 40];

    [Fact]
    public void Json_AnyTable_ParsesBackEqual() => Tables.Sample(table =>
    {
        using var document = JsonDocument.Parse(Write(new JsonRowWriter(), table));
        var rows = document.RootElement.GetProperty("rows").EnumerateArray().ToArray();
        Assert.Equal(table.Length, rows.Length);
        for (var i = 0; i < table.Length; i++)
        {
            Assert.Equal(table[i].Text, rows[i][0].ValueKind == JsonValueKind.Null ? null : rows[i][0].GetString());
            Assert.Equal(table[i].Number, Whole(rows[i][1]));
            Assert.Equal(table[i].Real, Real(rows[i][2]));
        }
    }, iter: 300);

    [Fact]
    public void Csv_AnyTable_ParsesBackEqual() => Tables.Sample(table =>
    {
        var records = Rfc4180.Parse(Encoding.UTF8.GetString(Write(new CsvRowWriter(), table)));
        Assert.Equal(table.Length + 1, records.Count);
        for (var i = 0; i < table.Length; i++)
        {
            var record = records[i + 1];
            Assert.Equal(table[i].Text, Disarmed(record[0], table[i].Text));
            Assert.Equal(table[i].Number, record[1].Text.Length == 0 ? null : long.Parse(record[1].Text, CultureInfo.InvariantCulture));
            Assert.Equal(table[i].Real, record[2].Text.Length == 0 ? null : double.Parse(record[2].Text, CultureInfo.InvariantCulture));
            Assert.False(StartsFormula(record[0].Text));
        }
    }, iter: 300);

    [Fact]
    public void DecimalText_AnyValue_IsTheSameNumberWithAllItsDigits() =>
        Gen.Select(Gen.ULong, Gen.ULong, Gen.Int[-5, 38]).Sample((high, low, scale) =>
        {
            var value = new Int128(high, low);
            Span<byte> raw = stackalloc byte[16];
            System.Buffers.Binary.BinaryPrimitives.WriteInt128LittleEndian(raw, value);
            Span<byte> target = stackalloc byte[DecimalText.MaxLength];
            var text = Encoding.ASCII.GetString(target[..DecimalText.Write(raw, scale, target, out var exact)]);

            var point = text.IndexOf('.', StringComparison.Ordinal);
            var digits = BigInteger.Parse(text.Replace(".", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
            Assert.Equal((BigInteger)value * BigInteger.Pow(10, Math.Max(0, -scale)), digits);
            Assert.Equal(Math.Max(0, scale), point < 0 ? 0 : text.Length - point - 1);
            Assert.Matches(@"^-?(0|[1-9]\d*)(\.\d+)?$", text);
            Assert.Equal(BigInteger.Abs((BigInteger)value) < BigInteger.Pow(10, 15), exact);
        }, iter: 5_000);

    [Fact]
    public void DecimalText_ExactOnes_SurviveADouble() =>
        Gen.Select(Gen.Long[-999_999_999_999_999, 999_999_999_999_999], Gen.Int[0, 15]).Sample((value, scale) =>
        {
            Span<byte> raw = stackalloc byte[16];
            System.Buffers.Binary.BinaryPrimitives.WriteInt128LittleEndian(raw, value);
            Span<byte> target = stackalloc byte[DecimalText.MaxLength];
            var text = Encoding.ASCII.GetString(target[..DecimalText.Write(raw, scale, target, out var exact)]);
            Assert.True(exact);
            var asDouble = double.Parse(text, CultureInfo.InvariantCulture);
            Assert.Equal(decimal.Parse(text, CultureInfo.InvariantCulture), decimal.Parse(asDouble.ToString("R", CultureInfo.InvariantCulture), NumberStyles.Float, CultureInfo.InvariantCulture));
        }, iter: 5_000);

    [Fact]
    public void IsoTime_AnyTickOfTheCalendar_IsWhatTheBclWrites() =>
        Gen.Long[DateTime.MinValue.Ticks / 10, DateTime.MaxValue.Ticks / 10].Sample(microseconds =>
        {
            var at = new DateTime(microseconds * 10, DateTimeKind.Utc);
            Span<byte> target = stackalloc byte[IsoTime.MaxLength];
            var sinceEpoch = (at - DateTime.UnixEpoch).Ticks / 10;
            var text = Encoding.ASCII.GetString(target[..IsoTime.Timestamp(sinceEpoch, 6, true, target)]);
            var format = at.Ticks % TimeSpan.TicksPerSecond == 0 ? "yyyy-MM-dd'T'HH:mm:ss'Z'" : "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'";
            Assert.Equal(at.ToString(format, CultureInfo.InvariantCulture), text);
            var days = DateOnly.FromDateTime(at).DayNumber - DateOnly.FromDateTime(DateTime.UnixEpoch).DayNumber;
            Assert.Equal(at.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), Encoding.ASCII.GetString(target[..IsoTime.Date(days, target)]));
        }, iter: 20_000);

    [Theory]
    [InlineData(2_932_897, "+010000-01-01")]
    [InlineData(-719_529, "-000001-12-31")]
    [InlineData(int.MaxValue, "+5881580-07-11")]
    [InlineData(int.MinValue, "-5877641-06-23")]
    public void IsoTime_YearsBeyondTheCalendar_AreWrittenWithASign(int days, string expected)
    {
        Span<byte> target = stackalloc byte[IsoTime.MaxLength];
        Assert.Equal(expected, Encoding.ASCII.GetString(target[..IsoTime.Date(days, target)]));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(6)]
    [InlineData(9)]
    public void IsoTime_ExtremeTicks_FitTheBuffer(int digits)
    {
        Span<byte> target = stackalloc byte[IsoTime.MaxLength];
        Assert.True(IsoTime.Timestamp(long.MaxValue, digits, true, target) <= IsoTime.MaxLength);
        Assert.True(IsoTime.Timestamp(long.MinValue + 1, digits, true, target) <= IsoTime.MaxLength);
    }

    private static byte[] Write(RowWriter writer, (string? Text, long? Number, double? Real)[] table)
    {
        var schema = new Schema(
            [new Field("text", StringType.Default, true), new Field("number", Int64Type.Default, true), new Field("real", DoubleType.Default, true)], null);
        var texts = new StringArray.Builder();
        var numbers = new Int64Array.Builder();
        var reals = new DoubleArray.Builder();
        foreach (var (text, number, real) in table)
        {
            _ = text is null ? texts.AppendNull() : texts.Append(text);
            _ = number is null ? numbers.AppendNull() : numbers.Append(number.Value);
            _ = real is null ? reals.AppendNull() : reals.Append(real.Value);
        }
        var batch = new RecordBatch(schema, [texts.Build(), numbers.Build(), reals.Build()], table.Length);
        return Written.ByAsync(writer, new MemoryRows(schema, [batch])).GetAwaiter().GetResult().Bytes;
    }

    private static Gen<string?> Maybe(Gen<string> texts) => Gen.Select(texts, Gen.Bool, (text, there) => there ? text : null);

    private static long? Whole(JsonElement cell) => cell.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.String => long.Parse(cell.GetString()!, CultureInfo.InvariantCulture),
        _ => (long)cell.GetDouble(),
    };

    private static double? Real(JsonElement cell) => cell.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.String => double.Parse(cell.GetString()!, CultureInfo.InvariantCulture),
        _ => cell.GetDouble(),
    };

    private static string? Disarmed(Rfc4180.Field field, string? original)
    {
        if (field is { Text: "", Quoted: false })
            return null;
        return original is not null && StartsFormula(original) ? field.Text[1..] : field.Text;
    }

    private static bool StartsFormula(string text) => text.Length > 0 && "=+-@\t\r\n＝＋－＠".Contains(text[0], StringComparison.Ordinal);

    private static bool IsWellFormed(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) == text;
}
