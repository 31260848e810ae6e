namespace Postern.Store.Tests;

/// <summary>What a connection string to a server must say.</summary>
public sealed class ServerOptionsTests
{
    private const string Pg = "Host={0};Database=postern;Username=u;Password=hunter2";
    private const string My = "Server={0};Database=postern;User ID=u;Password=hunter2";

    [Theory]
    [InlineData(StoreProvider.PostgreSql, Pg, "SSL Mode=Disable")]
    [InlineData(StoreProvider.PostgreSql, Pg, "SslMode=Prefer")]
    [InlineData(StoreProvider.PostgreSql, Pg, "SSL Mode=Require")]
    [InlineData(StoreProvider.MySql, My, "SslMode=None")]
    [InlineData(StoreProvider.MySql, My, "Ssl Mode=Preferred")]
    [InlineData(StoreProvider.MySql, My, "SSL Mode=Required")]
    public async Task Server_OnAnotherMachineWithoutCheckedTls_IsRefusedUnlessAllowed(StoreProvider provider, string connection, string mode)
    {
        var options = new StoreOptions { Provider = provider, ConnectionString = $"{string.Format(null, connection, "db.example")};{mode}" };

        var refused = Assert.ThrowsAny<ArgumentException>(() => SqlDialect.For(options));
        Assert.DoesNotContain("hunter2", refused.ToString(), StringComparison.Ordinal);
        await SqlDialect.For(options with { AllowUnprotectedServer = true }).DisposeAsync();
        await SqlDialect.For(options with { ConnectionString = $"{string.Format(null, connection, "127.0.0.1")};{mode}" }).DisposeAsync();
    }

    [Theory]
    [InlineData("db.example")]
    [InlineData("10.0.0.5")]
    [InlineData("localhost,db.example")]
    public void Server_OnAnotherMachineWithoutAMode_HasItsCertificateAndItsNameChecked(string host)
    {
        var pg = new StoreOptions { Provider = StoreProvider.PostgreSql, ConnectionString = Pg.Replace("{0}", host, StringComparison.Ordinal) };
        var my = new StoreOptions { Provider = StoreProvider.MySql, ConnectionString = My.Replace("{0}", host, StringComparison.Ordinal) };

        Assert.Equal(Npgsql.SslMode.VerifyFull, PostgreSqlDialect.Builder(pg).SslMode);
        Assert.Equal(MySqlConnector.MySqlSslMode.VerifyFull, MySqlDialect.Builder(my).SslMode);
        // Allowing less does not ask for less.
        Assert.Equal(Npgsql.SslMode.VerifyFull, PostgreSqlDialect.Builder(pg with { AllowUnprotectedServer = true }).SslMode);
        Assert.Equal(MySqlConnector.MySqlSslMode.VerifyFull, MySqlDialect.Builder(my with { AllowUnprotectedServer = true }).SslMode);
    }

    [Theory]
    [InlineData("localhost", true)]
    [InlineData("127.0.0.1", true)]
    [InlineData("127.0.0.1:5433", true)]
    [InlineData("::1", true)]
    [InlineData("/run/postgresql", true)]
    [InlineData("db.example", false)]
    [InlineData("10.0.0.5", false)]
    [InlineData("localhost,db.example", false)]
    [InlineData("localhost.example", false)]
    [InlineData("", false)]
    public void ThisMachine_IsLoopbackOrASocket(string hosts, bool expected) => Assert.Equal(expected, ServerAddress.IsThisMachine(hosts));

    [Theory]
    [InlineData(StoreProvider.PostgreSql, "Database=postern")]
    [InlineData(StoreProvider.PostgreSql, "Host=localhost")]
    [InlineData(StoreProvider.MySql, "Server=localhost")]
    public void Connection_WithoutServerOrDatabase_IsRefused(StoreProvider provider, string connection) =>
        Assert.ThrowsAny<ArgumentException>(() => SqlDialect.For(new() { Provider = provider, ConnectionString = connection }));
}
