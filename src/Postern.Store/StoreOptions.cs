namespace Postern.Store;

/// <summary>Which database holds the store.</summary>
public enum StoreProvider
{
    /// <summary>An embedded SQLite file, for one machine: write-ahead log, full synchronisation.</summary>
    Sqlite,

    /// <summary>PostgreSQL 13 or newer, for any number of machines.</summary>
    PostgreSql,

    /// <summary>MariaDB 10.6 or MySQL 8.0 or newer, for any number of machines.</summary>
    MySql,
}

/// <summary>Whose clock decides claims, deadlines and expiry.</summary>
public enum StoreTime
{
    /// <summary>The database's: all nodes agree, however wrong their own clocks are.</summary>
    Database,

    /// <summary><see cref="StoreOptions.BoundClock"/>'s, bound as a parameter; for tests that turn the clock.</summary>
    Bound,
}

/// <summary>How the store is reached and how it behaves.</summary>
public sealed record StoreOptions
{
    /// <value>The database; SQLite.</value>
    public StoreProvider Provider { get; init; } = StoreProvider.Sqlite;

    /// <value>
    /// The connection string, such as <c>Data Source=/var/lib/postern/postern.db</c> or
    /// <c>Host=db.example;Database=postern;Username=postern;Password=…</c>. It may hold a password, so it is never logged.
    /// </value>
    public required string ConnectionString { get; init; }

    /// <value>
    /// Whether a server on another machine may be spoken to without TLS, or without checking its certificate; no. Sealed tokens stay
    /// sealed on the way, but whoever can write into the connection can forge rows.
    /// </value>
    public bool AllowUnprotectedServer { get; init; }

    /// <value>Connections to a server that this process keeps open at most; 32. Commits use three quarters of them, so that reads never starve.</value>
    public int PoolSize { get; init; } = 32;

    /// <value>How long to wait for a connection, and for a free one of the pool; 5 seconds.</value>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <value>How long one statement may take on a server; 15 seconds.</value>
    public TimeSpan CommandTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <value>
    /// How long a server lets a transaction stand still before it undoes it: a node that was paused in the middle of a commit keeps
    /// nobody waiting for longer; 4 seconds, less than <see cref="BusyTimeout"/>, so that the others wait and are not refused.
    /// </value>
    public TimeSpan AbandonedAfter { get; init; } = TimeSpan.FromSeconds(4);

    /// <value>This node's name, written into every event; <c>node</c>.</value>
    public string Node { get; init; } = "node";

    /// <value>The clock; the database's.</value>
    public StoreTime Time { get; init; } = StoreTime.Database;

    /// <value>
    /// The clock of <see cref="StoreTime.Bound"/>; null, the injected <see cref="TimeProvider"/>. With it a test gives each node a clock
    /// of its own and all of them one database clock.
    /// </value>
    public TimeProvider? BoundClock { get; init; }

    /// <value>Commits that may wait for SQLite's writer before callers have to wait too; 4,096.</value>
    public int QueueLength { get; init; } = 4096;

    /// <value>Commits that share one synchronisation with the disk in SQLite, at most; 256.</value>
    public int BatchSize { get; init; } = 256;

    /// <value>How long a locked database (SQLite) or row is waited for; 5 seconds.</value>
    public TimeSpan BusyTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <value>How often the feed of changes is read without being woken; 250 ms.</value>
    public TimeSpan FeedPeriod { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <value>How long changes are kept for nodes that were away; 1 hour.</value>
    public TimeSpan KeepChanges { get; init; } = TimeSpan.FromHours(1);

    /// <value>How long the sequencer's lease lasts without renewal; 10 seconds.</value>
    public TimeSpan SequencerLease { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// What is wrong with the connection string, as the end of a sentence that begins with its name, or null. It shows nothing of the
    /// text, which may hold a password.
    /// </summary>
    public string? Problem()
    {
        try
        {
            _ = Provider switch
            {
                StoreProvider.PostgreSql => PostgreSqlDialect.Builder(this).Host,
                StoreProvider.MySql => MySqlDialect.Builder(this).Server,
                _ => new SqliteDialect(this).File,
            };
            return null;
        }
        catch (UnfitConnectionException unfit)
        {
            return unfit.Message;
        }
        catch (Exception e) when (e is ArgumentException or FormatException or KeyNotFoundException or InvalidOperationException or NotSupportedException)
        {
            return "is not one that this provider reads.";
        }
    }

    /// <inheritdoc/>
    public override string ToString() => $"StoreOptions {{ Provider = {Provider}, Node = {Node}, Time = {Time} }}";
}
