using System.Data.Common;

namespace Postern.Store;

/// <summary>
/// What differs from database to database. Everything else is SQL that SQLite, PostgreSQL and MySQL read alike: column names that are
/// reserved nowhere, no upserts, no RETURNING, uniqueness "while active" by nullable unique columns.
/// </summary>
internal abstract class SqlDialect
{
    /// <summary>An expression for the database's clock in Unix milliseconds, as BIGINT.</summary>
    public abstract string Now { get; }

    /// <summary>A connection, not yet open, that brings its session settings along.</summary>
    public abstract ValueTask<DbConnection> OpenAsync(CancellationToken cancellation);

    /// <summary>True when the statement broke a unique or primary key: somebody else was first.</summary>
    public abstract bool IsDuplicate(DbException exception);
}
