using System.Data.Common;
using System.Globalization;
using Dapper;
using FluentMigrator.Runner;
using Npgsql;

namespace Postern.Store;

/// <summary>
/// PostgreSQL. Transactions run at READ COMMITTED (<see cref="ServerWriter"/>); session settings travel in the connection's start-up
/// message, so they cost nothing and survive the pool's reset.
/// </summary>
internal sealed class PostgreSqlDialect : SqlDialect
{
    private const string Channel = "postern_changes";

    // Any number, the same in every version: "postern" in ASCII.
    private const long MigrationLock = 0x706f737465726e;

    // Without the pool and our time limits: for connections that wait or work for long.
    private readonly string plain;
    private readonly NpgsqlDataSource source;

    public PostgreSqlDialect(StoreOptions options)
    {
        var builder = Builder(options);
        plain = new NpgsqlConnectionStringBuilder(builder.ConnectionString) { Pooling = false }.ConnectionString;
        builder.Options = string.Create(
            CultureInfo.InvariantCulture,
            $"{builder.Options} -c lock_timeout={(long)options.BusyTimeout.TotalMilliseconds} -c idle_in_transaction_session_timeout={(long)options.AbandonedAfter.TotalMilliseconds}").Trim();
        source = NpgsqlDataSource.Create(builder);
    }

    /// <summary>The connection string with what the store adds.</summary>
    /// <exception cref="ArgumentException">It does not fit.</exception>
    public static NpgsqlConnectionStringBuilder Builder(StoreOptions options)
    {
        var builder = new NpgsqlConnectionStringBuilder(options.ConnectionString)
        {
            MaxPoolSize = options.PoolSize,
            Timeout = Seconds(options.ConnectTimeout),
            CommandTimeout = Seconds(options.CommandTimeout),
            ApplicationName = $"postern {options.Node}",
            // A wait on a dead peer ends though nothing is sent.
            KeepAlive = 15,
            IncludeErrorDetail = false,
        };
        if (string.IsNullOrEmpty(builder.Host) || string.IsNullOrEmpty(builder.Database))
            throw new UnfitConnectionException("names no Host or no Database.");
        Protect(builder, options.ConnectionString, options.AllowUnprotectedServer);
        return builder;
    }

    public override string Now => "CAST(FLOOR(EXTRACT(EPOCH FROM statement_timestamp()) * 1000) AS BIGINT)";

    public override string ShareLock => "FOR SHARE";

    public override string UpdateLock => "FOR UPDATE";

    public override string Announcement => $"NOTIFY {Channel}";

    public override async ValueTask<DbConnection> OpenAsync(CancellationToken cancellation) => await source.OpenConnectionAsync(cancellation);

    public override bool IsDuplicate(DbException exception) => exception.SqlState == PostgresErrorCodes.UniqueViolation;

    public override bool MayRunAgain(DbException exception) =>
        exception.SqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected;

    public override IWriter CreateWriter(Database database, StoreOptions options) => new ServerWriter(database, options);

    public override async Task ListenAsync(Action wake, CancellationToken cancellation)
    {
        // Not from the pool: this one waits for as long as the node lives.
        await using var connection = new NpgsqlConnection(plain);
        await connection.OpenAsync(cancellation);
        connection.Notification += (_, _) => wake();
        await connection.ExecuteAsync(new CommandDefinition($"LISTEN {Channel}", cancellationToken: cancellation));
        // What was announced between the loss of the last connection and this one.
        wake();
        while (true)
            await connection.WaitAsync(cancellation);
    }

    // A lock of the session, on a connection of its own without our time limits: it stands until disposed, or until this process dies.
    public override async Task<IAsyncDisposable> LockForMigrationAsync(CancellationToken cancellation)
    {
        var connection = new NpgsqlConnection(plain);
        try
        {
            await connection.OpenAsync(cancellation);
            return await MigrationPatience.WaitAsync(
                async () => await connection.ExecuteScalarAsync<bool>("SELECT pg_try_advisory_lock(@id)", new { id = MigrationLock }) ? connection : null,
                cancellation);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    public override void ConfigureMigrations(IMigrationRunnerBuilder runner) => runner.AddPostgres11_0().WithGlobalConnectionString(plain);

    public override async ValueTask DisposeAsync()
    {
        await source.DisposeAsync();
        await base.DisposeAsync();
    }

    // Checked certificates unless the operator says otherwise; less than that, off this machine, only by a name that tells the danger.
    private static void Protect(NpgsqlConnectionStringBuilder builder, string written, bool allowUnprotected)
    {
        if (ServerAddress.IsThisMachine(builder.Host!))
            return;
        if (!ServerAddress.Mentions(written, "SSL Mode", "SslMode"))
            builder.SslMode = SslMode.VerifyFull;
        else if (builder.SslMode is not (SslMode.VerifyFull or SslMode.VerifyCA) && !allowUnprotected)
            throw new UnfitConnectionException(ServerAddress.Unprotected);
    }

    private static int Seconds(TimeSpan time) => (int)Math.Max(1, Math.Ceiling(time.TotalSeconds));
}
