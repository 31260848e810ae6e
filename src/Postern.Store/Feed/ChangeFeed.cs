using Dapper;
using Microsoft.Extensions.Logging;
using Postern.Model;

namespace Postern.Store;

/// <summary>
/// Reads the changes that any node committed and tells the listeners of this one. Rows may become visible out of order; none is
/// skipped (<see cref="FeedPosition"/>), as long as its transaction ends within <see cref="StoreOptions.FeedWindow"/>.
/// </summary>
public sealed class ChangeFeed : IDisposable
{
    // A node starts this far before the end, so that rows that were not visible yet as it started count as passed over.
    private const int Overlap = 1024;
    private const int PageSize = 1000;

    private readonly Database database;
    private readonly StoreOptions options;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly SemaphoreSlim reading = new(1, 1);
    private readonly Lock subscribing = new();
    private IChangeListener[] listeners = [];
    private FeedPosition? position;
    private long lastRead;
    private bool hasRead;

    internal ChangeFeed(Database database, StoreOptions options, TimeProvider time, ILogger logger)
    {
        this.database = database;
        this.options = options;
        this.time = time;
        this.logger = logger;
    }

    /// <summary>
    /// How long ago the last successful read began. A cache that must not serve what was revoked stops serving when this exceeds
    /// 5 seconds. <see cref="TimeSpan.MaxValue"/> before the first read.
    /// </summary>
    public TimeSpan SinceLastRead => Volatile.Read(ref hasRead) ? time.GetElapsedTime(Volatile.Read(ref lastRead)) : TimeSpan.MaxValue;

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
            var began = time.GetTimestamp();
            var missed = await FindPlaceAsync(began, cancellation);
            var fresh = await NewRowsAsync(position!, began, cancellation);
            position!.Forget(began - (long)(options.FeedWindow.TotalSeconds * time.TimestampFrequency));

            if (missed)
                Tell(listener => listener.OnMissed());
            if (fresh.Count > 0)
                Tell(listener => listener.OnChanges(fresh));
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

    // True when changes may have been missed: this node was away for longer than they are kept, or the database is an older copy.
    private async Task<bool> FindPlaceAsync(long now, CancellationToken cancellation)
    {
        await using var connection = await database.Dialect.OpenAsync(cancellation);
        var last = await connection.ExecuteScalarAsync<long?>(database.Bind("SELECT MAX(id) FROM changes", null, null, cancellation)) ?? 0;
        var missed = position is not null && (last < position.Highest || time.GetElapsedTime(lastRead, now) > options.KeepChanges);
        if (position is null || missed)
            position = new(Math.Max(0, last - Overlap));
        return missed;
    }

    private async Task<List<ChangeRow>> NewRowsAsync(FeedPosition seen, long now, CancellationToken cancellation)
    {
        var fresh = new List<ChangeRow>();
        var after = seen.ReadAfter;
        while (true)
        {
            var page = await database.ListAsync(
                "SELECT id, kind, tenant, entity_key FROM changes WHERE id > @after ORDER BY id LIMIT @limit",
                new { after, limit = PageSize },
                row => new ChangeRow(row.Number("id"), (ChangeKind)row.Int("kind"), row.Tenant(), row.Text("entity_key")),
                cancellation);
            foreach (var row in page)
            {
                if (seen.TryAdd(row.Id, now))
                    fresh.Add(row);
            }
            if (page.Count < PageSize)
                return fresh;
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
    /// <summary>Forgets changes older than given. The newest row stays, so that readers can tell an older copy of the database.</summary>
    public static Upkeep Prune(TimeSpan keep) => new(
        "feed-prune",
        "DELETE FROM changes WHERE at < {now} - @keep AND id < (SELECT newest FROM (SELECT MAX(id) AS newest FROM changes) AS n)",
        new { keep = keep.ToMs() },
        expected: RowCount.Any);
}
