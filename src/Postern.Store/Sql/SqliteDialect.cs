using System.Data.Common;
using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Postern.Store;

/// <summary>
/// SQLite in a file: write-ahead log, so that readers and the writer do not wait for one another; full synchronisation, so that an
/// acknowledged commit survives a power cut.
/// </summary>
internal sealed class SqliteDialect : SqlDialect
{
    private readonly string connectionString;
    private readonly string settings;

    public SqliteDialect(StoreOptions options)
    {
        var seconds = (int)Math.Max(1, Math.Ceiling(options.BusyTimeout.TotalSeconds));
        var builder = new SqliteConnectionStringBuilder(options.ConnectionString) { ForeignKeys = true, DefaultTimeout = seconds };
        if (builder.Mode == SqliteOpenMode.Memory || builder.DataSource is "" or ":memory:")
            throw new ArgumentException("The store needs a file: every connection would see an empty database of its own in memory.", nameof(options));
        connectionString = builder.ConnectionString;
        File = Path.GetFullPath(builder.DataSource);
        settings = string.Create(
            CultureInfo.InvariantCulture,
            $"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout={(long)options.BusyTimeout.TotalMilliseconds};");
    }

    /// <summary>The database file.</summary>
    public string File { get; }

    public string ConnectionString => connectionString;

    // 'subsec' gives milliseconds as a fraction, which is rounded because the product with 1000 may fall just below them.
    public override string Now => "CAST(ROUND(unixepoch('subsec') * 1000) AS INTEGER)";

    public override async ValueTask<DbConnection> OpenAsync(CancellationToken cancellation)
    {
        var connection = new SqliteConnection(connectionString);
        try
        {
            await connection.OpenAsync(cancellation);
            await using var command = connection.CreateCommand();
            command.CommandText = settings;
            await command.ExecuteNonQueryAsync(cancellation);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    public override bool IsDuplicate(DbException exception) => exception is SqliteException
    {
        SqliteExtendedErrorCode: SQLitePCL.raw.SQLITE_CONSTRAINT_UNIQUE or SQLitePCL.raw.SQLITE_CONSTRAINT_PRIMARYKEY,
    };
}
