using Dapper;
using Microsoft.Extensions.Logging;
using Postern.Model;

namespace Postern.Store;

/// <summary>
/// Reads the changes that any node committed and tells the listeners of this one. Places in the feed are given in the order of
/// commits and without gaps (<see cref="Committer"/>), so what was read is complete, and a gap or an end that moved back shows that
/// something was missed.
/// </summary>
public sealed class ChangeFeed : IDisposable
{
    private const int PageSize = 1000;

    private readonly Database database;
    private readonly CoarseTime time;
    private readonly ILogger logger;
    private readonly SemaphoreSlim reading = new(1, 1);
    private readonly Lock subscribing = new();
    private IChangeListener[] listeners = [];
    private long? position;
    private long lastRead;
    private bool hasRead;

    internal ChangeFeed(Database database, TimeProvider time, ILogger logger)
    {
        this.database = database;
        this.time = new CoarseTime(time);
        this.logger = logger;
    }

    /// <summary>
    /// How long ago the last successful read began. A cache that must not serve what was revoked stops serving when this exceeds
    /// 5 seconds. <see cref="TimeSpan.MaxValue"/> before the first read.
    /// </summary>
    public TimeSpan SinceLastRead => SinceLastReadAt(time.Timestamp);

    /// <summary>As <see cref="SinceLastRead"/>, for a caller that has asked the monotonic clock already.</summary>
    /// <param name="timestamp">Now, as <see cref="CoarseTime"/> said.</param>
    public TimeSpan SinceLastReadAt(long timestamp) =>
        Volatile.Read(ref hasRead) ? time.Between(Volatile.Read(ref lastRead), timestamp) : TimeSpan.MaxValue;

    /// <summary>Adds a listener until the result is disposed.</summary>
    public IDisposable Subscribe(IChangeListener listener)
    {
        lock (subscribing)
            listeners = [.. listeners, listener];
        return new Subscription(this, listener);
    }

    /// <summary>Reads now. The hosted service does, every quarter of a second and after each commit of this node.</summary>
    public async Task ReadAsync(CancellationToken cancellation)
    {
        await reading.WaitAsync(cancellation);
        try
        {
            // Taken before reading: what is read is at least as new as this.
            var began = time.Timestamp;
            var end = await EndAsync(cancellation);
            // A node that starts has nothing in its caches that the past could have changed.
            var from = position ?? end;
            var fresh = end > from ? await RowsAfterAsync(from, cancellation) : [];
            var to = Math.Max(end, fresh.Count > 0 ? fresh[^1].Id : 0);
            // Rows that were pruned before this node read them, or a database that is an older copy.
            var missed = end < from || to - from != fresh.Count;

            if (missed)
                Tell(listener => listener.OnMissed());
            if (fresh.Count > 0)
                Tell(listener => listener.OnChanges(fresh));
            position = to;
            Volatile.Write(ref lastRead, began);
            Volatile.Write(ref hasRead, true);
        }
        finally
        {
            reading.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => reading.Dispose();

    private async Task<long> EndAsync(CancellationToken cancellation)
    {
        await using var connection = await database.Dialect.OpenAsync(cancellation);
        return await connection.ExecuteScalarAsync<long>(
            database.Bind("SELECT counted FROM counters WHERE name = 'feed'", null, null, cancellation));
    }

    private async Task<List<ChangeRow>> RowsAfterAsync(long after, CancellationToken cancellation)
    {
        var rows = new List<ChangeRow>();
        while (true)
        {
            var page = await database.ListAsync(
                "SELECT id, kind, tenant, entity_key FROM changes WHERE id > @after ORDER BY id LIMIT @limit",
                new { after, limit = PageSize },
                row => new ChangeRow(row.Number("id"), (ChangeKind)row.Int("kind"), row.Tenant(), row.Text("entity_key")),
                cancellation);
            rows.AddRange(page);
            if (page.Count < PageSize)
                return rows;
            after = page[^1].Id;
        }
    }

    private void Tell(Action<IChangeListener> what)
    {
        foreach (var listener in Volatile.Read(ref listeners))
        {
            try
            {
                what(listener);
            }
            catch (Exception e)
            {
                // The others must hear it all the same.
                logger.ListenerThrew(e);
            }
        }
    }

    private sealed class Subscription(ChangeFeed feed, IChangeListener listener) : IDisposable
    {
        public void Dispose()
        {
            lock (feed.subscribing)
                feed.listeners = [.. feed.listeners.Where(other => !ReferenceEquals(other, listener))];
        }
    }
}

/// <summary>Upkeep of the feed.</summary>
internal static class FeedChanges
{
    /// <summary>Forgets changes older than given. The counter stays, so that a reader that missed them can tell.</summary>
    public static Upkeep Prune(TimeSpan keep) => new(
        "feed-prune", "DELETE FROM changes WHERE at < {now} - @keep", new { keep = keep.ToMs() }, expected: RowCount.Any);
}
