using Dapper;
using MySqlConnector;
using Npgsql;

namespace Postern.TestDatabases;

/// <summary>The database servers of this run: each started for the first test that needs it, stopped after the last test.</summary>
/// <remarks>
/// They do not wait for the disk, which only a crash of the machine could show: whatever they acknowledge lies with the operating
/// system, so that neither our death nor theirs loses it.
/// </remarks>
public sealed class Servers : IAsyncDisposable
{
    private static readonly Lazy<Task<PrivateServer>> PostgreSqlServer = new(StartPostgreSqlAsync);
    private static readonly Lazy<Task<PrivateServer>> MariaDbServer = new(StartMariaDbAsync);

    public static Task<PrivateServer> PostgreSqlAsync() => PostgreSqlServer.Value;

    public static Task<PrivateServer> MariaDbAsync() => MariaDbServer.Value;

    public async ValueTask DisposeAsync() => await StopAsync();

    /// <summary>Stops what was started, for whoever is no test run.</summary>
    public static async Task StopAsync()
    {
        foreach (var server in (Lazy<Task<PrivateServer>>[])[PostgreSqlServer, MariaDbServer])
        {
            if (server is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
                await (await server.Value).DisposeAsync();
        }
    }

    private static Task<PrivateServer> StartPostgreSqlAsync()
    {
        var binaries = Directory.Exists("/usr/lib/postgresql")
            ? Directory.GetDirectories("/usr/lib/postgresql").Select(version => Path.Combine(version, "bin")).Where(bin => File.Exists(Path.Combine(bin, "postgres"))).Max()
            : null;
        return PrivateServer.StartAsync(
            "postgresql",
            binaries,
            "postgres",
            $"{binaries}/initdb -D data -U postern -A trust -E UTF8 --locale=C --no-sync",
            $"{binaries}/postgres -D data -k $PWD -c listen_addresses= -c fsync=off -c full_page_writes=off -c jit=off -c max_connections=400 -c shared_buffers=64MB",
            async folder =>
            {
                await using var connection = new NpgsqlConnection($"Host={folder};Username=postern;Database=postgres;Pooling=false");
                await connection.ExecuteAsync("SELECT 1");
            });
    }

    private static Task<PrivateServer> StartMariaDbAsync() => PrivateServer.StartAsync(
        "mariadb-server",
        File.Exists("/usr/sbin/mariadbd") ? "/usr/sbin" : null,
        "mysql",
        "mariadb-install-db --no-defaults --datadir=$PWD/data --auth-root-authentication-method=normal --skip-test-db",
        "/usr/sbin/mariadbd --no-defaults --datadir=$PWD/data --socket=$PWD/socket --pid-file=$PWD/pid --skip-networking"
            + " --innodb-flush-log-at-trx-commit=2 --innodb-buffer-pool-size=64M --max-connections=400",
        async folder =>
        {
            await using var connection = new MySqlConnection($"Server={folder}/socket;ConnectionProtocol=UnixSocket;User ID=root;Pooling=false");
            await connection.ExecuteAsync("SELECT 1");
        });
}
