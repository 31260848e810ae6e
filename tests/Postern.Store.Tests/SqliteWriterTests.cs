using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Postern.Model;

namespace Postern.Store.Tests;

/// <summary>SQLite's one writer: commits that share a transaction, and a file that somebody else has locked.</summary>
public sealed class SqliteWriterTests : StoreSuite<Sqlite>
{
    [Fact]
    public async Task Commit_OneRefusedAmongManyAtOnce_DisturbsNobody()
    {
        await using var fixture = await StartAsync();
        const int many = 64;
        var grants = Enumerable.Range(0, many).Select(i => Given.NewGrant(fixture, Given.Ana with { Id = $"user {i}" })).ToArray();
        // While the file is locked the commits queue up, so that one transaction takes them all.
        await using var blocker = (SqliteConnection)fixture.Database.Connect();
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
        await using var fixture = await StartAsync();
        await fixture.Database.BreakAsync("BEFORE INSERT", "grants", "NEW.subject_id = 'bad'");
        await using var blocker = (SqliteConnection)fixture.Database.Connect();
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
        await using var fixture = await StartAsync();
        var node = fixture.AddNode("two", o => o with { BusyTimeout = TimeSpan.FromMilliseconds(50) }).GetRequiredService<PosternStore>();
        await using (var blocker = (SqliteConnection)fixture.Database.Connect())
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
        await using var fixture = await StartAsync();
        var node = fixture.AddNode("two", o => o with { BatchSize = 1 }).GetRequiredService<PosternStore>();
        await using var blocker = (SqliteConnection)fixture.Database.Connect();
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
    public void Options_OfADatabaseInMemory_AreRefused()
    {
        var options = new StoreOptions { ConnectionString = "Data Source=:memory:" };

        Assert.Throws<ArgumentException>(() => new ServiceCollection().AddPosternStore(options));
        Assert.DoesNotContain("memory", options.ToString(), StringComparison.Ordinal);
    }
}
