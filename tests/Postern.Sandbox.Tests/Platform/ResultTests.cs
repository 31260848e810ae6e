using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using static Postern.Sandbox.Tests.Platform.PlatformServer;

namespace Postern.Sandbox.Tests.Platform;

[Collection(nameof(PlatformCollection))]
public sealed class ResultTests(PlatformServer server)
{
    [Fact]
    public async Task Manifest_OfManyTypes_NamesThemAsDatabricksDoes()
    {
        var reply = await server.ExecuteAsync("ana", """
            SELECT true AS a, 1Y AS b, 1S AS c, 1 AS d, 1L AS e, 1.5F AS f, 5D AS g, CAST(1.5 AS DECIMAL(10,2)) AS h, 'x' AS i, DATE '2001-02-03' AS j,
                   TIMESTAMP '2001-02-03 04:05:06.789' AS k, sum(delay) AS l, avg(distance) AS m, count(*) AS n, INTERVAL 1 DAY AS o, array(1, 2) AS p, NULL AS q
            FROM flights
            """);
        Assert.True(State(reply) == "SUCCEEDED", reply.GetRawText());
        var columns = reply.GetProperty("manifest").GetProperty("schema").GetProperty("columns").EnumerateArray().ToList();
        Assert.Equal(
            ["BOOLEAN", "BYTE", "SHORT", "INT", "LONG", "FLOAT", "DOUBLE", "DECIMAL", "STRING", "DATE", "TIMESTAMP", "LONG", "DOUBLE", "LONG", "INTERVAL", "ARRAY", "INT"],
            columns.Select(column => column.GetProperty("type_name").GetString()));
        Assert.Equal("BIGINT", columns[4].GetProperty("type_text").GetString());
        Assert.Equal((10, 2), (columns[7].GetProperty("type_precision").GetInt32(), columns[7].GetProperty("type_scale").GetInt32()));
        var row = reply.GetProperty("result").GetProperty("data_array")[0].Deserialize<string?[]>()!;
        Assert.Equal(
            ["true", "1", "1", "1", "1", "1.5", "5.0", "1.50", "x", "2001-02-03", "2001-02-03T04:05:06.789Z", "2725407"],
            row.Take(12));
        Assert.Equal(("[1,2]", null), (row[15], row[16]));
    }

    [Theory]
    [InlineData("STRING", "it's", "it's")]
    [InlineData(null, "x", "x")]
    [InlineData("INT", "-7", "-7")]
    [InlineData("BIGINT", "9007199254740993", "9007199254740993")]
    [InlineData("DOUBLE", "2.5", "2.5")]
    [InlineData("BOOLEAN", "true", "true")]
    [InlineData("DATE", "2001-01-31", "2001-01-31")]
    [InlineData("TIMESTAMP", "2001-01-31T10:20:30Z", "2001-01-31T10:20:30.000Z")]
    [InlineData("TIMESTAMP", "2001-01-31 10:20:30", "2001-01-31T10:20:30.000Z")]
    [InlineData("DECIMAL(10,2)", "12.5", "12.50")]
    [InlineData("DECIMAL(38,4)", "1234567890123456789012345678901234.5678", "1234567890123456789012345678901234.5678")]
    [InlineData("DATE", null, null)]
    [InlineData("DECIMAL(5,1)", null, null)]
    public async Task Parameter_OfAType_ArrivesExactlyAndTyped(string? type, string? value, string? expected)
    {
        var reply = await server.ExecuteAsync("ana", "SELECT :v AS v", Parameter("v", value, type));
        Assert.True(State(reply) == "SUCCEEDED", reply.GetRawText());
        Assert.Equal(expected, reply.GetProperty("result").GetProperty("data_array")[0][0].GetString());
        Assert.Equal(type ?? "STRING", reply.GetProperty("manifest").GetProperty("schema").GetProperty("columns")[0].GetProperty("type_text").GetString());
    }

