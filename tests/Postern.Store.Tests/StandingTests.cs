using Microsoft.Extensions.DependencyInjection;
using Postern.Model;

namespace Postern.Store.Tests;

/// <summary>What is in force against the log's last word on it.</summary>
public abstract class StandingTests<TDatabase> : StoreSuite<TDatabase> where TDatabase : ITestDatabase
{
    [Fact]
    public async Task Standing_OfADatabaseThatNobodyEdited_HasNoFault()
    {
        await using var fixture = await StartAsync();
        await PutAsync(fixture, 0, 1, "{}");
        await PutAsync(fixture, 1, 2, "{ }");
        var grant = await GiveAsync(fixture);
        await RevokeAsync(fixture, grant);
        await GiveAsync(fixture);

        Assert.Empty(await FaultsAsync(fixture));
    }

    [Fact]
    public async Task Definition_OlderRevisionPutBack_IsAFault()
    {
        await using var fixture = await StartAsync();
        await PutAsync(fixture, 0, 1, "{}");
        await PutAsync(fixture, 1, 2, "{ }");
        await fixture.SqlAsync("DELETE FROM definitions WHERE revision = 2; UPDATE definitions SET superseded_at = NULL WHERE revision = 1");

        var fault = Assert.Single(await FaultsAsync(fixture));
        Assert.Equal("policy/states is in force at revision 1, but the log's last change made revision 2.", fault.ToString());
    }

    [Fact]
    public async Task Definition_EditedAddedOrDeleted_IsAFault()
    {
        await using var fixture = await StartAsync();
        await PutAsync(fixture, 0, 1, "{}");
        await fixture.SqlAsync("UPDATE definitions SET body = '{  }'");
        Assert.Contains("is not what the log's last change put in force", Assert.Single(await FaultsAsync(fixture)).Detail, StringComparison.Ordinal);

        await fixture.SqlAsync("UPDATE definitions SET name = 'other'");
        Assert.Equal(["policy/other", "policy/states"], (await FaultsAsync(fixture)).Select(fault => fault.What));
    }

    [Fact]
    public async Task Grant_RevokedAndPutBackWithEverythingItHad_IsAFault()
    {
        await using var fixture = await StartAsync();
        var grant = await GiveAsync(fixture);
        await fixture.SqlAsync("CREATE TABLE copied AS SELECT * FROM grants");
        await RevokeAsync(fixture, grant);
        await fixture.SqlAsync("DELETE FROM grants; INSERT INTO grants SELECT * FROM copied");

        Assert.Equal($"grant/{grant}", Assert.Single(await FaultsAsync(fixture)).What);
    }

    [Fact]
    public async Task Grant_ReplacedOrOfAnOlderGenerationAndPutBack_IsAFault()
    {
        await using var fixture = await StartAsync();
        var grant = await GiveAsync(fixture);
        await fixture.Store.RecordAsync(Given.Event(EventKind.TokensRenewed) with { Grant = grant, Generation = 2 }, Cancellation);
        Assert.Contains("generation 2", Assert.Single(await FaultsAsync(fixture)).Detail, StringComparison.Ordinal);

        var newer = Given.Event(EventKind.GrantConfirmed) with { Grant = new(fixture.Chance.NewId()), Generation = 1 };
        await fixture.Store.RecordAsync(newer.With("replaced", grant.ToString()), Cancellation);
        Assert.Contains("it is over", Assert.Single(await FaultsAsync(fixture)).Detail, StringComparison.Ordinal);
    }

    private static Task<IReadOnlyList<StandingFault>> FaultsAsync(StoreFixture fixture) =>
        fixture.First.GetRequiredService<StandingVerifier>().VerifyAsync(Given.Tenant, Cancellation);

    private static async Task PutAsync(StoreFixture fixture, long previous, long next, string body)
    {
        var put = await fixture.Store.CommitAsync(
            DefinitionChanges.Put(Given.Tenant, DefinitionKind.Policy, "states", previous, next, body, [1]),
            new AuditEvent(EventKind.DefinitionChanged, Given.Tenant).With("definition", "policy/states").With("revision", next).With("sha256", DefinitionRow.DigestOf(body)),
            null, Cancellation);
        Assert.True(put.Committed);
    }

    private static async Task<GrantId> GiveAsync(StoreFixture fixture)
    {
        var grant = Given.NewGrant(fixture);
        Assert.True((await fixture.Store.CommitAsync(
            [GrantChanges.InsertActive(grant)], Given.Event() with { Grant = grant.Id, Generation = 1 }, null, Cancellation)).Committed);
        return grant.Id;
    }

    private static async Task RevokeAsync(StoreFixture fixture, GrantId grant) => Assert.True((await fixture.Store.CommitAsync(
        [GrantChanges.Revoke(Given.Tenant, grant)], Given.Event(EventKind.GrantRevoked) with { Grant = grant }, null, Cancellation)).Committed);
}

public sealed class StandingTestsOnSqlite : StandingTests<Sqlite>;

public sealed class StandingTestsOnPostgreSql : StandingTests<PostgreSql>;

public sealed class StandingTestsOnMariaDb : StandingTests<MariaDb>;
