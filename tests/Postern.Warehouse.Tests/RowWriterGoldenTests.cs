using System.Text;
using System.Text.Json;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using Apache.Arrow.Types;
using Postern.Model;
using Postern.Warehouse.Tests.Wire;

namespace Postern.Warehouse.Tests;

public sealed class RowWriterGoldenTests
{
    private static readonly Refusal Broken = new(RefusalKind.PlatformUnavailable, "gone") { Code = "result-broken" };

    private static MemoryRows Everything(Refusal? broken = null)
    {
        var zoned = new TimestampType(TimeUnit.Microsecond, "UTC");
        var local = new TimestampType(TimeUnit.Millisecond, (string?)null);
        var price = new Decimal128Type(20, 2);
        var schema = new Schema(
        [
            new("text", StringType.Default, true), new("int", Int64Type.Default, true), new("float", DoubleType.Default, true),
            new("price", price, true), new("flag", BooleanType.Default, true), new("day", Date32Type.Default, true),
            new("at", zoned, true), new("local", local, true), new("bytes", BinaryType.Default, true), new("none", NullType.Default, true),
        ], null);
        var at = new DateTimeOffset(2001, 1, 31, 13, 5, 0, TimeSpan.Zero);
        var batch = new RecordBatch(schema,
        [
            new StringArray.Builder().Append("a \"b\", c\n<é>").AppendNull().Build(),
            new Int64Array.Builder().Append(-42).AppendNull().Build(),
            new DoubleArray.Builder().Append(0.1).AppendNull().Build(),
            new Decimal128Array.Builder(price).Append(-0.05m).AppendNull().Build(),
            new BooleanArray.Builder().Append(true).AppendNull().Build(),
            new Date32Array.Builder().Append(at.UtcDateTime).AppendNull().Build(),
            new TimestampArray.Builder(zoned).Append(at.AddMicroseconds(250)).AppendNull().Build(),
            new TimestampArray.Builder(local).Append(at).AppendNull().Build(),
            new BinaryArray.Builder().Append([0xFB, 0xEF]).AppendNull().Build(),
            new NullArray(2),
        ], 2);
        return new(schema, [batch], broken);
    }

    [Fact]
    public async Task Json_EveryType_IsWrittenAsDocumented() => Assert.Equal(
        """{"columns":[{"name":"text","type":"string"},{"name":"int","type":"int"},{"name":"float","type":"float"},{"name":"price","type":"decimal"},{"name":"flag","type":"bool"},{"name":"day","type":"date"},{"name":"at","type":"timestamp"},{"name":"local","type":"timestamp"},{"name":"bytes","type":"binary"},{"name":"none","type":"null"}],"rows":[["a \u0022b\u0022, c\n\u003Cé\u003E",-42,0.1,-0.05,true,"2001-01-31","2001-01-31T13:05:00.000250Z","2001-01-31T13:05:00","++8=",null],[null,null,null,null,null,null,null,null,null,null]]}""",
        await Written.TextAsync(new JsonRowWriter(), Everything()));

    [Fact]
    public async Task Csv_EveryType_IsWrittenAsDocumented() => Assert.Equal(
        "text,int,float,price,flag,day,at,local,bytes,none\r\n" +
        "\"a \"\"b\"\", c\n<é>\",-42,0.1,-0.05,true,2001-01-31,2001-01-31T13:05:00.000250Z,2001-01-31T13:05:00,'++8=,\r\n" +
        ",,,,,,,,,\r\n",
        await Written.TextAsync(new CsvRowWriter(), Everything()));

    [Fact]
    public async Task Arrow_EveryType_ReadsBackEqual()
    {
        var (bytes, delivery) = await Written.ByAsync(new ArrowRowWriter(), Everything());
        Assert.Equal((2L, (long)bytes.Length, (Refusal?)null), (delivery.Rows, delivery.Bytes, delivery.Broken));
        Assert.Equal([0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0], bytes[^8..]);
        using var reader = new ArrowStreamReader(new MemoryStream(bytes));
        using var batch = await reader.ReadNextRecordBatchAsync();
        var again = new MemoryRows(batch.Schema, [batch]);
        Assert.Equal(await Written.TextAsync(new JsonRowWriter(), Everything()), await Written.TextAsync(new JsonRowWriter(), again));
    }

    [Fact]
    public async Task Json_BrokenOff_IsNoJson()
    {
        var (bytes, delivery) = await Written.ByAsync(new JsonRowWriter(), Everything(Broken));
        Assert.Equal((2L, Broken), (delivery.Rows, delivery.Broken));
        Assert.EndsWith("null]", Encoding.UTF8.GetString(bytes), StringComparison.Ordinal);
        Assert.ThrowsAny<JsonException>(() => JsonDocument.Parse(bytes));
    }

    [Fact]
    public async Task Arrow_BrokenOff_HasNoEndMarker()
    {
        var whole = (await Written.ByAsync(new ArrowRowWriter(), Everything())).Bytes;
        var (bytes, delivery) = await Written.ByAsync(new ArrowRowWriter(), Everything(Broken));
        Assert.Same(Broken, delivery.Broken);
        Assert.Equal(whole[..^8], bytes);
    }

