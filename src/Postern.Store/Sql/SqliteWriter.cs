using System.Data.Common;
using System.Threading.Channels;
using Dapper;
using Microsoft.Data.Sqlite;

namespace Postern.Store;

/// <summary>
/// The one writer of a SQLite file in this process. It takes whatever is queued, runs each piece of work in a savepoint of one
/// transaction, and answers after that committed: 64 callers share one synchronisation with the disk. A piece that does not stand
/// is rolled back to its savepoint and disturbs nobody.
/// </summary>
internal sealed class SqliteWriter : IWriter
{
    private readonly Database database;
    private readonly int batchSize;
    private readonly Channel<Job> queue;
    private readonly Task loop;

    public SqliteWriter(Database database, StoreOptions options)
    {
        this.database = database;
        batchSize = options.BatchSize;
        queue = Channel.CreateBounded<Job>(new BoundedChannelOptions(options.QueueLength) { SingleReader = true });
        // SQLite calls block, so the loop has a thread of its own from the start.
        loop = Task.Factory.StartNew(WriteAsync, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap();
    }

    public async Task<T> RunAsync<T>(Func<WriteScope, Task<Written<T>>> work, CancellationToken cancellation)
    {
        var job = new Job<T>(work);
        await using var registration = cancellation.Register(() => job.TryCancel(cancellation));
        try
        {
            await queue.Writer.WriteAsync(job, cancellation);
        }
        catch (ChannelClosedException)
        {
            throw new ObjectDisposedException(nameof(PosternStore), "The store is closed.");
        }
        return await job.Answer;
    }

    public async ValueTask DisposeAsync()
    {
        queue.Writer.TryComplete();
        await loop;
    }

    private async Task WriteAsync()
    {
        var batch = new List<Job>(batchSize);
        while (await queue.Reader.WaitToReadAsync())
        {
            batch.Clear();
            while (batch.Count < batchSize && queue.Reader.TryRead(out var job))
            {
                if (job.TryBegin())
                    batch.Add(job);
            }
            if (batch.Count > 0)
                await WriteAsync(batch);
        }
    }

    private async Task WriteAsync(List<Job> batch)
    {
        try
        {
            await using var connection = (SqliteConnection)await database.Dialect.OpenAsync(CancellationToken.None);
            // Immediate: the write lock is taken at once, so no statement can fail half-way because a reader became a writer.
            await using var transaction = connection.BeginTransaction(deferred: false);
            var scope = new WriteScope(connection, transaction, await database.NowAsync(connection, transaction, CancellationToken.None));
            foreach (var job in batch)
                await RunInSavepointAsync(job, scope, connection);
            await transaction.CommitAsync();
        }
        catch (Exception e)
        {
            // The transaction is gone, and with it every piece that had succeeded in it.
            foreach (var job in batch)
                job.Fail(e);
            return;
        }
        foreach (var job in batch)
            job.Succeed();
    }

    private static async Task RunInSavepointAsync(Job job, WriteScope scope, SqliteConnection connection)
    {
        await connection.ExecuteAsync("SAVEPOINT piece", transaction: scope.Transaction);
        var keep = false;
        try
        {
            keep = await job.RunAsync(scope);
        }
        catch (Exception e) when (IsStillOpen(connection))
        {
            job.Fail(e);
        }
        if (!keep)
            await connection.ExecuteAsync("ROLLBACK TO piece", transaction: scope.Transaction);
        await connection.ExecuteAsync("RELEASE piece", transaction: scope.Transaction);
    }

    // SQLite rolls the whole transaction back by itself on some errors (disk full, I/O); then nobody's work stands.
    private static bool IsStillOpen(SqliteConnection connection) => SQLitePCL.raw.sqlite3_get_autocommit(connection.Handle) == 0;

    /// <summary>A queued piece of work: taken once, or cancelled before that; answered once.</summary>
    private abstract class Job
    {
        private int state;

        protected bool Leave(int next) => Interlocked.CompareExchange(ref state, next, 0) == 0;

        public bool TryBegin() => Leave(1);

        public abstract void TryCancel(CancellationToken cancellation);

        public abstract Task<bool> RunAsync(WriteScope scope);

        public abstract void Succeed();

        public abstract void Fail(Exception e);
    }

    private sealed class Job<T>(Func<WriteScope, Task<Written<T>>> work) : Job
    {
        // Answered by the writer's thread; the callers' code must not run on it.
        private readonly TaskCompletionSource<T> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private T? value;

        public Task<T> Answer => answer.Task;

        public override void TryCancel(CancellationToken cancellation)
        {
            if (Leave(2))
                answer.TrySetCanceled(cancellation);
        }

        public override async Task<bool> RunAsync(WriteScope scope)
        {
            var written = await work(scope);
            value = written.Value;
            return written.Keep;
        }

        public override void Succeed() => answer.TrySetResult(value!);

        public override void Fail(Exception e) => answer.TrySetException(e);
    }
}
