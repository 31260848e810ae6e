using System.IO.Pipelines;
using Apache.Arrow;
using Postern.Model;

namespace Postern.Warehouse;

/// <summary>What a row writer delivered.</summary>
/// <param name="Rows">Rows written.</param>
/// <param name="Bytes">Bytes written; none means that another answer can still be given.</param>
/// <param name="Broken">Null when all rows were written; else why they broke off. The output then has no valid end.</param>
public sealed record Delivery(long Rows, long Bytes, Refusal? Broken);

/// <summary>
/// Writes a row stream in one format. The pipe is flushed as it fills, so a slow reader slows the platform down and memory stays flat;
/// it is never completed here. Nothing is written before the first rows have come. When the rows break off later, the output ends
/// without its proper end, so that a client can tell.
/// </summary>
public abstract class RowWriter
{
    /// <summary>The pipe is flushed when this much waits in it.</summary>
    private protected const int FlushBytes = 32 * 1024;

    private protected RowWriter()
    {
    }

    /// <summary>The media type, as clients ask for it.</summary>
    public abstract string MediaType { get; }

    /// <summary>Writes all rows; disposes the batches, not the stream.</summary>
    /// <exception cref="OperationCanceledException">The caller cancelled, or nobody reads the pipe any more.</exception>
    public async Task<Delivery> WriteAsync(RowStream rows, PipeWriter output, CancellationToken cancellation)
    {
        var next = await rows.ReadAsync(cancellation);
        if (!next.TryGet(out var head, out var broken))
            return new(0, 0, broken);
        long count = 0;
        long bytes;
        await using (var sink = Begin(rows, output))
        {
            await sink.HeadAsync(cancellation);
            while (head.Batch is { } batch)
            {
                using (batch)
                    await sink.BatchAsync(batch, cancellation);
                count += batch.Length;
                if (!(await rows.ReadAsync(cancellation)).TryGet(out head, out broken))
                    break;
            }
            if (broken is null)
                await sink.EndAsync(cancellation);
            bytes = sink.Bytes;
        }
        await FlushAsync(output, cancellation);
        return new(count, bytes, broken);
    }

    /// <summary>All writers: Arrow, JSON, CSV. They have no state.</summary>
    public static IReadOnlyList<RowWriter> All { get; } = [new ArrowRowWriter(), new JsonRowWriter(), new CsvRowWriter()];

    /// <summary>The writer of a media type (without parameters), or null.</summary>
    public static RowWriter? For(string mediaType)
    {
        foreach (var writer in All)
        {
            if (string.Equals(writer.MediaType, mediaType, StringComparison.OrdinalIgnoreCase))
                return writer;
        }
        return null;
    }

    /// <summary>Starts one output.</summary>
    private protected abstract IRowSink Begin(RowStream rows, PipeWriter output);

    /// <summary>Hands the pipe's content to its reader and waits while the reader is behind.</summary>
    private protected static async ValueTask FlushAsync(PipeWriter output, CancellationToken cancellation)
    {
        var flushed = await output.FlushAsync(cancellation);
        if (flushed.IsCompleted || flushed.IsCanceled)
            throw new OperationCanceledException("Nobody reads the rows any more.");
    }
}

/// <summary>One output in the making; disposing it hands over what is still buffered, whether or not the end was written.</summary>
internal interface IRowSink : IAsyncDisposable
{
    /// <summary>Bytes written so far.</summary>
    long Bytes { get; }

    /// <summary>What comes before the rows.</summary>
    ValueTask HeadAsync(CancellationToken cancellation);

    /// <summary>The rows of a batch.</summary>
    ValueTask BatchAsync(RecordBatch batch, CancellationToken cancellation);

    /// <summary>What says that all rows are there.</summary>
    ValueTask EndAsync(CancellationToken cancellation);
}
