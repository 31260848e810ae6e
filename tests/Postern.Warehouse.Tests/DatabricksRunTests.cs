using System.Text.Json;
using Postern.Model;
using Postern.Warehouse.Tests.Wire;

namespace Postern.Warehouse.Tests;

public sealed class DatabricksRunTests
{
    [Fact]
    public async Task Run_FastResult_SendsDocumentedFieldsAndStreamsRows()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([5]))).On("GET /storage/0", Answer.Bytes(Bench.Arrow(0, 3, 2)));
        var statement = bench.Statement() with { Tags = [new("postern_query", "q1")], RowLimit = 100 };

        await using (var rows = await bench.RowsAsync(statement))
        {
            Assert.Equal([new("n", ColumnType.Int, "BIGINT"), new ResultColumn("name", ColumnType.String, "STRING")], rows.Columns);
            Assert.Equal((Bench.Id, 1, false, 5L), (rows.StatementId, rows.Generation, rows.Truncated, rows.TotalRows!.Value));
            var (numbers, broken) = await Bench.DrainAsync(rows);
            Assert.Null(broken);
            Assert.Equal(Bench.Numbers(5), numbers);
        }

        Assert.Equal(0, bench.Workspace.Count(Bench.Cancel));
        using var sent = JsonDocument.Parse(bench.Workspace.Requests.First().Body);
        Assert.Equal(
            """{"statement":"SELECT n, name FROM t WHERE a = :a","warehouse_id":"demo0000warehouse","catalog":"main","schema":"demo","disposition":"EXTERNAL_LINKS","format":"ARROW_STREAM","wait_timeout":"10s","on_wait_timeout":"CONTINUE","row_limit":100,"parameters":[{"name":"a","value":"secret-parameter","type":"STRING"}],"query_tags":[{"key":"postern_query","value":"q1"}]}""",
            JsonSerializer.Serialize(sent.RootElement, JsonSerializerOptions.Web));
        var link = bench.Workspace.Requests.Single(r => r.Call == "GET /storage/0");
        Assert.Null(link.Authorization);
        Assert.Equal("k1", link.Headers["x-storage-key"]);
        Assert.Equal((Bench.Id, 1, 1, 0), (statement.Report.StatementId, statement.Report.Generation, statement.Report.Executions, statement.Report.Renewals));
    }

    [Fact]
    public async Task Run_EveryParameterType_IsSentAsTextWithItsSqlType()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(Bench.State("CLOSED")));
        var statement = bench.Statement() with
        {
            Parameters =
            [
                new("s", "x'; DROP"), new("i", -5L), new("f", 0.1), new("b", true), new("d", new DateOnly(2001, 2, 3)),
                new("t", new DateTimeOffset(2001, 2, 3, 4, 5, 6, TimeSpan.FromHours(2))), new("z", new SqlValue.Missing(SqlType.Date)),
            ],
        };

        await using var rows = await bench.RowsAsync(statement);

        using var sent = JsonDocument.Parse(bench.Workspace.Requests.Single().Body);
        Assert.Equal(
            ["s=x'; DROP:STRING", "i=-5:BIGINT", "f=0.1:DOUBLE", "b=true:BOOLEAN", "d=2001-02-03:DATE", "t=2001-02-03T02:05:06.000000Z:TIMESTAMP", "z=:DATE"],
            sent.RootElement.GetProperty("parameters").EnumerateArray().Select(p =>
                $"{p.GetProperty("name").GetString()}={p.GetProperty("value").GetString()}:{p.GetProperty("type").GetString()}"));
    }

    [Fact]
    public async Task Run_SlowStatement_PollsWithGrowingPausesUpToTheCap()
    {
        await using var bench = await Bench.StartAsync(Bench.Quick with { PollFirst = TimeSpan.FromMilliseconds(100), PollLongest = TimeSpan.FromMilliseconds(300) });
        double[] pauses = [100, 150, 225, 300, 300];
        foreach (var pause in pauses)
            bench.Clock.Shorten.Add(TimeSpan.FromMilliseconds(pause));
        bench.Workspace.On(Bench.Execute, Answer.Json(Bench.State("PENDING")))
            .On(Bench.Poll, [.. Enumerable.Repeat(Answer.Json(Bench.State("RUNNING")), 4), Answer.Json(bench.Succeeded([1]))])
            .On("GET /storage/0", Answer.Bytes(Bench.Arrow(0, 1)));

        await using var rows = await bench.RowsAsync();
        Assert.Equal([0L], (await Bench.DrainAsync(rows)).Numbers);

        Assert.Equal(pauses, bench.Clock.Waits.Where(bench.Clock.Shorten.Contains).Select(w => w.TotalMilliseconds));
    }

    [Fact]
    public async Task Run_Closed_IsSuccessWithoutRows()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(Bench.State("CLOSED")));
        await using var rows = await bench.RowsAsync();
        Assert.Empty(rows.Columns);
        Assert.Empty((await Bench.DrainAsync(rows)).Numbers);
    }

    [Fact]
    public async Task Run_NoRows_HasTheManifestsColumnsAndFetchesNothing()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json("""
            {"statement_id":"01f0aa11-2222-1333-8444-555566667777","status":{"state":"SUCCEEDED"},"manifest":{"format":"ARROW_STREAM","schema":{"columns":[
              {"name":"d","type_text":"DATE","type_name":"DATE"},{"name":"x","type_text":"DECIMAL(10,2)","type_name":"DECIMAL","type_precision":10,"type_scale":2},
              {"name":"v","type_text":"VARIANT","type_name":"VARIANT"}]},"total_chunk_count":0,"total_row_count":0,"truncated":false},"result":{}}
            """));
        await using var rows = await bench.RowsAsync();
        Assert.Equal([ColumnType.Date, ColumnType.Decimal, ColumnType.String], rows.Columns.Select(c => c.Type));
        Assert.Null((await Bench.DrainAsync(rows)).Broken);
    }

    [Fact]
    public async Task Run_SyntaxError_IsRefusedWithACodeAndNoneOfThePlatformsWords()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(Bench.Failed("BAD_REQUEST", "[PARSE_SYNTAX_ERROR] near 'secret-sql' SQLSTATE: 42601")));
        var statement = bench.Statement();

        var why = await bench.RefusalAsync(statement);

        Assert.Equal((RefusalKind.QueryFailed, "BAD_REQUEST"), (why.Kind, why.Code));
        Assert.DoesNotContain("secret", why.ToString(), StringComparison.Ordinal);
        Assert.Equal("42601", statement.Report.SqlState);
        Assert.Matches("^[0-9a-f]{16}$", statement.Report.MessageDigest);
        Assert.Equal(0, bench.Workspace.Count(Bench.Cancel));
    }

    [Theory]
    [InlineData("BAD_REQUEST", "42501", RefusalKind.Forbidden)]
    [InlineData("TEMPORARILY_UNAVAILABLE", null, RefusalKind.PlatformUnavailable)]
    [InlineData("RESOURCE_EXHAUSTED", null, RefusalKind.RateLimited)]
    [InlineData("CANCELLED", null, RefusalKind.QueryCancelled)]
    [InlineData("INTERNAL_ERROR", null, RefusalKind.QueryFailed)]
    [InlineData("<script>", "42P01", RefusalKind.QueryFailed)]
    public async Task Run_Failed_BecomesTheRefusalThatFits(string code, string? sqlState, RefusalKind expected)
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(Bench.Failed(code, "words", sqlState)));
        var why = await bench.RefusalAsync();
        Assert.Equal(expected, why.Kind);
        Assert.DoesNotContain('<', why.Code);
    }

    [Theory]
    [InlineData("""{"error_code":"PERMISSION_DENIED","message":"You may not use token tables"}""", 403, RefusalKind.Forbidden, "PERMISSION_DENIED")]
    [InlineData("""{"error_code":"INVALID_PARAMETER_VALUE","message":"bad"}""", 400, RefusalKind.QueryFailed, "INVALID_PARAMETER_VALUE")]
    [InlineData("""{"error_code":403,"message":"Provided OAuth token does not have required scopes: sql"}""", 403, RefusalKind.ReconnectRequired, "scope")]
    [InlineData("<html><body><pre>secret</pre></body></html>", 400, RefusalKind.QueryFailed, "http-400")]
    [InlineData("", 404, RefusalKind.QueryFailed, "http-404")]
    [InlineData("", 302, RefusalKind.PlatformUnavailable, "http-302")]
    public async Task Run_Rejected_IsNeitherRepeatedNorRenewed(string body, int status, RefusalKind kind, string code)
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Text(body, "text/plain", status));
        var why = await bench.RefusalAsync(bench.Statement(safeToRepeat: true));
        Assert.Equal((kind, code), (why.Kind, why.Code));
        Assert.Empty(bench.Bearers.Refused);
        Assert.Equal(1, bench.Workspace.Count(Bench.Execute));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("<html>login</html>")]
    [InlineData("")]
    [InlineData("""{"statement_id":"../../../evil","status":{"state":"PENDING"}}""")]
    public async Task Run_SuccessStatusWithNonsense_IsNotBelieved(string body)
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Text(body, "text/html", 200));
        Assert.Equal(RefusalKind.Untrusted, (await bench.RefusalAsync()).Kind);
    }

    [Fact]
    public async Task Run_LongerThanItsTimeout_IsStoppedAtThePlatform()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(Bench.State("PENDING"))).Always(Bench.Poll, Answer.Json(Bench.State("RUNNING")))
            .On(Bench.Cancel, Answer.Json("{}"));
        var statement = bench.Statement() with { Timeout = TimeSpan.FromMilliseconds(300) };
        var why = await bench.RefusalAsync(statement);
        Assert.Equal((RefusalKind.QueryCancelled, "timeout"), (why.Kind, why.Code));
        Assert.True(statement.Report.CancelDelivered);
    }

    [Theory]
    [InlineData(true, "no-answer")]
    [InlineData(false, "fate-unknown")]
    public async Task Run_PlatformSaysNothingUntilTheTimeout_IsUnavailableAndNotTooSlow(bool safeToRepeat, string code)
    {
        await using var bench = await Bench.StartAsync(Bench.Quick with { WaitTimeout = TimeSpan.Zero, CancelTimeout = TimeSpan.FromMilliseconds(200) });
        bench.Workspace.On(Bench.Execute, static context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        var why = await bench.RefusalAsync(bench.Statement() with { Timeout = TimeSpan.FromMilliseconds(300), SafeToRepeat = safeToRepeat });
        Assert.Equal((RefusalKind.PlatformUnavailable, code), (why.Kind, why.Code));
    }

    [Fact]
    public async Task Run_NothingListens_IsUnreachable()
    {
        var bench = await Bench.StartAsync();
        await bench.DisposeAsync();
        using var http = new HttpMessageInvoker(new SocketsHttpHandler());
        var driver = new Databricks.DatabricksDriver(_ => http, TimeProvider.System, new SystemChance(), Bench.Quick, new RecordingLog());
        var outcome = await driver.RunAsync(bench.Statement(), new FakeBearers(), default);
        Assert.Equal((RefusalKind.PlatformUnavailable, "unreachable"), (outcome.Refusal!.Kind, outcome.Refusal.Code));
    }
}
