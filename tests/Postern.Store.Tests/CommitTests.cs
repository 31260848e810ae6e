using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Postern.Model;

namespace Postern.Store.Tests;

public sealed class CommitTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Commit_WithARefusedChange_WritesNothingOfItAndNoEvent()
    {
        await using var fixture = await StoreFixture.StartAsync();
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
        await using var fixture = await StoreFixture.StartAsync();
        fixture.Clock.Advance(TimeSpan.FromDays(1));

        await fixture.Store.CommitAsync([GrantChanges.InsertActive(Given.NewGrant(fixture))],
            Given.Event(EventKind.TokensIssued), [Given.Event(EventKind.GrantConfirmed)], Cancellation);

        Assert.Equal(2, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM event_leaves WHERE at = @at", new { at = fixture.Now.ToUnixTimeMilliseconds() }));
    }

    [Fact]
    public async Task Record_OfARefusal_IsDurableAndHeard()
    {
        await using var fixture = await StoreFixture.StartAsync();
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
        await using var fixture = await StoreFixture.StartAsync();
        var heard = new Listener();
        var node = fixture.AddNode("two", listener: heard).GetRequiredService<PosternStore>();

        await node.RefuseAsync("grant-revoke", [GrantChanges.Revoke(Given.Tenant, new(Guid.Empty))]);

        Assert.Empty(heard.Events);
    }

    [Fact]
    public async Task Commit_OneRefusedAmongManyAtOnce_DisturbsNobody()
    {
        await using var fixture = await StoreFixture.StartAsync();
        const int many = 64;
        var grants = Enumerable.Range(0, many).Select(i => Given.NewGrant(fixture, Given.Ana with { Id = $"user {i}" })).ToArray();
        // While the file is locked the commits queue up, so that one transaction takes them all.
        await using var blocker = new SqliteConnection(fixture.ConnectionString);
        await blocker.OpenAsync(Cancellation);
        var held = blocker.BeginTransaction(deferred: false);

        var commits = grants.Select((grant, i) => fixture.Store.CommitAsync(
            i % 8 == 3
                ? [GrantChanges.InsertActive(grant), GrantChanges.Revoke(Given.Tenant, new(Guid.Empty))]
                : [GrantChanges.InsertActive(grant)],
            Given.Event(), null, Cancellation)).ToArray();
        await held.RollbackAsync(Cancellation);
        var results = await Task.WhenAll(commits);

        Assert.Equal(many / 8, results.Count(r => r == CommitResult.RefusedBy("grant-revoke")));
        for (var i = 0; i < many; i++)
        {
            var row = await fixture.Store.Grants.FindAsync(Given.Tenant, grants[i].Id, Cancellation);
            Assert.Equal(results[i].Committed, row is not null);
        }
        Assert.Equal(many - many / 8, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM event_leaves"));
    }

    [Fact]
    public async Task Commit_ThatBreaksAmongOthers_FailsAlone()
    {
        await using var fixture = await StoreFixture.StartAsync();
        await fixture.SqlAsync(
            "CREATE TRIGGER broken BEFORE INSERT ON grants WHEN NEW.subject_id = 'bad' BEGIN SELECT RAISE(ABORT, 'broken'); END");
        await using var blocker = new SqliteConnection(fixture.ConnectionString);
        await blocker.OpenAsync(Cancellation);
        var held = blocker.BeginTransaction(deferred: false);

        var good = fixture.Store.CommitAsync([GrantChanges.InsertActive(Given.NewGrant(fixture))], Given.Event(), null, Cancellation);
        var bad = fixture.Store.CommitAsync(
            [GrantChanges.InsertActive(Given.NewGrant(fixture, Given.Ana with { Id = "bad" }))], Given.Event(), null, Cancellation);
        var last = fixture.Store.RecordAsync(Given.Event(EventKind.QueryRefused), Cancellation);
        await held.RollbackAsync(Cancellation);

        Assert.True((await good).Committed);
        await Assert.ThrowsAsync<SqliteException>(() => bad);
        await last;
        Assert.Equal(1, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM grants"));
        Assert.Equal(2, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM event_leaves"));
    }

    [Fact]
    public async Task Commit_WhileTheDatabaseIsLockedForTooLong_FailsAndTheNextOneWorks()
    {
        await using var fixture = await StoreFixture.StartAsync();
        var node = fixture.AddNode("two", o => o with { BusyTimeout = TimeSpan.FromMilliseconds(50) }).GetRequiredService<PosternStore>();
        await using (var blocker = new SqliteConnection(fixture.ConnectionString))
        {
            await blocker.OpenAsync(Cancellation);
            await using var held = blocker.BeginTransaction(deferred: false);
            await Assert.ThrowsAsync<SqliteException>(() => node.RecordAsync(Given.Event(), Cancellation));
        }

        await node.RecordAsync(Given.Event(), Cancellation);

        Assert.Equal(1, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM event_leaves"));
    }

    [Fact]
    public async Task Commit_CancelledWhileQueued_WritesNothing()
    {
        await using var fixture = await StoreFixture.StartAsync();
        var node = fixture.AddNode("two", o => o with { BatchSize = 1 }).GetRequiredService<PosternStore>();
        await using var blocker = new SqliteConnection(fixture.ConnectionString);
        await blocker.OpenAsync(Cancellation);
        var held = blocker.BeginTransaction(deferred: false);
        // The file is locked and a batch takes one: the second commit has not begun, whatever the writer's thread does.
        var first = node.RecordAsync(Given.Event(EventKind.SignedIn), Cancellation);
        using var cancelling = new CancellationTokenSource();
        var second = node.RecordAsync(Given.Event(EventKind.SignedOut), cancelling.Token);

        await cancelling.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        await held.RollbackAsync(Cancellation);
        await first;
        await node.RecordAsync(Given.Event(EventKind.SignedIn), Cancellation);
        Assert.Equal(0, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM event_leaves WHERE kind = 102"));
    }

    [Fact]
    public async Task Commit_AfterDispose_SaysThatTheStoreIsClosed()
    {
        await using var fixture = await StoreFixture.StartAsync();
        await fixture.Store.DisposeAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => fixture.Store.RecordAsync(Given.Event(), Cancellation));
    }

    [Fact]
    public async Task Dispose_WithCommitsQueued_WritesThemFirst()
    {
        await using var fixture = await StoreFixture.StartAsync();
        var commits = Enumerable.Range(0, 100).Select(_ => fixture.Store.RecordAsync(Given.Event(), Cancellation)).ToArray();

        await fixture.Store.DisposeAsync();
        await Task.WhenAll(commits);

        Assert.Equal(100, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM event_leaves"));
    }

    [Fact]
    public async Task Clock_OfTheDatabase_IsInMillisecondsAndNearOurs()
    {
        await using var fixture = await StoreFixture.StartAsync(StoreTime.Database);
        var before = TimeProvider.System.GetUtcNow().AddMilliseconds(-2);

        var now = await fixture.Store.Clock.NowAsync(Cancellation);

        Assert.InRange(now, before, TimeProvider.System.GetUtcNow().AddMilliseconds(2));
    }

    [Fact]
    public void Options_OfADatabaseInMemory_AreRefused()
    {
        var options = new StoreOptions { ConnectionString = "Data Source=:memory:" };

        Assert.Throws<ArgumentException>(() => new ServiceCollection().AddPosternStore(options));
        Assert.DoesNotContain("memory", options.ToString(), StringComparison.Ordinal);
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
        await using var fixture = await StoreFixture.StartAsync();
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