    [Fact]
    public async Task Parameter_UsedTwiceAndInLimit_IsBound()
    {
        var rows = await server.RowsAsync("ana",
            "SELECT origin FROM flights WHERE date >= :from AND date < :from + INTERVAL 7 DAY AND (:state IS NULL OR origin = :state) ORDER BY date LIMIT :n",
            Parameter("from", "2001-01-01", "DATE"), Parameter("state", "LAX"), Parameter("n", "3", "INT"));
        Assert.Equal([["LAX"], ["LAX"], ["LAX"]], rows);
    }

    [Theory]
    [InlineData("SELECT date_trunc('MONTH', DATE '2001-05-17')", "2001-05-01T00:00:00.000Z")]
    [InlineData("SELECT date_add(DATE '2001-01-30', 3)", "2001-02-02")]
    [InlineData("SELECT datediff(DATE '2001-01-09', DATE '2001-01-01')", "8")]
    [InlineData("SELECT dayofweek(DATE '2001-01-07')", "1")]
    [InlineData("SELECT date_format(TIMESTAMP '2001-02-03 04:05:06', 'yyyy-MM-dd HH:mm')", "2001-02-03 04:05")]
    [InlineData("SELECT percentile(delay, 0.5) FROM flights", "0.0")]
    [InlineData("SELECT nvl(NULL, 'x')", "x")]
    [InlineData("SELECT NULL <=> NULL", "true")]
    [InlineData("SELECT 7 DIV 2", "3")]
    [InlineData("SELECT 7 / 2", "3.5")]
    [InlineData("SELECT count_if(delay > 60) > 0 FROM flights", "true")]
    [InlineData("SELECT `f`.`origin` FROM `main`.`demo`.`flights` AS `f` WHERE `f`.origin = 'LAX' LIMIT 1", "LAX")]
    [InlineData("SELECT concat('a', CAST(1 AS STRING))", "a1")]
    [InlineData("SELECT year(DATE '2001-05-17')", "2001")]
    [InlineData("SELECT max(n) FROM (SELECT explode(sequence(1, 5)) AS n)", "5")]
    [InlineData("SELECT main.demo.flights.origin FROM main.demo.flights WHERE main.demo.flights.origin = 'LAX' LIMIT 1", "LAX")]
    [InlineData("SELECT startswith('LAX', 'L')", "true")]
    [InlineData("SELECT try_divide(1, 0) IS NULL", "true")]
    [InlineData("SELECT try_cast('x' AS INT) IS NULL", "true")]
    [InlineData("SELECT extract(HOUR FROM TIMESTAMP '2001-01-01 07:00:00')", "7")]
    [InlineData("SELECT CASE WHEN delay > 15 THEN 'late' ELSE 'on time' END AS c FROM flights GROUP BY ALL ORDER BY c LIMIT 1", "late")]
    [InlineData("SELECT count(DISTINCT CAST(date AS DATE)) > 10 FROM flights", "true")]
    [InlineData("SELECT sum(delay) OVER (PARTITION BY origin ORDER BY date ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) IS NULL FROM flights LIMIT 1", "false")]
    [InlineData("SELECT current_date() IS NOT NULL AND current_timestamp() IS NOT NULL", "true")]
    [InlineData("SELECT make_date(year(DATE '2001-05-17'), 1, 1)", "2001-01-01")]
    [InlineData("SELECT datediff(DAY, DATE '2001-01-01', DATE '2001-01-09')", "8")]
    [InlineData("SELECT if(1 > 0, 'a', 'b')", "a")]
    [InlineData("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY n) FROM (SELECT explode(sequence(1, 3)) AS n)", "2.0")]
    public async Task Spelling_OfDatabricks_IsUnderstood(string sql, string expected) =>
        Assert.Equal(expected, (await server.RowsAsync("ana", sql))[0][0]);

