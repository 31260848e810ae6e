using Postern.Model;
using Postern.Warehouse.Tests.Wire;

namespace Postern.Warehouse.Tests;

/// <summary>What is sent again, and what never is: the count of executions is the proof.</summary>
public sealed class DatabricksRepetitionTests
{
    private const string Throttled = """{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"slow down"}""";
    private const string Starting = """{"error_code":"TEMPORARILY_UNAVAILABLE","message":"starting"}""";

    [Theory]
    [InlineData("0", 429, false)]
    [InlineData(null, 429, false)]
    [InlineData("0", 503, false)]
    [InlineData(null, 503, true)]
    [InlineData("Wed, 21 Oct 2015 07:28:00 GMT", 429, false)]
    public async Task Execute_TurnedAway_IsSentAgain(string? retryAfter, int status, bool safeToRepeat)
    {
        await using var bench = await Bench.StartAsync();
        (string, string)[] headers = retryAfter is null ? [] : [("Retry-After", retryAfter)];
        bench.Workspace.On(Bench.Execute, Answer.Json(Throttled, status, headers), Answer.Json(Throttled, status, headers), Answer.Json(Bench.State("CLOSED")));
        await using var rows = await bench.RowsAsync(bench.Statement(safeToRepeat));
        Assert.Equal(3, bench.Workspace.Count(Bench.Execute));
    }

    [Fact]
    public async Task Execute_503WithoutRetryAfter_MayHaveRunAndIsNotSentAgain()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(Starting, 503));
        Assert.Equal("fate-unknown", (await bench.RefusalAsync()).Code);
        Assert.Equal(1, bench.Workspace.Count(Bench.Execute));
    }

    [Fact]
    public async Task Execute_ConnectionDropsAfterAccept_RunsOnce()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Drop());
        var statement = bench.Statement();
        Assert.Equal((RefusalKind.PlatformUnavailable, "fate-unknown"), ((await bench.RefusalAsync(statement)) is var why ? (why.Kind, why.Code) : default));
        Assert.Equal(1, bench.Workspace.Count(Bench.Execute));
        Assert.Equal(1, statement.Report.Executions);
    }

    [Fact]
    public async Task Execute_ConnectionDropsOnAReusedConnection_RunsOnce()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(Bench.State("CLOSED")), Answer.Drop());
        await using var first = await bench.RowsAsync();
        Assert.Equal("fate-unknown", (await bench.RefusalAsync()).Code);
        Assert.Equal(2, bench.Workspace.Count(Bench.Execute));
    }

    [Fact]
    public async Task Execute_DropOfAReadOnlyQuery_IsSentAgain()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Drop(), Answer.Json("<html>", 502), Answer.Json(Bench.State("CLOSED")));
        await using var rows = await bench.RowsAsync(bench.Statement(safeToRepeat: true));
        Assert.Equal(3, bench.Workspace.Count(Bench.Execute));
    }

    [Fact]
    public async Task Execute_ThrottledForGood_SaysWhenToTryAgain()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(Throttled, 429, ("Retry-After", "120")));
        var why = await bench.RefusalAsync();
        Assert.Equal((RefusalKind.RateLimited, TimeSpan.FromSeconds(120), "REQUEST_LIMIT_EXCEEDED"), (why.Kind, why.RetryAfter, why.Code));
    }

    [Fact]
    public async Task Execute_RetryAfter_IsWaitedFor()
    {
        await using var bench = await Bench.StartAsync();
        bench.Clock.Shorten.Add(TimeSpan.FromSeconds(7));
        bench.Workspace.On(Bench.Execute, Answer.Json(Throttled, 429, ("Retry-After", "7")), Answer.Json(Bench.State("CLOSED")));
        await using var rows = await bench.RowsAsync();
        Assert.Contains(TimeSpan.FromSeconds(7), bench.Clock.Waits);
    }

    [Fact]
    public async Task Poll_DropsAndErrors_AreRepeatedAndTheStatementRunsOnce()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(Bench.State("PENDING")))
            .On(Bench.Poll, Answer.Drop(), Answer.Json("", 500), Answer.Json(Throttled, 429), Answer.Json(Bench.State("CLOSED")));
        await using var rows = await bench.RowsAsync();
        Assert.Equal((1, 4), (bench.Workspace.Count(Bench.Execute), bench.Workspace.Count(Bench.Poll)));
    }

    [Fact]
    public async Task Poll_PlatformStaysAway_GivesUpAndCancels()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(Bench.State("PENDING")))
            .On(Bench.Poll, [.. Enumerable.Repeat(Answer.Json(Starting, 503), 4)])
            .On(Bench.Cancel, Answer.Json("{}"));
        var why = await bench.RefusalAsync();
        Assert.Equal((RefusalKind.PlatformUnavailable, "TEMPORARILY_UNAVAILABLE"), (why.Kind, why.Code));
    }
}
