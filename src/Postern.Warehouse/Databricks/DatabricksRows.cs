using System.Collections.Immutable;
using Apache.Arrow;
using Postern.Model;
using Postern.Warehouse.ArrowIpc;

namespace Postern.Warehouse.Databricks;

/// <summary>
/// The rows of a finished statement. One batch is read ahead while the caller works on the one before, and the next chunk's response is
/// opened (not read) while the current one flows; nothing else is held. A chunk that breaks off is fetched again and continued at
/// the row where it broke. Row counts are checked against what was announced, because an Arrow stream that was cut short looks complete.
/// </summary>
internal sealed class DatabricksRows : RowStream
{
    private const int MaxOpeningsPerChunk = 4;

    private readonly Statement statement;
    private readonly StatementCalls calls;
    private readonly ChunkSource chunks;
    private readonly ResultManifest manifest;
    private readonly CancellationTokenSource stop;
    private OpenChunk? current;
    private Task<Outcome<OpenChunk>>? nextChunk;
    private Task<Outcome<NextRows>>? pending;
    private Outcome<NextRows>? final;
    private long rowsRead;
    private long rowsOfChunk;
    private int openings = 1;
    private bool disposed;

    private DatabricksRows(
        Statement statement, StatementCalls calls, ChunkSource chunks, ResultManifest manifest, Schema schema, OpenChunk? first,
        CancellationTokenSource stop)
    {
        this.stop = stop;
        this.statement = statement;
        this.calls = calls;
        this.chunks = chunks;
        this.manifest = manifest;
        Schema = schema;
        Columns = ManifestTypes.Columns(schema, manifest);
        current = first;
        if (first is null)
            final = NextRows.End;
    }

    public override Schema Schema { get; }
    public override ImmutableArray<ResultColumn> Columns { get; }
    public override string StatementId => statement.Report.StatementId!;
    public override int Generation => calls.Generation;
    public override bool Truncated => manifest.Truncated;
    public override long? TotalRows => manifest.TotalRows;

    /// <summary>Checks the manifest and opens the first chunk.</summary>
    public static async Task<Outcome<RowStream>> OpenAsync(
        Statement statement, StatementAnswer answer, StatementCalls calls, ChunkSource chunks, CancellationToken cancellation)
    {
        var connection = statement.Connection;
        var manifest = answer.Manifest;
        if (manifest is null && answer.State != StatementState.Closed)
            return Refusals.Untrusted(connection, "no-manifest");
        manifest ??= new(null, null, [], 0, null, false);
        if (answer.State == StatementState.Closed || manifest.ChunkCount == 0 || manifest.TotalRows == 0)
        {
            return answer.State == StatementState.Closed || manifest.TotalRows is null or 0
                ? new DatabricksRows(statement, calls, chunks, manifest, ManifestTypes.Schema(manifest), null, new())
                : Refusals.Untrusted(connection, "no-chunks");
        }
        // Never another path in silence: what was not asked for is not read.
        if (answer.HasInlineRows || manifest.Format is not (null or "ARROW_STREAM") || manifest.Compression is not (null or "NONE"))
            return Refusals.Untrusted(connection, "result-format");
        if (manifest.TotalRows > statement.RowLimit)
            return Refusals.Untrusted(connection, "row-limit-ignored");

        chunks.Remember(answer);
        // The caller's cancellation ends the opening; afterwards the stream's own stop does.
        var stop = new CancellationTokenSource();
        OpenChunk? first = null;
        DatabricksRows? stream = null;
        try
        {
            await using (cancellation.Register(stop.Cancel))
            {
                if (!(await chunks.OpenAsync(0, stop.Token)).TryGet(out first, out var why))
                    return why;
            }
            if (ManifestTypes.Contradiction(first.Schema, manifest) is { } code)
                return Refusals.Untrusted(connection, code);
            return stream = new DatabricksRows(statement, calls, chunks, manifest, first.Schema, first, stop);
        }
        finally
        {
            if (stream is null)
            {
                first?.Dispose();
                stop.Dispose();
            }
        }
    }

