using Postern.Model;
using Postern.Warehouse.Tests.Wire;

namespace Postern.Warehouse.Tests;

/// <summary>Cancellation reaches the platform, whoever stops and whenever.</summary>
public sealed class DatabricksCancelTests
{
    [Fact]
    public async Task Cancel_WhilePolling_TellsThePlatform()
    {
        await using var bench = await Bench.StartAsync();
        using var caller = new CancellationTokenSource();
        bench.Workspace.On(Bench.Execute, Answer.Json(Bench.State("PENDING")))
            .Always(Bench.Poll, async context =>
            {
                await Answer.Json(Bench.State("RUNNING"))(context);
                await caller.CancelAsync();
            })
            .On(Bench.Cancel, Answer.Json("{}"));
        var statement = bench.Statement();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => bench.RunAsync(statement, caller.Token));
        Assert.Equal(1, bench.Workspace.Count(Bench.Cancel));
        Assert.True(statement.Report.CancelDelivered);
    }

    [Fact]
    public async Task Cancel_WhileTheFirstAnswerIsAwaited_WaitsForItsIdAndTellsThePlatform()
    {
        await using var bench = await Bench.StartAsync();
        using var caller = new CancellationTokenSource();
        bench.Workspace.On(Bench.Execute, async context =>
        {
            await caller.CancelAsync();
            await Answer.Json(Bench.State("RUNNING"))(context);
        }).On(Bench.Cancel, Answer.Json("{}"));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => bench.RunAsync(cancellation: caller.Token));
        Assert.Equal((1, 1), (bench.Workspace.Count(Bench.Execute), bench.Workspace.Count(Bench.Cancel)));
    }

    [Fact]
    public async Task Cancel_WhileAnAnswerHangs_EndsInBoundedTime()
    {
        await using var bench = await Bench.StartAsync(Bench.Quick with
        {
            WaitTimeout = TimeSpan.Zero, CancelTimeout = TimeSpan.FromMilliseconds(200),
        });
        using var caller = new CancellationTokenSource();
        bench.Workspace.On(Bench.Execute, async context =>
        {
            await caller.CancelAsync();
            await Hang(context);
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => bench.RunAsync(cancellation: caller.Token));
    }

    [Fact]
    public async Task Dispose_BeforeTheEnd_TellsThePlatformOnce()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([4]))).On("GET /storage/0", Answer.Bytes(Bench.Arrow(0, 2, 2))).On(Bench.Cancel, Answer.Json("{}"));
        var rows = await bench.RowsAsync();
        Assert.True((await rows.ReadAsync(default)).TryGet(out var next, out _));
        next.Batch!.Dispose();
        await rows.DisposeAsync();
        await rows.DisposeAsync();
        Assert.Equal(1, bench.Workspace.Count(Bench.Cancel));
    }

    [Fact]
    public async Task Read_CancelledMidStream_StopsAtOnceAndDisposingTellsThePlatform()
    {
        await using var bench = await Bench.StartAsync();
        var arrow = Bench.Arrow(0, 2000, 2000);
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([4000])))
            .On("GET /storage/0", async context =>
            {
                context.Response.ContentLength = arrow.Length;
                await context.Response.Body.WriteAsync(arrow.AsMemory(0, arrow.Length * 3 / 4));
                await context.Response.Body.FlushAsync();
                await Hang(context);
            })
            .On(Bench.Cancel, Answer.Json("{}"));
        await using (var rows = await bench.RowsAsync())
        {
            Assert.True((await rows.ReadAsync(default)).TryGet(out var next, out _));
            next.Batch!.Dispose();
            using var caller = new CancellationTokenSource();
            var reading = rows.ReadAsync(caller.Token).AsTask();
            Assert.False(reading.IsCompleted);
            await caller.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
        }
        Assert.Equal(1, bench.Workspace.Count(Bench.Cancel));
    }

    [Fact]
    public async Task Read_LinkStalls_IsFetchedAgain()
    {
        await using var bench = await Bench.StartAsync(Bench.Quick with { RequestTimeout = TimeSpan.FromSeconds(1) });
        var arrow = Bench.Arrow(0, 2000, 2000);
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([4000])))
            .On("GET /storage/0", async context =>
            {
                context.Response.ContentLength = arrow.Length;
                await context.Response.Body.WriteAsync(arrow.AsMemory(0, arrow.Length * 3 / 4));
                await context.Response.Body.FlushAsync();
                await Hang(context);
            }, Answer.Bytes(arrow))
            .On(Bench.Chunk(0), Answer.Json(bench.Links(0, 4000, "/storage/0")));
        await using var rows = await bench.RowsAsync();
        Assert.Equal(Bench.Numbers(4000), (await Bench.DrainAsync(rows)).Numbers);
    }

    [Fact]
    public async Task Cancel_TokenRefusedByThen_RenewsAndTellsThePlatform()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([4]))).On("GET /storage/0", Answer.Bytes(Bench.Arrow(0, 2, 2)))
            .On(Bench.Cancel, Answer.TokenRefused(), Answer.Json("{}"));
        await using var rows = await bench.RowsAsync();
    }

    [Fact]
    public async Task CancelAsync_ByStatementId_TellsThePlatform()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Cancel, Answer.Json("{}"));
        Assert.True(await bench.Driver.CancelAsync(bench.Connection, Bench.Id, new FakeBearers.Bearer(1), default));
        Assert.False(await bench.Driver.CancelAsync(bench.Connection, "../x", new FakeBearers.Bearer(1), default));
    }

    // Until the client goes away.
    private static Task Hang(Microsoft.AspNetCore.Http.HttpContext context)
    {
        var gone = new TaskCompletionSource();
        context.RequestAborted.Register(gone.SetResult);
        return gone.Task;
    }
}
