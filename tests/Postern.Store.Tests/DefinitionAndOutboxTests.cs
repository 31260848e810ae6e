using System.Collections.Immutable;
using Microsoft.Extensions.DependencyInjection;
using Postern.Model;

namespace Postern.Store.Tests;

/// <summary>Definitions, the outbox of revocations and tenant keys.</summary>
public abstract class DefinitionAndOutboxTests<TDatabase> : StoreSuite<TDatabase> where TDatabase : ITestDatabase
{
    [Fact]
    public async Task Definition_PutOnWhatIsInForce_Supersedes()
    {
        await using var fixture = await StartAsync();
        await fixture.Store.MustAsync(Put(0, "{\"a\":1}"));
        await fixture.Store.MustAsync(Put(1, "{\"a\":2}"));

        var current = await fixture.Store.Definitions.CurrentAsync(Given.Tenant, DefinitionKind.Policy, "states", Cancellation);
        Assert.Equal((2L, "{\"a\":2}"), (current!.Revision, current.Body));
        Assert.Null(current.SupersededAt);
        var old = await fixture.Store.Definitions.FindAsync(Given.Tenant, DefinitionKind.Policy, "states", 1, Cancellation);
        Assert.Equal(fixture.Now, old!.SupersededAt);
        Assert.Single(await fixture.Store.Definitions.CurrentAsync(Given.Tenant, DefinitionKind.Policy, Cancellation));
        Assert.Single(await fixture.Store.Definitions.CurrentOfAllAsync(DefinitionKind.Policy, Cancellation));
        Assert.Empty(await fixture.Store.Definitions.CurrentAsync(Given.Tenant, DefinitionKind.Connection, Cancellation));
        Assert.Equal("policy/states", await fixture.ScalarAsync<string>("SELECT entity_key FROM changes ORDER BY id DESC LIMIT 1"));
    }

    [Fact]
    public async Task Definition_PutOnAnythingElse_IsRefused()
    {
        await using var fixture = await StartAsync();
        await fixture.Store.MustAsync(Put(0, "{}"));
        await fixture.Store.MustAsync(Put(1, "{}"));

        await fixture.Store.RefuseAsync("definition-put", Put(0, "{}"));
        await fixture.Store.RefuseAsync("definition-supersede", Put(1, "{}"));
        await fixture.Store.RefuseAsync("definition-supersede", Put(7, "{}"));
    }

