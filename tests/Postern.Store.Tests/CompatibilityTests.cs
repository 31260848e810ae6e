using Microsoft.Extensions.DependencyInjection;
using Postern.Model;

namespace Postern.Store.Tests;

/// <summary>Texts as every database must compare them, and a schema that a newer version has migrated already.</summary>
public abstract class CompatibilityTests<TDatabase> : StoreSuite<TDatabase> where TDatabase : ITestDatabase
{
    [Theory]
    [InlineData("Ana")]
    [InlineData("ana ")]
    [InlineData("aná")]
    public async Task Person_WhoseIdDiffersInCaseSpaceOrAccent_IsAnotherPerson(string id)
    {
        await using var fixture = await StartAsync();
        await Given.SessionAndConnectionAsync(fixture);
        var theirs = await Given.ActiveGrantAsync(fixture, Given.Ana with { Id = id });

        Assert.Empty(await fixture.Store.Sessions.ListOfAsync(theirs.Subject, Cancellation));
        Assert.Empty(await fixture.Store.Grants.ListOfAsync(Given.Ana, withRevoked: true, Cancellation));
        Assert.Equal(theirs.Subject, Assert.Single(await fixture.Store.Grants.ListOfAsync(theirs.Subject, withRevoked: true, Cancellation)).Subject);
        await fixture.Store.RefuseAsync("query-start", [QueryRunChanges.Start(Given.Run(fixture, theirs))]);
    }

    [Fact]
    public async Task Text_BeyondTheBasicPlane_IsReadAsWritten()
    {
        await using var fixture = await StartAsync();
        var subject = Given.Ana with { Id = "𝒶ńa 🐘" };

        var grant = await Given.ActiveGrantAsync(fixture, subject);

        Assert.Equal(subject, (await fixture.GrantAsync(grant.Id)).Subject);
    }

    [Fact]
    public async Task Schema_OfTheNextVersion_ServesThisOne()
    {
        await using var fixture = await StartAsync();
        // All that a version may do: columns that may be null, and tables of its own.
        foreach (var table in (string[])["grants", "sessions", "definitions", "query_runs", "pending_connects", "embed_codes", "changes", "event_leaves"])
            await fixture.SqlAsync($"ALTER TABLE {table} ADD COLUMN of_the_next_version VARCHAR(10)");
        await fixture.SqlAsync("CREATE TABLE of_the_next_version (id INTEGER)");

        await fixture.AddNode("old").GetRequiredService<PosternStore>().MigrateAsync(Cancellation);
        await Given.SessionAndConnectionAsync(fixture);
        var grant = await Given.ActiveGrantAsync(fixture);
        await fixture.Store.MustAsync([QueryRunChanges.Start(Given.Run(fixture, grant))], EventKind.QueryStarted);
        await fixture.Store.MustAsync([ConnectChanges.Begin(Given.NewConnect(fixture, "handle"))], EventKind.ConnectBegun);
        await fixture.Store.MustAsync(
            [RevocationChanges.EnqueueFromGrant(fixture.Chance.NewId(), Given.Tenant, grant.Id), GrantChanges.Revoke(Given.Tenant, grant.Id)]);

        Assert.Equal(GrantState.Revoked, (await fixture.GrantAsync(grant.Id)).State);
    }
}

public sealed class CompatibilityOnSqlite : CompatibilityTests<Sqlite>;

public sealed class CompatibilityOnPostgreSql : CompatibilityTests<PostgreSql>
{
    [Fact]
    public async Task Session_OfTheStore_BoundsWaitingAndStandingStill()
    {
        await using var fixture = await StartAsync();
        await using var connection = await fixture.First.GetRequiredService<SqlDialect>().OpenAsync(Cancellation);

        Assert.Equal("5s", await Dapper.SqlMapper.ExecuteScalarAsync<string>(connection, "SHOW lock_timeout"));
        Assert.Equal("4s", await Dapper.SqlMapper.ExecuteScalarAsync<string>(connection, "SHOW idle_in_transaction_session_timeout"));
    }
}

public sealed class CompatibilityOnMariaDb : CompatibilityTests<MariaDb>
{
    [Fact]
    public async Task Session_OfTheStore_IsStrictAndBoundsWaitingAndStandingStill()
    {
        await using var fixture = await StartAsync();
        await using var connection = await fixture.First.GetRequiredService<SqlDialect>().OpenAsync(Cancellation);

        Assert.Contains("STRICT_ALL_TABLES", await Dapper.SqlMapper.ExecuteScalarAsync<string>(connection, "SELECT @@sql_mode"), StringComparison.Ordinal);
        Assert.Equal("5/4", await Dapper.SqlMapper.ExecuteScalarAsync<string>(connection, "SELECT CONCAT(@@innodb_lock_wait_timeout, '/', @@idle_transaction_timeout)"));
    }

    [Fact]
    public async Task Texts_OfEveryTable_AreComparedByteForByte()
    {
        await using var fixture = await StartAsync();

        var others = await fixture.Database.ListAsync<string>(
            """
            SELECT CONCAT(table_name, '.', column_name) FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name <> 'VersionInfo' AND collation_name <> 'utf8mb4_nopad_bin'
            """);

        Assert.Empty(others);
    }

    [Fact]
    public async Task Session_ThatTheServerEndedInThePool_IsNotUsed()
    {
        await using var fixture = await StartAsync();
        await Given.SessionAndConnectionAsync(fixture);
        var grant = await Given.ActiveGrantAsync(fixture);

        // As wait_timeout does it to whoever was idle, or paused.
        const string pooled = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()";
        var sessions = await fixture.Database.ListAsync<long>(pooled);
        Assert.NotEmpty(sessions);
        foreach (var session in sessions)
            await fixture.Database.SqlAsync($"KILL {session}");
        while ((await fixture.Database.ListAsync<long>(pooled)).Intersect(sessions).Any())
            await Task.Delay(20, Cancellation);

        await fixture.Store.MustAsync([QueryRunChanges.Start(Given.Run(fixture, grant))], EventKind.QueryStarted);
    }
}
