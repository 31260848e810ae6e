using System.Data.Common;
using System.Globalization;
using Dapper;
using FluentMigrator.Runner;
using FluentMigrator.Runner.Generators.MySql;
using FluentMigrator.Runner.Processors.MySql;
using Microsoft.Extensions.DependencyInjection;
using MySqlConnector;

namespace Postern.Store;

/// <summary>
/// MariaDB and MySQL with InnoDB. Transactions run at READ COMMITTED (<see cref="ServerWriter"/>), not at the server's default: at
/// REPEATABLE READ a statement may decide by a snapshot that is older than the row it locked.
/// </summary>
internal sealed class MySqlDialect : SqlDialect
{
    // Without the pool and our time limits: for connections that wait or work for long.
    private readonly string plain;
    private readonly MySqlDataSource source;
    private string collation = "";

    public MySqlDialect(StoreOptions options)
    {
        var builder = Builder(options);
        plain = new MySqlConnectionStringBuilder(builder.ConnectionString) { Pooling = false }.ConnectionString;
        // Strict: a text that is too long is an error and not another, shorter text. A session that stands still in a transaction ends.
        string Settings(MySqlConnection connection) => string.Create(
            CultureInfo.InvariantCulture,
            $"""
            SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', innodb_lock_wait_timeout = {Seconds(options.BusyTimeout)},
            {(IsMariaDb(connection) ? "idle_transaction_timeout" : "wait_timeout")} = {Seconds(options.AbandonedAfter)}
            """);
        source = new MySqlDataSourceBuilder(builder.ConnectionString).UseConnectionOpenedCallback(async (context, cancellation) =>
        {
            if (context.Conditions.HasFlag(MySqlConnectionOpenedConditions.New))
                await context.Connection.ExecuteAsync(new CommandDefinition(Settings(context.Connection), cancellationToken: cancellation));
        }).Build();
    }

    /// <summary>The connection string with what the store adds.</summary>
    /// <exception cref="ArgumentException">It does not fit.</exception>
    public static MySqlConnectionStringBuilder Builder(StoreOptions options)
    {
        var builder = new MySqlConnectionStringBuilder(options.ConnectionString)
        {
            MaximumPoolSize = (uint)options.PoolSize,
            ConnectionTimeout = Seconds(options.ConnectTimeout),
            DefaultCommandTimeout = Seconds(options.CommandTimeout),
            Keepalive = 15,
            // Rows found, not rows that became different: a change that writes the same value has found its row.
            UseAffectedRows = false,
            GuidFormat = MySqlGuidFormat.None,
            CharacterSet = "utf8mb4",
            // Nothing but the settings below ever lies in a session, and an unfinished transaction ends with its object.
            ConnectionReset = false,
            ApplicationName = $"postern {options.Node}",
        };
        if (string.IsNullOrEmpty(builder.Server) || string.IsNullOrEmpty(builder.Database))
            throw new UnfitConnectionException("names no Server or no Database.");
        Protect(builder, options.ConnectionString, options.AllowUnprotectedServer);
        return builder;
    }

    // By UTC on both sides, so that no session's time zone and no hour that comes twice in autumn takes part.
    public override string Now => "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) DIV 1000)";

    // MariaDB does not know FOR SHARE; MySQL 8 still knows this.
    public override string ShareLock => "LOCK IN SHARE MODE";

    public override string UpdateLock => "FOR UPDATE";

    // A table of a few rows is as cheap to read by any index, and the optimizer then takes the tenant's. Two statements that come to a row
    // by different indexes lock it in different order, and one of them ends in a deadlock; so a row named by its id is found by its key.
    public override string Translate(string sql)
    {
        var translated = base.Translate(sql);
        return translated.StartsWith("UPDATE ", StringComparison.Ordinal) && translated.Contains("WHERE id = @id", StringComparison.Ordinal)
            ? translated.Insert(translated.IndexOf(" SET ", StringComparison.Ordinal), " FORCE INDEX (PRIMARY)")
            : translated;
    }

    // The pool hands out a session without looking at it, and the server ended it if it lay there for longer than we let sessions stand
    // still, or if this process was paused. One that does not answer is closed, and the next one taken.
    public override async ValueTask<DbConnection> OpenAsync(CancellationToken cancellation)
    {
        while (true)
        {
            var connection = await source.OpenConnectionAsync(cancellation);
            if (await connection.PingAsync(cancellation))
                return connection;
            await connection.DisposeAsync();
        }
    }

    public override bool IsDuplicate(DbException exception) => exception is MySqlException { ErrorCode: MySqlErrorCode.DuplicateKeyEntry };

    public override bool MayRunAgain(DbException exception) =>
        exception is MySqlException { ErrorCode: MySqlErrorCode.LockDeadlock or MySqlErrorCode.LockWaitTimeout };

    public override IWriter CreateWriter(Database database, StoreOptions options) => new ServerWriter(database, options);

    // A lock of the session, on a connection of its own without our time limits: it stands until disposed, or until this process dies.
    // Its name is the server's, not the database's, so it holds the database's name.
    public override async Task<IAsyncDisposable> LockForMigrationAsync(CancellationToken cancellation)
    {
        var connection = new MySqlConnection(plain);
        try
        {
            await connection.OpenAsync(cancellation);
            var held = await MigrationPatience.WaitAsync(
                async () => await connection.ExecuteScalarAsync<long?>("SELECT GET_LOCK(CONCAT('postern.', MD5(DATABASE())), 0)") == 1 ? connection : null,
                cancellation);
            // Byte for byte, trailing spaces included: 'ana' and 'ana ' are two people. Each of the two calls that something else.
            collation = IsMariaDb(connection) ? "utf8mb4_nopad_bin" : "utf8mb4_0900_bin";
            return held;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    public override void ConfigureMigrations(IMigrationRunnerBuilder runner)
    {
        runner.AddMySql8().WithGlobalConnectionString(plain);
        runner.Services.AddScoped<IMySqlTypeMap>(_ => new MySqlTypes(collation));
        runner.Services.AddScoped<MySql8Processor, RestartableMySqlProcessor>();
    }

    private static bool IsMariaDb(MySqlConnection connection) => connection.ServerVersion.Contains("MariaDB", StringComparison.OrdinalIgnoreCase);

    public override async ValueTask DisposeAsync()
    {
        await source.DisposeAsync();
        await base.DisposeAsync();
    }

    private static void Protect(MySqlConnectionStringBuilder builder, string written, bool allowUnprotected)
    {
        if (ServerAddress.IsThisMachine(builder.Server))
            return;
        if (!ServerAddress.Mentions(written, "SSL Mode", "SslMode"))
            builder.SslMode = MySqlSslMode.VerifyFull;
        else if (builder.SslMode is not (MySqlSslMode.VerifyFull or MySqlSslMode.VerifyCA) && !allowUnprotected)
            throw new UnfitConnectionException(ServerAddress.Unprotected);
    }

    private static uint Seconds(TimeSpan time) => (uint)Math.Max(1, Math.Ceiling(time.TotalSeconds));
}