    [Fact]
    public async Task Definition_PutByManyAtOnce_HasOneWinner()
    {
        await using var fixture = await StartAsync();
        await fixture.Store.MustAsync(Put(0, "{}"));

        var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => fixture.Store.CommitAsync(
            Put(1, $"{{\"by\":{i}}}"), Given.Event(EventKind.DefinitionChanged), null, Cancellation)));

        Assert.Single(results, r => r.Committed);
    }

    [Fact]
    public async Task Outbox_ClaimedRetriedDone_IsTriedByOneAtATime()
    {
        await using var fixture = await StartAsync();
        var grant = await Given.ActiveGrantAsync(fixture);
        await fixture.Store.MustAsync([RevocationChanges.EnqueueFromGrant(fixture.Chance.NewId(), Given.Tenant, grant.Id)]);
        var seen = Assert.Single(await fixture.Store.Revocations.DueAsync(10, Cancellation));

        var claims = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => fixture.Store.UpkeepAsync(
            RevocationChanges.Claim(seen, TimeSpan.FromSeconds(30)), Cancellation)));
        Assert.Single(claims, c => c.Committed);
        Assert.Empty(await fixture.Store.Revocations.DueAsync(10, Cancellation));
        await fixture.Store.MustAsync(
            [RevocationChanges.Retry(Given.Tenant, seen.Id, seen.Fence + 1, fixture.Now.AddMinutes(1), "unreachable")], EventKind.ProviderRevocationFailed);

        fixture.Clock.Advance(TimeSpan.FromMinutes(1));
        var again = Assert.Single(await fixture.Store.Revocations.DueAsync(10, Cancellation));
        Assert.Equal((1, "unreachable"), (again.Attempts, again.LastError));
        await fixture.Store.UpkeepAsync(RevocationChanges.Claim(again, TimeSpan.FromSeconds(30)), Cancellation);
        await fixture.Store.RefuseAsync("revocation-finish", [RevocationChanges.Finish(Given.Tenant, seen.Id, again.Fence, RevocationStatus.Done)]);
        await fixture.Store.MustAsync(
            [RevocationChanges.Finish(Given.Tenant, seen.Id, again.Fence + 1, RevocationStatus.Done)], EventKind.ProviderRevoked);

        var done = Assert.Single(await fixture.Store.Revocations.ListOfAsync(Given.Tenant, grant.Id, Cancellation));
        Assert.Equal((RevocationStatus.Done, 2), (done.Status, done.Attempts));
        Assert.Null(done.RefreshSealed);
        Assert.Null(done.AccessSealed);
    }

    [Fact]
    public async Task Outbox_WithALostClaim_IsDueAgain()
    {
        await using var fixture = await StartAsync();
        var row = new RevocationRow(
            fixture.Chance.NewId(), Given.Ana, Given.Connection, new(fixture.Chance.NewId()), 4, new byte[32], [1], [2], fixture.Now.AddHours(1));
        await fixture.Store.MustAsync([RevocationChanges.Enqueue(row)]);
        var seen = Assert.Single(await fixture.Store.Revocations.DueAsync(10, Cancellation));
        Assert.Equal((row.Grant, 4, row.AccessLivesUntil), (seen.Grant, seen.Generation, seen.AccessLivesUntil));
        await fixture.Store.UpkeepAsync(RevocationChanges.Claim(seen, TimeSpan.FromSeconds(30)), Cancellation);

        fixture.Clock.Advance(TimeSpan.FromSeconds(30));

        Assert.Single(await fixture.Store.Revocations.DueAsync(10, Cancellation));
    }

    [Fact]
    public async Task TenantKey_AddedFirstByManyNodes_IsOneWithItsEvent()
    {
        await using var fixture = await StartAsync();
        var keys = fixture.First.GetRequiredService<IWrappedKeys>();

        var added = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => keys.TryAddFirstAsync(
            new(Given.Tenant, fixture.Chance.NewId(), true, "root-1", [(byte)i]), Cancellation)));

        Assert.Single(added, a => a);
        var key = Assert.Single(await keys.ReadAsync(Given.Tenant, Cancellation));
        Assert.True(key.Active);
        Assert.Equal("root-1", key.RootKeyId);
        Assert.Equal([(byte)Array.IndexOf(added, true)], key.Wrapped);
        Assert.Equal(1, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM event_leaves WHERE kind = 610"));
        Assert.Empty(await keys.ReadAsync(TenantId.Parse("other"), Cancellation));
    }

    [Fact]
    public void Attributes_WrittenAndRead_AreTheSame()
    {
        var attributes = ImmutableSortedDictionary<string, ImmutableArray<string>>.Empty
            .Add("state", ["CA", "TX"]).Add("email", ["ana@example.com"]).Add("none", []);

        var read = AttributesJson.Read(AttributesJson.Write(attributes));

        Assert.Equal(attributes.Keys, read.Keys);
        Assert.All(attributes, a => Assert.Equal(a.Value, read[a.Key]));
    }

    private static IReadOnlyList<Change> Put(long previous, string body) =>
        DefinitionChanges.Put(Given.Tenant, DefinitionKind.Policy, "states", previous, previous + 1, body, [1]);
}

public sealed class DefinitionAndOutboxTestsOnSqlite : DefinitionAndOutboxTests<Sqlite>;

public sealed class DefinitionAndOutboxTestsOnPostgreSql : DefinitionAndOutboxTests<PostgreSql>;

public sealed class DefinitionAndOutboxTestsOnMariaDb : DefinitionAndOutboxTests<MariaDb>;