    /// <inheritdoc/>
    public override async ValueTask<Outcome<NextRows>> ReadAsync(CancellationToken cancellation)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (final is { } over)
            return over;
        pending ??= NextAsync();
        var next = await pending.WaitAsync(cancellation);
        if (next.TryGet(out var rows, out _) && rows.Batch is not null)
            pending = NextAsync();
        else
            final = next;
        return next;
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        if (disposed)
            return;
        disposed = true;
        await stop.CancelAsync();
        // The read-ahead ends by the stop; what it still brought is given back.
        if (final is null && pending is not null && await Ended(pending) is { } late && late.TryGet(out var rows, out _))
            rows.Batch?.Dispose();
        if (nextChunk is not null && await Ended(nextChunk) is { } opened && opened.TryGet(out var chunk, out _))
            chunk.Dispose();
        current?.Dispose();
        stop.Dispose();
        if (final is not { } over || over.Refusal is not null)
            await calls.CancelAsync(StatementId);
    }

    private static async Task<Outcome<T>?> Ended<T>(Task<Outcome<T>> task) where T : notnull
    {
        try
        {
            return await task;
        }
        catch (Exception)
        {
            // Stopped, or failed in a way that the reader was told by the same task.
            return null;
        }
    }

    private async Task<Outcome<NextRows>> NextAsync()
    {
        while (true)
        {
            nextChunk ??= current!.Index + 1 < manifest.ChunkCount ? chunks.OpenAsync(current.Index + 1, stop.Token) : null;
            RecordBatch? batch = null;
            var broken = false;
            try
            {
                batch = await current!.Reader.ReadNextRecordBatchAsync(stop.Token);
                if (batch is not null)
                    BatchCheck.Verify(batch, current.Schema);
            }
            catch (InvalidDataException)
            {
                batch?.Dispose();
                return Refusals.Untrusted(statement.Connection, "arrow");
            }
            catch (Exception) when (!stop.IsCancellationRequested)
            {
                batch?.Dispose();
                batch = null;
                broken = true;
            }
            if (batch is not null)
            {
                if (Count(batch) is { } refusal)
                {
                    batch.Dispose();
                    return refusal;
                }
                if (batch.Length > 0)
                    return new NextRows(batch);
                batch.Dispose();
                continue;
            }
            if (broken || current!.Rows > rowsOfChunk)
            {
                var spent = broken ? Refusals.Unavailable(statement.Connection, "result-broken") : Refusals.Untrusted(statement.Connection, "row-count");
                if (await ReopenAsync(spent) is { } refusal)
                    return refusal;
                continue;
            }
            if (nextChunk is null)
            {
                return manifest.TotalRows is { } total && total != rowsRead
                    ? Refusals.Untrusted(statement.Connection, "row-count")
                    : NextRows.End;
            }
            if (await AdvanceAsync() is { } failed)
                return failed;
        }
    }

    // More rows than announced are as wrong as fewer, and are noticed before they leave.
    private Refusal? Count(RecordBatch batch)
    {
        rowsRead += batch.Length;
        rowsOfChunk += batch.Length;
        return rowsOfChunk > current!.Rows || rowsRead > (manifest.TotalRows ?? statement.RowLimit)
            ? Refusals.Untrusted(statement.Connection, "row-count")
            : null;
    }

    private async Task<Refusal?> AdvanceAsync()
    {
        current!.Dispose();
        var opening = nextChunk!;
        nextChunk = null;
        if (!(await opening).TryGet(out var opened, out var why))
            return why;
        current = opened;
        rowsOfChunk = 0;
        openings = 1;
        return ArrowTypes.SameColumns(opened.Schema, Schema) ? null : Refusals.Untrusted(statement.Connection, "schema-changed");
    }

    // The same chunk again by a fresh link, up to the row where it broke off. Batches are the same each time, being one stored object.
    private async Task<Refusal?> ReopenAsync(Refusal spent)
    {
        if (openings++ >= MaxOpeningsPerChunk)
            return spent;
        var index = current!.Index;
        current.Dispose();
        if (!(await chunks.OpenAsync(index, stop.Token)).TryGet(out var opened, out var why))
            return why;
        current = opened;
        if (!ArrowTypes.SameColumns(opened.Schema, Schema))
            return Refusals.Untrusted(statement.Connection, "schema-changed");
        for (long skipped = 0; skipped < rowsOfChunk;)
        {
            try
            {
                using var batch = await opened.Reader.ReadNextRecordBatchAsync(stop.Token);
                skipped += batch?.Length ?? long.MaxValue / 2;
            }
            catch (Exception) when (!stop.IsCancellationRequested)
            {
                return await ReopenAsync(spent);
            }
            if (skipped > rowsOfChunk)
                return Refusals.Untrusted(statement.Connection, "chunk-changed");
        }
        return null;
    }
}
