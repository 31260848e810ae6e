using System.Data.Common;
using System.Globalization;
using FluentMigrator.Runner;
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

    // 'subsec' gives milliseconds as a fraction, which is rounded because the product with 1000 may fall just below them.
    public override string Now => "CAST(ROUND(unixepoch('subsec') * 1000) AS INTEGER)";

    // One writer at a time, so nothing read in its transaction can change before it ends.
    public override string ShareLock => "";

    public override string UpdateLock => "";

    public override IWriter CreateWriter(Database database, StoreOptions options) => new SqliteWriter(database, options);

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

    // A lock file beside the database, not a lock inside it: the migrator opens transactions of its own. The operating system
    // releases it when its process dies.
    public override async Task<IAsyncDisposable> LockForMigrationAsync(CancellationToken cancellation)
    {
        if (Path.GetDirectoryName(File) is { Length: > 0 } folder)
            Directory.CreateDirectory(folder);
        var held = await MigrationPatience.WaitAsync(
            () =>
            {
                try
                {
                    return Task.FromResult<FileStream?>(new FileStream(File + ".migrate", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
                }
                catch (IOException e) when (e is not (DirectoryNotFoundException or PathTooLongException))
                {
                    return Task.FromResult<FileStream?>(null);
                }
            },
            cancellation);
        CreatePrivately();
        // The journal mode is a property of the file; set it before anybody else opens the file.
        await using (await OpenAsync(cancellation))
        {
        }
        return held;
    }

    public override void ConfigureMigrations(IMigrationRunnerBuilder runner) =>
        runner.AddSQLite().WithGlobalConnectionString(connectionString);

    // For this user only, before SQLite would create it for everybody; its log files take the same permissions.
    private void CreatePrivately()
    {
        if (System.IO.File.Exists(File))
            return;
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var created = new FileStream(File, options);
    }
}
