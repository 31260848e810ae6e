using System.Data.Common;
using Dapper;
using Npgsql;
using Postern.Store;

namespace Postern.TestDatabases;

/// <summary>A database on the PostgreSQL server of this run.</summary>
public sealed class PostgreSql : TestDatabase, ITestDatabase
{
    private static readonly SemaphoreSlim Copying = new(1, 1);
    private static int last;

    private readonly PrivateServer server;
    private readonly string name;

    private PostgreSql(PrivateServer server, string name) => (this.server, this.name) = (server, name);

    public override string Folder => server.Folder;

    public override StoreOptions Options => new() { Provider = StoreProvider.PostgreSql, ConnectionString = StringTo(server, name) };

    protected override string Waiting => "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";

    protected override DbCommandBuilder CommandBuilder() => new NpgsqlCommandBuilder();

    public static async Task<TestDatabase> CreateAsync() => await CreateAsync("template0");

    public static async Task<TestDatabase> CreateMigratedAsync()
    {
        // Copied from one that was migrated, which takes a tenth of the time.
        const string template = "migrated";
        await Copying.WaitAsync();
        try
        {
            var server = await Servers.PostgreSqlAsync();
            if (!(await new PostgreSql(server, "postgres").ListAsync<string>("SELECT datname FROM pg_database")).Contains(template))
            {
                await AdministerAsync(server, $"CREATE DATABASE {template} TEMPLATE template0");
                await new PostgreSql(server, template).MigratedAsync();
            }
            return await CreateAsync(template);
        }
        finally
        {
            Copying.Release();
        }
    }

    public override DbConnection Connect() => new NpgsqlConnection($"{Options.ConnectionString};Pooling=false");

    public override Task BreakAsync(string moment, string table, string condition) => SqlAsync(
        $"""
        CREATE FUNCTION breaks() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$ LANGUAGE plpgsql;
        CREATE TRIGGER breaks {moment} ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION breaks();
        """);

    public override Task HealAsync(string table) => SqlAsync($"DROP TRIGGER breaks ON {table}; DROP FUNCTION breaks();");

    public override async ValueTask DisposeAsync() => await AdministerAsync(server, $"DROP DATABASE {name} WITH (FORCE)");

    private static async Task<TestDatabase> CreateAsync(string template)
    {
        var server = await Servers.PostgreSqlAsync();
        var name = $"t{Interlocked.Increment(ref last)}";
        await AdministerAsync(server, $"CREATE DATABASE {name} TEMPLATE {template}");
        return new PostgreSql(server, name);
    }

    private static async Task AdministerAsync(PrivateServer server, string sql)
    {
        await using var connection = new NpgsqlConnection($"{StringTo(server, "postgres")};Pooling=false");
        await connection.ExecuteAsync(sql);
    }

    private static string StringTo(PrivateServer server, string database) => $"Host={server.Folder};Username=postern;Database={database}";
}
