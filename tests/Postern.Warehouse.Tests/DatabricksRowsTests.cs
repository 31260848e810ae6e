using Postern.Model;
using Postern.Warehouse.Tests.Wire;

namespace Postern.Warehouse.Tests;

public sealed class DatabricksRowsTests
{
    [Fact]
    public async Task Read_ManyChunks_ComeInOrderEachLinkAskedForLate()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([3, 2, 4])))
            .On("GET /storage/0", Answer.Bytes(Bench.Arrow(0, 3)))
            .On(Bench.Chunk(1), Answer.Json(bench.Links(1, 2, "/storage/1"))).On("GET /storage/1", Answer.Bytes(Bench.Arrow(3, 1, 1)))
            .On(Bench.Chunk(2), Answer.Json(bench.Links(2, 4, "/storage/2"))).On("GET /storage/2", Answer.Bytes(Bench.Arrow(5, 0, 4)));
        await using var rows = await bench.RowsAsync();
        // Nothing but the first chunk was touched before anybody read.
        Assert.Equal(["POST /api/2.0/sql/statements", "GET /storage/0"], bench.Workspace.Requests.Select(r => r.Call));
        Assert.Equal(Bench.Numbers(9), (await Bench.DrainAsync(rows)).Numbers);
        Assert.Null((await rows.ReadAsync(default)).Refusal);
    }

    [Fact]
    public async Task Read_OneBatch_OpensAtMostTwoChunksAhead()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([.. Enumerable.Repeat(1, 10)])));
        for (var i = 0; i < 10; i++)
        {
            bench.Workspace.Always(Bench.Chunk(i), Answer.Json(bench.Links(i, 1, $"/storage/{i}"))).Always($"GET /storage/{i}", Answer.Bytes(Bench.Arrow(i, 1)));
        }
        bench.Workspace.On(Bench.Cancel, Answer.Json("{}"));
        await using (var rows = await bench.RowsAsync())
        {
            Assert.True((await rows.ReadAsync(default)).TryGet(out var next, out _));
            next.Batch!.Dispose();
        }
        // One batch handed out, one read ahead (chunk 1), one response opened ahead (chunk 2).
        Assert.InRange(bench.Workspace.Requests.Count(r => r.Call.StartsWith("GET /storage", StringComparison.Ordinal)), 1, 3);
    }

    [Fact]
    public async Task Open_LinkAlreadyExpired_IsNotFetchedButAskedForAgain()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([1], expires: "2001-01-01T00:00:00Z")))
            .On(Bench.Chunk(0), Answer.Json(bench.Links(0, 1, "/storage/fresh"))).On("GET /storage/fresh", Answer.Bytes(Bench.Arrow(0, 1)));
        await using var rows = await bench.RowsAsync();
        Assert.Single((await Bench.DrainAsync(rows)).Numbers);
    }

    [Fact]
    public async Task Open_StorageRefusesTheLink_FetchesAFreshOneWithoutRenewingAnyToken()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([1])))
            .On("GET /storage/0", Answer.Text("<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>", "application/xml", 403))
            .On(Bench.Chunk(0), Answer.Json(bench.Links(0, 1, "/storage/fresh"))).On("GET /storage/fresh", Answer.Bytes(Bench.Arrow(0, 1)));
        await using var rows = await bench.RowsAsync();
        Assert.Single((await Bench.DrainAsync(rows)).Numbers);
        Assert.Empty(bench.Bearers.Refused);
    }

    [Fact]
    public async Task Open_StorageRefusesEveryLink_GivesUpAfterThree()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([1])))
            .On("GET /storage/0", [.. Enumerable.Repeat(Answer.Text("no", "text/plain", 403), 3)])
            .On(Bench.Chunk(0), [.. Enumerable.Repeat(Answer.Json(bench.Links(0, 1, "/storage/0")), 2)])
            .On(Bench.Cancel, Answer.Json("{}"));
        Assert.Equal("result-link", (await bench.RefusalAsync()).Code);
    }

    [Theory]
    [InlineData("ftp://files.example/0")]
    [InlineData("http://user:pass@127.0.0.1/0")]
    [InlineData("file:///etc/passwd")]
    public async Task Open_LinkOfAnotherKind_IsNotFollowed(string link)
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([1], link))).On(Bench.Cancel, Answer.Json("{}"));
        Assert.Equal("link-address", (await bench.RefusalAsync()).Code);
    }

    [Theory]
    [InlineData(0.2)]
    [InlineData(0.6)]
    [InlineData(0.95)]
    public async Task Read_ChunkBreaksOff_IsContinuedAtTheRowWhereItBroke(double at)
    {
        await using var bench = await Bench.StartAsync();
        var arrow = Bench.Arrow(0, 500, 500, 500, 500);
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([2000])))
            .On("GET /storage/0", Answer.CutOff(arrow, (int)(arrow.Length * at)))
            .On(Bench.Chunk(0), Answer.Json(bench.Links(0, 2000, "/storage/again"))).On("GET /storage/again", Answer.Bytes(arrow));
        await using var rows = await bench.RowsAsync();
        var (numbers, broken) = await Bench.DrainAsync(rows);
        Assert.Null(broken);
        Assert.Equal(Bench.Numbers(2000), numbers);
    }

    [Fact]
    public async Task Read_StreamEndsCleanlyBeforeItsRows_IsNeverTakenForTheEnd()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([5])))
            .Always("GET /storage/0", Answer.Bytes(Bench.Arrow(0, 3))).Always(Bench.Chunk(0), Answer.Json(bench.Links(0, 5, "/storage/0")))
            .On(Bench.Cancel, Answer.Json("{}"));
        await using var rows = await bench.RowsAsync();
        var (numbers, broken) = await Bench.DrainAsync(rows);
        Assert.Equal("row-count", broken!.Code);
        Assert.Equal(3, numbers.Count);
        Assert.Same(broken, (await rows.ReadAsync(default)).Refusal);
    }

    [Fact]
    public async Task Read_StreamEndsCleanlyBeforeItsRows_IsFetchedAgainForTheRest()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([5])))
            .On("GET /storage/0", Answer.Bytes(Bench.Arrow(0, 3)), Answer.Bytes(Bench.Arrow(0, 3, 2))).On(Bench.Chunk(0), Answer.Json(bench.Links(0, 5, "/storage/0")));
        await using var rows = await bench.RowsAsync();
        var (numbers, broken) = await Bench.DrainAsync(rows);
        Assert.Null(broken);
        Assert.Equal(Bench.Numbers(5), numbers);
    }

    [Fact]
    public async Task Read_ChunkOfMoreRowsThanAnnounced_BreaksEvenWhenTheTotalFits()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([2, 1], announced: 1)))
            .On("GET /storage/0", Answer.Bytes(Bench.Arrow(0, 2))).Always(Bench.Chunk(1), Answer.Json(bench.Links(1, 1, "/storage/1")))
            .Always("GET /storage/1", Answer.Bytes(Bench.Arrow(2, 1))).On(Bench.Cancel, Answer.Json("{}"));
        await using var rows = await bench.RowsAsync();
        var (numbers, broken) = await Bench.DrainAsync(rows);
        Assert.Equal("row-count", broken!.Code);
        Assert.Empty(numbers);
    }

    [Theory]
    [InlineData(4, 4)]
    [InlineData(9, 5)]
    public async Task Read_RowCountsThatLie_BreakTheStream(int total, int announced)
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([5], total: total, announced: announced)))
            .Always("GET /storage/0", Answer.Bytes(Bench.Arrow(0, 5))).On(Bench.Cancel, Answer.Json("{}"));
        await using var rows = await bench.RowsAsync();
        Assert.Equal("row-count", (await Bench.DrainAsync(rows)).Broken!.Code);
    }

    [Fact]
    public async Task Open_MoreRowsThanTheLimit_IsRefused()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([5]))).On(Bench.Cancel, Answer.Json("{}"));
        Assert.Equal("row-limit-ignored", (await bench.RefusalAsync(bench.Statement() with { RowLimit = 4 })).Code);
    }

    [Fact]
    public async Task Open_CutOffAtTheLimit_SaysTruncated()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([4], truncated: true))).On("GET /storage/0", Answer.Bytes(Bench.Arrow(0, 4)));
        await using var rows = await bench.RowsAsync(bench.Statement() with { RowLimit = 4 });
        Assert.True(rows.Truncated);
        Assert.Equal(4, (await Bench.DrainAsync(rows)).Numbers.Count);
    }

    [Fact]
    public async Task Open_FormatThatWasNotAskedFor_IsRefused()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([1], format: "JSON_ARRAY"))).On(Bench.Cancel, Answer.Json("{}"));
        Assert.Equal("result-format", (await bench.RefusalAsync()).Code);
    }

    [Fact]
    public async Task Open_ColumnsOfAnotherResult_AreRefused()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([1]).Replace("\"name\":\"n\"", "\"name\":\"salary\"", StringComparison.Ordinal)))
            .On("GET /storage/0", Answer.Bytes(Bench.Arrow(0, 1))).On(Bench.Cancel, Answer.Json("{}"));
        Assert.Equal("schema-mismatch", (await bench.RefusalAsync()).Code);
    }

    [Fact]
    public async Task Read_AnyByteOfTheChunkFlipped_EndsInRowsOrARefusalNeverInAnException()
    {
        await using var bench = await Bench.StartAsync();
        var arrow = Bench.Arrow(0, 3, 2);
        for (var at = 0; at < arrow.Length; at += 3)
        {
            var flipped = (byte[])arrow.Clone();
            flipped[at] ^= 0xFF;
            bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([5])))
                .Always("GET /storage/0", Answer.Bytes(flipped)).Always(Bench.Chunk(0), Answer.Json(bench.Links(0, 5, "/storage/0"))).Always(Bench.Cancel, Answer.Json("{}"));
            var outcome = await bench.RunAsync();
            if (!outcome.TryGet(out var rows, out _))
                continue;
            await using (rows)
            {
                var pipe = new System.IO.Pipelines.Pipe(new(pauseWriterThreshold: 0));
                var delivery = await new JsonRowWriter().WriteAsync(rows, pipe.Writer, default);
                Assert.True(delivery.Broken is not null || delivery.Rows == 5, $"byte {at}: {delivery.Rows} rows");
            }
        }
    }
}