    [Theory]
    [MemberData(nameof(Writers))]
    public async Task Any_BrokenBeforeTheFirstRow_WritesNothing(string mediaType)
    {
        var schema = new Schema([new Field("a", Int64Type.Default, true)], null);
        var (bytes, delivery) = await Written.ByAsync(RowWriter.For(mediaType)!, new MemoryRows(schema, [], Broken));
        Assert.Empty(bytes);
        Assert.Equal((0L, 0L, Broken), (delivery.Rows, delivery.Bytes, delivery.Broken));
    }

    [Theory]
    [MemberData(nameof(Writers))]
    public async Task Any_ReaderGone_StopsWithACancellation(string mediaType)
    {
        var pipe = new System.IO.Pipelines.Pipe();
        await pipe.Reader.CompleteAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RowWriter.For(mediaType)!.WriteAsync(Everything(), pipe.Writer, default));
    }

    public static TheoryData<string> Writers => [.. RowWriter.All.Select(w => w.MediaType)];

    [Fact]
    public async Task Json_WithoutRows_HasColumnsAndAnEmptyList()
    {
        var schema = new Schema([new Field("a", Int64Type.Default, true)], null);
        Assert.Equal("""{"columns":[{"name":"a","type":"int"}],"rows":[]}""", await Written.TextAsync(new JsonRowWriter(), new MemoryRows(schema, [])));
    }

    [Theory]
    [InlineData(9007199254740991, "9007199254740991")]
    [InlineData(-9007199254740991, "-9007199254740991")]
    [InlineData(9007199254740992, "\"9007199254740992\"")]
    [InlineData(long.MinValue, "\"-9223372036854775808\"")]
    public async Task Json_WholeNumber_IsAStringWhereADoubleWouldRound(long value, string expected) =>
        Assert.Equal(expected, await Written.JsonCellAsync(Int64Type.Default, new Int64Array.Builder().Append(value).Build()));

    [Fact]
    public async Task Json_LargestUnsigned_IsAString() =>
        Assert.Equal("\"18446744073709551615\"", await Written.JsonCellAsync(UInt64Type.Default, new UInt64Array.Builder().Append(ulong.MaxValue).Build()));

    [Theory]
    [InlineData(double.NaN, "\"NaN\"")]
    [InlineData(double.PositiveInfinity, "\"Infinity\"")]
    [InlineData(double.NegativeInfinity, "\"-Infinity\"")]
    [InlineData(1e300, "1E+300")]
    public async Task Json_Double_IsANumberOrAName(double value, string expected) =>
        Assert.Equal(expected, await Written.JsonCellAsync(DoubleType.Default, new DoubleArray.Builder().Append(value).Build()));

    [Fact]
    public async Task Json_BytesThatAreNoUtf8_AreReplaced()
    {
        var column = new StringArray.Builder().Append([0x61, 0xC3, 0x28, 0xFF]).Build();
        var cell = await Written.JsonCellAsync(StringType.Default, column);
        Assert.Equal("a\uFFFD(\uFFFD", JsonSerializer.Deserialize<string>(cell));
    }

    [Fact]
    public async Task Json_NestedColumns_AreJsonValues()
    {
        // The writer disposes what it wrote, so each call gets an array of its own.
        static ListArray List()
        {
            var items = new ListArray.Builder(Int32Type.Default);
            items.Append();
            ((Int32Array.Builder)items.ValueBuilder).Append(1).AppendNull().Append(3);
            return items.Build();
        }

        var type = new StructType([new Field("x<", Int32Type.Default, true), new Field("l", List().Data.DataType, true)]);
        StructArray Structure() => new(type, 1, [new Int32Array.Builder().Append(7).Build(), List()], ArrowBuffer.Empty, 0);

        Assert.Equal("[1,null,3]", await Written.JsonCellAsync(List().Data.DataType, List()));
        Assert.Equal("""{"x\u003C":7,"l":[1,null,3]}""", await Written.JsonCellAsync(type, Structure()));
        Assert.Equal("c\r\n\"{\"\"x\\u003C\"\":7,\"\"l\"\":[1,null,3]}\"\r\n", await Written.TextAsync(new CsvRowWriter(), MemoryRows.Of("c", type, Structure())));

        var entries = new MapArray.Builder(new MapType(StringType.Default, Int32Type.Default));
        entries.Append();
        ((StringArray.Builder)entries.KeyBuilder).Append("k");
        ((Int32Array.Builder)entries.ValueBuilder).Append(1);
        var map = entries.Build();
        Assert.Equal("""[["k",1]]""", await Written.JsonCellAsync(map.Data.DataType, map));
    }

    [Theory]
    [InlineData("=1+1")]
    [InlineData("+1")]
    [InlineData("-1")]
    [InlineData("@SUM(A1)")]
    [InlineData("\t=1")]
    [InlineData("\r=1")]
    [InlineData("\n=1")]
    [InlineData("＝1+1")]
    [InlineData("=cmd|' /C calc'!A0, \"x\"")]
    public async Task Csv_TextThatASpreadsheetWouldRun_IsDisarmed(string text)
    {
        var csv = await Written.TextAsync(new CsvRowWriter(), MemoryRows.Of(text, StringType.Default, new StringArray.Builder().Append(text).Build()));
        var fields = Rfc4180.Parse(csv);
        Assert.Equal(["'" + text, "'" + text], fields.Select(r => r.Single().Text));
    }

    [Fact]
    public async Task Csv_NegativeNumber_StaysANumber() => Assert.Equal("c\r\n-1\r\n",
        await Written.TextAsync(new CsvRowWriter(), MemoryRows.Of("c", Int32Type.Default, new Int32Array.Builder().Append(-1).Build())));
}
