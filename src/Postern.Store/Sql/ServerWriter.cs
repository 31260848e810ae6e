using System.Data;
using System.Data.Common;
using System.Net.Sockets;

namespace Postern.Store;

/// <summary>
/// Writes on a database server: each piece of work in a transaction of its own, many at once, at most so many that reads find a
/// connection too.
/// </summary>
/// <remarks>
/// READ COMMITTED on purpose. Each change is one statement that compares and sets, and there a statement that had to wait for a row
/// judges it anew as it was committed; where a decision rests on rows that it does not write, it locks them (<c>{share}</c>,
/// <see cref="Change.Lock"/>) and so sees their last committed state. REPEATABLE READ would add no safety to that and would take some
/// away: on MySQL a read may be older than the row just locked, and the sequencer must see leaves that were committed while it waited
/// for its lease.
/// <para>
/// A transaction that the server undid because of another one is run again from its start, a few times. That is safe because nothing
/// of it stands and work reads everything it needs inside. A lost connection is never tried again: its commit may stand.
/// </para>
/// </remarks>
internal sealed class ServerWriter : IWriter
{
    private const int Attempts = 8;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    private readonly Database database;
    private readonly TimeSpan patience;
    private readonly SemaphoreSlim places;
    private readonly TaskCompletionSource drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    // One for the writer itself, until it is disposed.
    private int open = 1;
    private int closed;

    public ServerWriter(Database database, StoreOptions options)
    {
        this.database = database;
        // A second time after a lock that was waited for in vain, and no more.
        patience = options.BusyTimeout * 2;
        places = new(Math.Max(1, options.PoolSize * 3 / 4));
    }

    public async Task<T> RunAsync<T>(Func<WriteScope, Task<Written<T>>> work, CancellationToken cancellation)
    {
        Interlocked.Increment(ref open);
        try
        {
            ObjectDisposedException.ThrowIf(Volatile.Read(ref closed) != 0, typeof(PosternStore));
            await places.WaitAsync(cancellation);
            try
            {
                return await RunPatientlyAsync(work, cancellation);
            }
            finally
            {
                places.Release();
            }
        }
        finally
        {
            Leave();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref closed, 1) == 0)
            Leave();
        await drained.Task;
        places.Dispose();
    }

    private void Leave()
    {
        if (Interlocked.Decrement(ref open) == 0)
            drained.TrySetResult();
    }

    private async Task<T> RunPatientlyAsync<T>(Func<WriteScope, Task<Written<T>>> work, CancellationToken cancellation)
    {
        // Real time, whatever clock the store runs on: other transactions are waited for.
        var time = TimeProvider.System;
        var began = time.GetTimestamp();
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await RunOnceAsync(work, cancellation);
            }
            catch (Exception e) when (
                attempt < Attempts && time.GetElapsedTime(began) < patience && (e is OvertakenException || (e is DbException failed && database.Dialect.MayRunAgain(failed))))
            {
                cancellation = CancellationToken.None;
                // The first time at once: whoever won has committed or soon will, and a row lock makes the next attempt wait for it. In a
                // crowd the same may meet again, so then a little later each time.
                if (attempt > 1)
                    await Task.Delay(Pause * attempt, time, CancellationToken.None);
            }
        }
    }

    private async Task<T> RunOnceAsync<T>(Func<WriteScope, Task<Written<T>>> work, CancellationToken cancellation)
    {
        try
        {
            return await InTransactionAsync(work, cancellation);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            throw new ConnectionLostException(e);
        }
    }

    private async Task<T> InTransactionAsync<T>(Func<WriteScope, Task<Written<T>>> work, CancellationToken cancellation)
    {
        await using var connection = await database.Dialect.OpenAsync(cancellation);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellation);
        var scope = new WriteScope(connection, transaction, await database.NowAsync(connection, transaction, cancellation));
        var written = await work(scope);
        if (written.Keep)
            await transaction.CommitAsync(CancellationToken.None);
        else
            await transaction.RollbackAsync(CancellationToken.None);
        return written.Value;
    }
}

/// <summary>Another transaction came between two statements of this one, so that it has to be run again.</summary>
internal sealed class OvertakenException() : Exception("Another transaction came in between.");

/// <summary>The connection to the server broke where the driver lets the operating system's error through.</summary>
internal sealed class ConnectionLostException(Exception cause) : DbException("The connection to the database was lost.", cause);
