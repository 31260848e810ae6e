using System.Data.Common;
using FluentMigrator.Runner;

namespace Postern.Store;

/// <summary>
/// What differs from database to database. Everything else is SQL that SQLite, PostgreSQL and MySQL read alike: column names that are
/// reserved nowhere, no upserts, no RETURNING, uniqueness "while active" by nullable unique columns, affected rows that count what a
/// WHERE found.
/// </summary>
internal abstract class SqlDialect : IAsyncDisposable
{
    /// <summary>
    /// An expression for the database's clock in Unix milliseconds, as BIGINT: the time at which the statement began. A statement that
    /// waited for a row judges that row as it is then, by a clock that is late by the wait (<see cref="StoreOptions.BusyTimeout"/> at
    /// most); every deadline it writes is early by as much, so its holder gives up sooner and nobody later.
    /// </summary>
    public abstract string Now { get; }

    /// <summary>
    /// Stands at the end of a SELECT, for <c>{share}</c>: rows read cannot change until the transaction ends. Empty where one writer
    /// works at a time anyway.
    /// </summary>
    public abstract string ShareLock { get; }

    /// <summary>As <see cref="ShareLock"/>, for <c>{update}</c>: nobody else may lock them either.</summary>
    public abstract string UpdateLock { get; }

    /// <summary>False where one writer works at a time.</summary>
    public bool HasRowLocks => UpdateLock.Length > 0;

    /// <summary>A statement that wakes the other nodes' feeds when the transaction commits; null where they only poll.</summary>
    public virtual string? Announcement => null;

    /// <summary>The SQL as this database reads it, but for <c>{now}</c>.</summary>
    public virtual string Translate(string sql) => sql
        .Replace("{share}", ShareLock, StringComparison.Ordinal)
        .Replace("{update}", UpdateLock, StringComparison.Ordinal);

    /// <summary>An open connection that brings its session settings along.</summary>
    public abstract ValueTask<DbConnection> OpenAsync(CancellationToken cancellation);

    /// <summary>True when the statement broke a unique or primary key: somebody else was first.</summary>
    public abstract bool IsDuplicate(DbException exception);

    /// <summary>
    /// True when the database undid the transaction because of another one (deadlock, serialization), so that it may be run again from
    /// its start. Never for a lost connection: the commit may stand.
    /// </summary>
    public virtual bool MayRunAgain(DbException exception) => false;

    /// <summary>What writes: one transaction at a time in SQLite, many on a server.</summary>
    public abstract IWriter CreateWriter(Database database, StoreOptions options);

    /// <summary>Listens for <see cref="Announcement"/> until it is cancelled or the connection is lost.</summary>
    public virtual Task ListenAsync(Action wake, CancellationToken cancellation) => Task.Delay(Timeout.Infinite, cancellation);

    /// <summary>Waits until no other process migrates this database, and keeps others waiting until disposed.</summary>
    public abstract Task<IAsyncDisposable> LockForMigrationAsync(CancellationToken cancellation);

    /// <summary>Tells the migrator how this database spells tables and how it is reached. Called under the lock.</summary>
    public abstract void ConfigureMigrations(IMigrationRunnerBuilder runner);

    /// <inheritdoc/>
    public virtual ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>The dialect that the options name.</summary>
    /// <exception cref="ArgumentException">The connection string does not fit.</exception>
    public static SqlDialect For(StoreOptions options) => options.Provider switch
    {
        StoreProvider.Sqlite => new SqliteDialect(options),
        StoreProvider.PostgreSql => new PostgreSqlDialect(options),
        StoreProvider.MySql => new MySqlDialect(options),
        _ => throw new ArgumentException($"{options.Provider} is no provider.", nameof(options)),
    };
}
