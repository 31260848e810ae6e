using System.Data.Common;
using Dapper;
using MySqlConnector;
using Postern.Store;

namespace Postern.TestDatabases;

/// <summary>A database on the MariaDB server of this run.</summary>
public sealed class MariaDb : TestDatabase, ITestDatabase
{
    private static int last;

    private readonly PrivateServer server;
    private readonly string name;

    private MariaDb(PrivateServer server, string name) => (this.server, this.name) = (server, name);

    public override string Folder => server.Folder;

    public override StoreOptions Options => new() { Provider = StoreProvider.MySql, ConnectionString = StringTo(server, name) };

    protected override string Waiting =>
        """
        SELECT COUNT(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
        WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()
        """;

    protected override string Schema => "DATABASE()";

    protected override DbCommandBuilder CommandBuilder() => new MySqlCommandBuilder();

    public static async Task<TestDatabase> CreateAsync() => await NewAsync();

    public static async Task<TestDatabase> CreateMigratedAsync() => await (await NewAsync()).MigratedAsync();

    public override DbConnection Connect() => new MySqlConnection($"{Options.ConnectionString};Pooling=false");

    public override Task BreakAsync(string moment, string table, string condition) => SqlAsync(
        $"CREATE TRIGGER breaks {moment} ON {table} FOR EACH ROW IF {condition} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'broken'; END IF");

    public override Task HealAsync(string table) => SqlAsync("DROP TRIGGER breaks");

    public override async ValueTask DisposeAsync() => await AdministerAsync(server, $"DROP DATABASE {name}");

    private static async Task<MariaDb> NewAsync()
    {
        var server = await Servers.MariaDbAsync();
        var name = $"t{Interlocked.Increment(ref last)}";
        // As a careless administrator would: the schema must not take its collation from here.
        await AdministerAsync(server, $"CREATE DATABASE {name} CHARACTER SET latin1 COLLATE latin1_swedish_ci");
        return new MariaDb(server, name);
    }

    private static async Task AdministerAsync(PrivateServer server, string sql)
    {
        await using var connection = new MySqlConnection($"{StringTo(server, "mysql")};Pooling=false");
        await connection.ExecuteAsync(sql);
    }

    private static string StringTo(PrivateServer server, string database) =>
        $"Server={server.Folder}/socket;ConnectionProtocol=UnixSocket;User ID=root;Database={database}";
}
