using Microsoft.Extensions.DependencyInjection;
using Postern.Model;

namespace Postern.Store.Tests;

public abstract class CommitTests<TDatabase> : StoreSuite<TDatabase> where TDatabase : ITestDatabase
{
    [Fact]
    public async Task Commit_WithARefusedChange_WritesNothingOfItAndNoEvent()
    {
        await using var fixture = await StartAsync();
        var grant = Given.NewGrant(fixture);

        await fixture.Store.RefuseAsync("grant-revoke",
            [GrantChanges.InsertActive(grant), GrantChanges.Revoke(Given.Tenant, new(Guid.Empty))]);

        Assert.Null(await fixture.Store.Grants.FindAsync(Given.Tenant, grant.Id, Cancellation));
        Assert.Equal(0, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM event_leaves"));
        Assert.Equal(0, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM changes"));
    }

    [Fact]
    public async Task Commit_WithEvents_WritesALeafForEachAtTheStoresTime()
    {
        await using var fixture = await StartAsync();
        fixture.Clock.Advance(TimeSpan.FromDays(1));

        await fixture.Store.CommitAsync([GrantChanges.InsertActive(Given.NewGrant(fixture))],
            Given.Event(EventKind.TokensIssued), [Given.Event(EventKind.GrantConfirmed)], Cancellation);

        Assert.Equal(2, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM event_leaves WHERE at = @at", new { at = fixture.Now.ToUnixTimeMilliseconds() }));
    }

    [Fact]
    public async Task Record_OfARefusal_IsDurableAndHeard()
    {
        await using var fixture = await StartAsync();
        var heard = new Listener();
        var node = fixture.AddNode("two", listener: heard).GetRequiredService<PosternStore>();
        var refused = Given.Event(EventKind.QueryRefused) with { Code = "policy" };

        await node.RecordAsync(refused, Cancellation);

        Assert.Equal([refused], heard.Events);
        Assert.Equal(1, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM event_leaves WHERE kind = 500"));
    }

    [Fact]
    public async Task Listener_OfARefusedCommit_HearsNothing()
    {
        await using var fixture = await StartAsync();
        var heard = new Listener();
        var node = fixture.AddNode("two", listener: heard).GetRequiredService<PosternStore>();

        await node.RefuseAsync("grant-revoke", [GrantChanges.Revoke(Given.Tenant, new(Guid.Empty))]);

        Assert.Empty(heard.Events);
    }

    [Fact]
    public async Task Commit_AfterDispose_SaysThatTheStoreIsClosed()
    {
        await using var fixture = await StartAsync();
        await fixture.Store.DisposeAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => fixture.Store.RecordAsync(Given.Event(), Cancellation));
    }

    [Fact]
    public async Task Dispose_WithCommitsQueued_WritesThemFirst()
    {
        await using var fixture = await StartAsync();
        var commits = Enumerable.Range(0, 100).Select(_ => fixture.Store.RecordAsync(Given.Event(), Cancellation)).ToArray();

        await fixture.Store.DisposeAsync();
        await Task.WhenAll(commits);

        Assert.Equal(100, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM event_leaves"));
    }

    [Fact]
    public async Task Clock_OfTheDatabase_IsInMillisecondsAndNearOurs()
    {
        await using var fixture = await StartAsync(StoreTime.Database);
        var before = TimeProvider.System.GetUtcNow().AddMilliseconds(-2);

        var now = await fixture.Store.Clock.NowAsync(Cancellation);

        Assert.InRange(now, before, TimeProvider.System.GetUtcNow().AddMilliseconds(2));
    }

    [Fact]
    public void Change_FromOutside_CannotBeMade()
    {
        Assert.Empty(typeof(Change).GetConstructors());
        Assert.Empty(typeof(Upkeep).GetConstructors());
    }

    [Fact]
    public async Task Commit_WithAListenerThatThrows_IsCommittedAllTheSame()
    {
        await using var fixture = await StartAsync();
        var node = fixture.AddNode("two", listener: new Thrower()).GetRequiredService<PosternStore>();
        var grant = Given.NewGrant(fixture);

        var result = await node.CommitAsync([GrantChanges.InsertActive(grant)], Given.Event(), [Given.Event(EventKind.GrantConfirmed)], Cancellation);

        Assert.True(result.Committed);
        Assert.NotNull(await fixture.Store.Grants.FindAsync(Given.Tenant, grant.Id, Cancellation));
        Assert.Equal(2, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM event_leaves"));
    }

    private sealed class Thrower : IEventListener
    {
        public void On(AuditEvent committed) => throw new InvalidOperationException("A sink is full.");
    }

    private sealed class Listener : IEventListener
    {
        public List<AuditEvent> Events { get; } = [];

        public void On(AuditEvent committed) => Events.Add(committed);
    }
}

public sealed class CommitTestsOnSqlite : CommitTests<Sqlite>;

public sealed class CommitTestsOnPostgreSql : CommitTests<PostgreSql>;

public sealed class CommitTestsOnMariaDb : CommitTests<MariaDb>;
