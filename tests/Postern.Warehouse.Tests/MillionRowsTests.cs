using System.Diagnostics;
using System.IO.Pipelines;
using Postern.Warehouse.Tests.Wire;

namespace Postern.Warehouse.Tests;

/// <summary>A million rows over the wire and out again: memory stays flat and no row allocates.</summary>
[Collection(nameof(MillionRowsTests))]
[CollectionDefinition(nameof(MillionRowsTests), DisableParallelization = true)]
public sealed class MillionRowsTests(ITestOutputHelper output)
{
    private const int Chunks = 20;
    private const int RowsPerChunk = 50_000;
    private const int Rows = Chunks * RowsPerChunk;

    // One boxed number a row would be 24 bytes; the wire itself (requests, segments, tasks) is a few megabytes in all.
    private const long MaxAllocatedPerRow = 16;
    private const long MaxHeapGrowth = 64 << 20;

    [Theory]
    [InlineData("application/vnd.apache.arrow.stream")]
    [InlineData("application/json")]
    [InlineData("text/csv")]
    public async Task Write_AMillionRows_KeepsMemoryFlat(string mediaType)
    {
        await using var bench = await Bench.StartAsync();
        var chunk = Bench.Arrow(0, [.. Enumerable.Repeat(RowsPerChunk / 10, 10)]);
        bench.Workspace.On(Bench.Execute, Answer.Json(bench.Succeeded([.. Enumerable.Repeat(RowsPerChunk, Chunks)])));
        for (var i = 0; i < Chunks; i++)
        {
            bench.Workspace.On($"GET /storage/{i}", Answer.Bytes(chunk));
            if (i > 0)
                bench.Workspace.On(Bench.Chunk(i), Answer.Json(bench.Links(i, RowsPerChunk, $"/storage/{i}")));
        }
        var pipe = new Pipe();
        long peak = 0;
        var heapBefore = GC.GetTotalMemory(forceFullCollection: true);
        var reading = Task.Run(async () =>
        {
            long total = 0;
            while (true)
            {
                var read = await pipe.Reader.ReadAsync();
                total += read.Buffer.Length;
                pipe.Reader.AdvanceTo(read.Buffer.End);
                peak = Math.Max(peak, GC.GetTotalMemory(forceFullCollection: false));
                if (read.IsCompleted)
                    return total;
            }
        });
        var allocatedBefore = GC.GetTotalAllocatedBytes(precise: true);
        var clock = Stopwatch.StartNew();

        await using var rows = await bench.RowsAsync();
        var delivery = await RowWriter.For(mediaType)!.WriteAsync(rows, pipe.Writer, default);
        await pipe.Writer.CompleteAsync();

        var seconds = clock.Elapsed.TotalSeconds;
        var allocated = GC.GetTotalAllocatedBytes(precise: true) - allocatedBefore;
        Assert.Equal((Rows, null), (delivery.Rows, delivery.Broken));
        Assert.Equal(await reading, delivery.Bytes);
        output.WriteLine($"{mediaType}: {Rows / seconds / 1e6:F2} M rows/s, {allocated / (double)Rows:F1} bytes allocated a row, heap +{(peak - heapBefore) >> 20} MiB");
        Assert.True(allocated < Rows * MaxAllocatedPerRow, $"{allocated / (double)Rows:F1} bytes allocated a row");
        Assert.True(peak - heapBefore < MaxHeapGrowth, $"the heap grew by {(peak - heapBefore) >> 20} MiB");
    }
}
