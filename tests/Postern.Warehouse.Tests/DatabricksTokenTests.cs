using Postern.Model;
using Postern.Warehouse.Tests.Wire;

namespace Postern.Warehouse.Tests;

/// <summary>R11: when the platform refuses a token, it is renewed and the call repeated; the viewer notices nothing.</summary>
public sealed class DatabricksTokenTests
{
    public static TheoryData<string, int> Refusals => new()
    {
        { """{"error_code":403,"message":"Invalid access token."}""", 403 },
        { """{"error_code":401,"message":"Credential was not sent or was of an unsupported type for this API."}""", 401 },
        { "Invalid access token.", 403 },
        { "", 401 },
        { "<html><pre>Token is expired</pre></html>", 403 },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task Execute_TokenRefused_IsRenewedOnceAndExecutedOnceMore(string body, int status)
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Text(body, "text/plain", status), Answer.Json(bench.Succeeded([1])))
            .On("GET /storage/0", Answer.Bytes(Bench.Arrow(0, 1)));
        var statement = bench.Statement();
        await using var rows = await bench.RowsAsync(statement);
        Assert.Single((await Bench.DrainAsync(rows)).Numbers);
        Assert.Equal([1], bench.Bearers.Refused);
        Assert.Equal((2, 2, 1), (rows.Generation, statement.Report.Generation!.Value, statement.Report.Renewals));
        Assert.Equal(["Bearer " + FakeBearers.TokenMark + "1", "Bearer " + FakeBearers.TokenMark + "2"],
            bench.Workspace.Requests.Where(r => r.Call == Bench.Execute).Select(r => r.Authorization));
    }

    [Fact]
    public async Task Execute_RefusedTwice_IsAReconnectAndNoLoop()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.TokenRefused(), Answer.TokenRefused());
        var why = await bench.RefusalAsync();
        Assert.Equal((RefusalKind.ReconnectRequired, ReconnectReason.Expired, "token-refused"), (why.Kind, why.Reconnect, why.Code));
    }

    [Fact]
    public async Task Execute_RenewalRefused_HandsThatRefusalOn()
    {
        await using var bench = await Bench.StartAsync();
        bench.Bearers.RenewalAnswer = new(RefusalKind.ReconnectRequired, "Gone.") { Code = "invalid_grant" };
        bench.Workspace.On(Bench.Execute, Answer.TokenRefused());
        Assert.Same(bench.Bearers.RenewalAnswer, await bench.RefusalAsync());
    }

    [Fact]
    public async Task Poll_TokenDiesAtTheThird_RepeatsTheGetAndNotTheStatement()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(Bench.State("PENDING")))
            .On(Bench.Poll, Answer.Json(Bench.State("RUNNING")), Answer.Json(Bench.State("RUNNING")), Answer.TokenRefused(), Answer.Json(bench.Succeeded([1])))
            .On("GET /storage/0", Answer.Bytes(Bench.Arrow(0, 1)));
        await using var rows = await bench.RowsAsync();
        Assert.Single((await Bench.DrainAsync(rows)).Numbers);
        Assert.Equal((1, 2), (bench.Workspace.Count(Bench.Execute), rows.Generation));
    }

    [Fact]
    public async Task Chunk_TokenDiesBetweenChunks_RepeatsTheGet()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([2, 2, 2])))
            .On("GET /storage/0", Answer.Bytes(Bench.Arrow(0, 2))).On("GET /storage/1", Answer.Bytes(Bench.Arrow(2, 2))).On("GET /storage/2", Answer.Bytes(Bench.Arrow(4, 2)))
            .On(Bench.Chunk(1), Answer.Json(bench.Links(1, 2, "/storage/1")))
            .On(Bench.Chunk(2), Answer.TokenRefused(), Answer.Json(bench.Links(2, 2, "/storage/2")));
        await using var rows = await bench.RowsAsync();
        Assert.Equal(Bench.Numbers(6), (await Bench.DrainAsync(rows)).Numbers);
        Assert.Equal([1], bench.Bearers.Refused);
        Assert.Equal(2, rows.Generation);
    }

    [Theory]
    [InlineData(true, 2)]
    [InlineData(false, 1)]
    public async Task Run_UnauthenticatedInside200_IsRunAgainOnlyWhereThatIsSafe(bool safe, int executions)
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(Bench.Failed("UNAUTHENTICATED", "token")));
        if (safe)
            bench.Workspace.On(Bench.Execute, Answer.Json(Bench.State("CLOSED")));
        var outcome = await bench.RunAsync(bench.Statement(safe));
        Assert.Equal(safe, outcome.Refusal is null);
        Assert.Equal(executions, bench.Workspace.Count(Bench.Execute));
    }

    [Fact]
    public async Task Statement_Printed_ShowsNeitherTextNorParameters()
    {
        await using var bench = await Bench.StartAsync();
        var statement = bench.Statement();
        var printed = $"{statement} {statement.Parameters[0]} {statement.Parameters[0].Value}";
        Assert.DoesNotContain("SELECT", printed, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-parameter", printed, StringComparison.Ordinal);
    }
}