    [Fact]
    public async Task Inline_LargerThanAChunk_ComesInChunksThatAddUp()
    {
        var reply = await server.SubmitAsync("ana", new() { ["statement"] = "SELECT * FROM flights ORDER BY date, origin, destination, delay LIMIT 200000" });
        var chunks = reply.GetProperty("manifest").GetProperty("total_chunk_count").GetInt32();
        Assert.True(chunks > 1);
        var rows = new List<string>();
        var result = reply.GetProperty("result");
        for (var at = 0; ; at++)
        {
            Assert.Equal(at, result.GetProperty("chunk_index").GetInt32());
            Assert.Equal(rows.Count, result.GetProperty("row_offset").GetInt32());
            rows.AddRange(result.GetProperty("data_array").EnumerateArray().Select(row => row[0].GetString()!));
            if (!result.TryGetProperty("next_chunk_internal_link", out var next))
                break;
            using var response = await server.SendAsync(HttpMethod.Get, next.GetString()!, "ana");
            result = await response.Content.ReadFromJsonAsync<JsonElement>();
        }

        Assert.Equal(200000, rows.Count);
        Assert.Equal(rows.Order(StringComparer.Ordinal), rows);
    }

    [Fact]
    public async Task Inline_Over25MiB_FailsWithTheRecordedMessage()
    {
        var reply = await server.SubmitAsync("chloe", new() { ["statement"] = "SELECT * FROM flights" });
        Assert.Equal("FAILED", State(reply));
        Assert.Equal("BAD_REQUEST", reply.GetProperty("status").GetProperty("error").GetProperty("error_code").GetString());
        Assert.StartsWith("Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of at most 26214400 bytes.", Message(reply), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("JSON_ARRAY")]
    [InlineData("CSV")]
    [InlineData("ARROW_STREAM")]
    public async Task Links_OfEveryFormat_HoldAllRows(string format)
    {
        var reply = await server.SubmitAsync("ana", new()
        {
            ["statement"] = "SELECT * FROM flights",
            ["disposition"] = "EXTERNAL_LINKS",
            ["format"] = format,
        });
        var manifest = reply.GetProperty("manifest");
        Assert.Equal(370248, manifest.GetProperty("total_row_count").GetInt64());
        Assert.True(manifest.GetProperty("total_chunk_count").GetInt32() > 1);
        long rows = 0, bytes = 0;
        var link = reply.GetProperty("result").GetProperty("external_links")[0];
        while (true)
        {
            var body = await server.Http.GetByteArrayAsync(link.GetProperty("external_link").GetString());
            Assert.Equal(link.GetProperty("byte_count").GetInt64(), body.Length);
            bytes += body.Length;
            var inChunk = Count(format, body, first: rows == 0);
            Assert.Equal(link.GetProperty("row_count").GetInt64(), inChunk);
            rows += inChunk;
            if (!link.TryGetProperty("next_chunk_internal_link", out var next))
                break;
            using var response = await server.SendAsync(HttpMethod.Get, next.GetString()!, "ana");
            link = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("external_links")[0];
        }

        Assert.Equal(370248, rows);
        Assert.Equal(manifest.GetProperty("total_byte_count").GetInt64(), bytes);
    }

    [Fact]
    public async Task Arrow_OfAResult_CarriesNamesTypesAndValues()
    {
        var reply = await server.SubmitAsync("ana", new()
        {
            ["statement"] = "SELECT origin, sum(delay) AS total, CAST(1.5 AS DECIMAL(10,2)) AS d, TIMESTAMP '2001-01-01 00:00:01' AS t, CAST(NULL AS INT) AS n FROM flights WHERE origin = 'LAX' GROUP BY origin",
            ["disposition"] = "INLINE_OR_EXTERNAL_LINKS",
            ["format"] = "ARROW_STREAM",
        });
        var bytes = reply.GetProperty("result").GetProperty("attachment").GetBytesFromBase64();
        using var reader = new ArrowStreamReader(new MemoryStream(bytes));
        using var batch = (await reader.ReadNextRecordBatchAsync())!;
        Assert.Equal(["origin", "total", "d", "t", "n"], reader.Schema.FieldsList.Select(field => field.Name));
        Assert.Equal("LAX", ((StringArray)batch.Column(0)).GetString(0));
        Assert.Equal(
            (await server.RowsAsync("ana", "SELECT sum(delay) FROM flights WHERE origin = 'LAX'"))[0][0],
            ((Int64Array)batch.Column(1)).GetValue(0)!.Value.ToString());
        Assert.Equal("1.50", ((Decimal128Array)batch.Column(2)).GetString(0));
        Assert.Equal(new DateTimeOffset(2001, 1, 1, 0, 0, 1, TimeSpan.Zero), ((TimestampArray)batch.Column(3)).GetTimestamp(0));
        Assert.True(batch.Column(4).IsNull(0));
    }

    [Fact]
    public async Task Hybrid_LargerThanAChunk_ComesAsLinks()
    {
        var reply = await server.SubmitAsync("ana", new()
        {
            ["statement"] = "SELECT * FROM flights",
            ["disposition"] = "INLINE_OR_EXTERNAL_LINKS",
            ["format"] = "ARROW_STREAM",
        });
        Assert.False(reply.GetProperty("result").TryGetProperty("attachment", out _));
        Assert.Equal(1, reply.GetProperty("result").GetProperty("external_links").GetArrayLength());
    }

    [Fact]
    public async Task Link_FetchedWithABearer_Is400AndPlainIs200AndGuessedIs403()
    {
        var link = await LinkAsync(server, "SELECT 1");
        using var bearer = await server.SendAsync(HttpMethod.Get, link, "ana");
        Assert.Equal(400, (int)bearer.StatusCode);
        using var plain = await server.SendAsync(HttpMethod.Get, link, token: null);
        Assert.Equal(200, (int)plain.StatusCode);
        using var guessed = await server.SendAsync(HttpMethod.Get, link[..^1] + (link[^1] == '0' ? '1' : '0'), token: null);
        Assert.Equal(403, (int)guessed.StatusCode);
        Assert.Contains("<Code>AccessDenied</Code>", await guessed.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Link_After900Seconds_IsDeadAndANewOneWorks()
    {
        await using var other = new PlatformServer();
        await other.InitializeAsync();
        var reply = await other.SubmitAsync("ana", new() { ["statement"] = "SELECT 1", ["disposition"] = "EXTERNAL_LINKS" });
        var first = reply.GetProperty("result").GetProperty("external_links")[0];
        var lifetime = first.GetProperty("expiration").GetDateTimeOffset() - other.Time.GetUtcNow();
        Assert.InRange(lifetime.TotalSeconds, 800, 900);

        other.Time.Advance(TimeSpan.FromSeconds(901));
        using var dead = await other.SendAsync(HttpMethod.Get, first.GetProperty("external_link").GetString()!, token: null);
        Assert.Equal(403, (int)dead.StatusCode);
        Assert.Contains("Request has expired", await dead.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        using var again = await other.SendAsync(HttpMethod.Get, $"/api/2.0/sql/statements/{Id(reply)}/result/chunks/0", "ana");
        var second = (await again.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("external_links")[0].GetProperty("external_link").GetString()!;
        Assert.Equal("""[["1"]]""", await other.Http.GetStringAsync(second));
    }

    [Fact]
    public async Task Link_OfADeletedStatement_IsGone()
    {
        var reply = await server.SubmitAsync("ana", new() { ["statement"] = "SELECT 1", ["disposition"] = "EXTERNAL_LINKS" });
        using var delete = await server.SendAsync(HttpMethod.Delete, $"/api/2.0/sql/statements/{Id(reply)}", "ana");
        using var gone = await server.SendAsync(HttpMethod.Get, reply.GetProperty("result").GetProperty("external_links")[0].GetProperty("external_link").GetString()!, token: null);
        Assert.Equal(404, (int)gone.StatusCode);
    }

    [Theory]
    [InlineData("INLINE", "JSON_ARRAY")]
    [InlineData("INLINE_OR_EXTERNAL_LINKS", "ARROW_STREAM")]
    public async Task RowLimit_BelowTheResult_Truncates(string disposition, string format)
    {
        var reply = await server.SubmitAsync("ana", new()
        {
            ["statement"] = "SELECT * FROM flights",
            ["row_limit"] = 3000,
            ["disposition"] = disposition,
            ["format"] = format,
        });
        Assert.True(reply.GetProperty("manifest").GetProperty("truncated").GetBoolean());
        Assert.Equal(3000, reply.GetProperty("manifest").GetProperty("total_row_count").GetInt32());
        if (format == "ARROW_STREAM")
            Assert.Equal(3000, Count(format, reply.GetProperty("result").GetProperty("attachment").GetBytesFromBase64(), first: true));
    }

    [Fact]
    public async Task RowLimit_EqualToTheResult_DoesNotTruncate()
    {
        var reply = await server.SubmitAsync("ana", new() { ["statement"] = "SELECT origin FROM flights LIMIT 7", ["row_limit"] = 7 });
        Assert.False(reply.GetProperty("manifest").GetProperty("truncated").GetBoolean());
        Assert.Equal(7, reply.GetProperty("manifest").GetProperty("total_row_count").GetInt32());
    }

    [Fact]
    public async Task ByteLimit_BelowTheResult_Truncates()
    {
        var reply = await server.SubmitAsync("ana", new() { ["statement"] = "SELECT * FROM flights", ["byte_limit"] = 10_000 });
        Assert.True(reply.GetProperty("manifest").GetProperty("truncated").GetBoolean());
        Assert.InRange(reply.GetProperty("manifest").GetProperty("total_row_count").GetInt32(), 1, 1000);
    }

    [Fact]
    public async Task Result_WithoutRows_HasItsSchema()
    {
        var reply = await server.SubmitAsync("ana", new() { ["statement"] = "SELECT origin, delay FROM flights WHERE false" });
        Assert.Equal(2, reply.GetProperty("manifest").GetProperty("schema").GetProperty("column_count").GetInt32());
        Assert.Equal(0, reply.GetProperty("result").GetProperty("data_array").GetArrayLength());
    }

    [Fact]
    public async Task Chunk_BeyondTheLast_IsRefused()
    {
        var id = Id(await server.ExecuteAsync("ana", "SELECT 1"));
        using var response = await server.SendAsync(HttpMethod.Get, $"/api/2.0/sql/statements/{id}/result/chunks/1", "ana");
        Assert.Equal(400, (int)response.StatusCode);
    }

    [Fact]
    public async Task Csv_WithAwkwardValues_IsQuotedAndTellsNullFromText()
    {
        var link = await LinkAsync(server, "SELECT 'a,b' AS `x,y`, 'say \\\"hi\\\"' AS q, NULL AS n, 'null' AS t", "CSV");
        Assert.Equal("\"x,y\",q,n,t\r\n\"a,b\",\"say \"\"hi\"\"\",null,\"null\"\r\n", await server.Http.GetStringAsync(link));
    }

    private static async Task<string> LinkAsync(PlatformServer server, string sql, string format = "JSON_ARRAY")
    {
        var reply = await server.SubmitAsync("ana", new JsonObject { ["statement"] = sql, ["disposition"] = "EXTERNAL_LINKS", ["format"] = format });
        Assert.True(State(reply) == "SUCCEEDED", reply.GetRawText());
        return reply.GetProperty("result").GetProperty("external_links")[0].GetProperty("external_link").GetString()!;
    }

    private static long Count(string format, byte[] body, bool first)
    {
        switch (format)
        {
            case "JSON_ARRAY":
                using (var json = JsonDocument.Parse(body))
                    return json.RootElement.GetArrayLength();
            case "CSV":
                return Encoding.UTF8.GetString(body).Split("\r\n", StringSplitOptions.RemoveEmptyEntries).Length - (first ? 1 : 0);
            default:
                using (var reader = new ArrowStreamReader(new MemoryStream(body)))
                {
                    long rows = 0;
                    while (reader.ReadNextRecordBatch() is { } batch)
                    {
                        rows += batch.Length;
                        batch.Dispose();
                    }

                    return rows;
                }
        }
    }
}
