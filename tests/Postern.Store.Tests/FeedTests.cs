using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Postern.Model;

namespace Postern.Store.Tests;

public abstract class FeedTests<TDatabase> : StoreSuite<TDatabase> where TDatabase : ITestDatabase
{
    [Fact]
    public async Task Read_AfterCommitsOfAnotherNode_TellsEachOnce()
    {
        await using var fixture = await StartAsync();
        var (feed, heard) = await ReaderAsync(fixture);
        var grant = await Given.ActiveGrantAsync(fixture);
        await fixture.Store.MustAsync([GrantChanges.Revoke(Given.Tenant, grant.Id)]);

        await feed.ReadAsync(Cancellation);
        await feed.ReadAsync(Cancellation);

        var key = grant.Id.ToString();
        Assert.Equal([(1L, ChangeKind.Grant, key), (2L, ChangeKind.Grant, key)], heard.Rows.Select(r => (r.Id, r.Kind, r.Key)));
        Assert.All(heard.Rows, r => Assert.Equal(Given.Tenant, r.Tenant));
        Assert.Equal(0, heard.Missed);
    }

    [Fact]
    public async Task Read_WhileManyNodesCommit_TellsEveryChangeInTheOrderOfItsPlace()
    {
        await using var fixture = await StartAsync();
        var (feed, heard) = await ReaderAsync(fixture);
        var nodes = Enumerable.Range(0, 4).Select(i => fixture.AddNode($"n{i}").GetRequiredService<PosternStore>()).ToArray();
        const int each = 25;

        // Some commits name two changes, some are refused after they named one: neither may leave a gap.
        var commits = Task.WhenAll(nodes.Select((node, n) => Task.Run(async () =>
        {
            for (var i = 0; i < each; i++)
            {
                var grant = Given.NewGrant(fixture, Given.Ana with { Id = $"{n}.{i}" });
                await node.RefuseAsync("grant-revoke", [GrantChanges.InsertActive(grant), GrantChanges.Revoke(Given.Tenant, new(Guid.Empty))]);
                await node.MustAsync([GrantChanges.InsertActive(grant), GrantChanges.Revoke(Given.Tenant, grant.Id)]);
            }
        })));
        while (!commits.IsCompleted)
            await feed.ReadAsync(Cancellation);
        await commits;
        await feed.ReadAsync(Cancellation);

        Assert.Equal(Enumerable.Range(1, 2 * 4 * each).Select(i => (long)i), heard.Ids);
        Assert.Equal(0, heard.Missed);
    }

    [Fact]
    public async Task Read_OfMoreThanAPage_TellsAll()
    {
        await using var fixture = await StartAsync();
        var (feed, heard) = await ReaderAsync(fixture);
        await CommitAsync(fixture, [.. Enumerable.Range(1, 2500).Select(i => (long)i)]);

        await feed.ReadAsync(Cancellation);

        Assert.Equal(Enumerable.Range(1, 2500).Select(i => (long)i), heard.Ids);
    }

    [Fact]
    public async Task SinceLastRead_GrowsWhileTheFeedIsNotRead()
    {
        await using var fixture = await StartAsync();
        var feed = fixture.First.GetRequiredService<ChangeFeed>();
        Assert.Equal(TimeSpan.MaxValue, feed.SinceLastRead);

        await feed.ReadAsync(Cancellation);
        Assert.Equal(TimeSpan.Zero, feed.SinceLastRead);
        fixture.Clock.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(TimeSpan.FromSeconds(6), feed.SinceLastRead);
    }

    [Fact]
    public async Task SinceLastRead_WhenReadingFails_KeepsGrowing()
    {
        await using var fixture = await StartAsync();
        var (feed, heard) = await ReaderAsync(fixture);
        await fixture.SqlAsync("ALTER TABLE counters RENAME TO hidden");
        fixture.Clock.Advance(TimeSpan.FromSeconds(6));

        await Assert.ThrowsAnyAsync<System.Data.Common.DbException>(() => feed.ReadAsync(Cancellation));

        Assert.Equal(TimeSpan.FromSeconds(6), feed.SinceLastRead);
        await fixture.SqlAsync("ALTER TABLE hidden RENAME TO counters");
        await feed.ReadAsync(Cancellation);
        Assert.Equal(TimeSpan.Zero, feed.SinceLastRead);
        Assert.Equal(0, heard.Missed);
    }

    [Fact]
    public async Task Read_OfAnOlderCopyOfTheDatabase_SaysThatChangesWereMissed()
    {
        await using var fixture = await StartAsync();
        await CommitAsync(fixture, 1, 2, 3);
        var (feed, heard) = await ReaderAsync(fixture);
        await fixture.SqlAsync("DELETE FROM changes WHERE id > 1; UPDATE counters SET counted = 1");

        await feed.ReadAsync(Cancellation);

        Assert.Equal(1, heard.Missed);
    }

    [Fact]
    public async Task Read_AfterRowsWerePrunedUnread_SaysThatChangesWereMissed()
    {
        await using var fixture = await StartAsync();
        var (feed, heard) = await ReaderAsync(fixture);
        await Given.ActiveGrantAsync(fixture);
        fixture.Clock.Advance(TimeSpan.FromHours(1.1));
        await Given.ActiveGrantAsync(fixture, Given.Ana with { Id = "ben" });
        await PruneService.PruneAsync(fixture.Store, fixture.Database.Options, Cancellation);

        await feed.ReadAsync(Cancellation);
        Assert.Equal(1, heard.Missed);
        Assert.Equal([2], heard.Ids);
        await feed.ReadAsync(Cancellation);
        Assert.Equal(1, heard.Missed);
    }

    [Fact]
    public async Task Prune_OfEverything_GoesOnCountingWhereItWas()
    {
        await using var fixture = await StartAsync();
        await Given.ActiveGrantAsync(fixture);
        fixture.Clock.Advance(TimeSpan.FromHours(2));
        await PruneService.PruneAsync(fixture.Store, fixture.Database.Options, Cancellation);
        Assert.Empty(await fixture.Database.ListAsync<long>("SELECT id FROM changes"));
        var (feed, heard) = await ReaderAsync(fixture);

        await Given.ActiveGrantAsync(fixture, Given.Ana with { Id = "ben" });
        await feed.ReadAsync(Cancellation);

        Assert.Equal([2], heard.Ids);
        Assert.Equal(0, heard.Missed);
    }

    [Fact]
    public async Task Listener_ThatThrows_DoesNotKeepItFromOthers()
    {
        await using var fixture = await StartAsync();
        var feed = fixture.First.GetRequiredService<ChangeFeed>();
        using var bad = feed.Subscribe(new Thrower());
        var heard = new FeedListener();
        var subscription = feed.Subscribe(heard);
        await feed.ReadAsync(Cancellation);
        await CommitAsync(fixture, 1);

        await feed.ReadAsync(Cancellation);
        subscription.Dispose();
        await CommitAsync(fixture, 2);
        await feed.ReadAsync(Cancellation);

        Assert.Equal([1], heard.Ids);
    }

    [Fact]
    public async Task HostedServices_WithARegisteredListener_HearACommitAndOrderTheLog()
    {
        await using var fixture = await StartAsync(StoreTime.Database);
        var heard = new FeedListener();
        await using var node = new ServiceCollection()
            .AddSingleton<IChangeListener>(heard)
            .AddPosternStore(fixture.Database.Options with { Node = "hosted" })
            .BuildServiceProvider();
        var hosted = node.GetServices<IHostedService>().ToArray();
        foreach (var service in hosted)
            await service.StartAsync(Cancellation);

        await node.GetRequiredService<PosternStore>().MustAsync([GrantChanges.InsertActive(Given.NewGrant(fixture))]);
        await heard.First.Task.WaitAsync(TimeSpan.FromSeconds(20), Cancellation);
        foreach (var service in hosted.Reverse())
            await service.StopAsync(Cancellation);

        Assert.Equal([1], heard.Ids);
        Assert.Equal(1, await fixture.ScalarAsync<long>("SELECT size FROM audit_heads WHERE tenant = 'acme'"));
        Assert.Equal(0, await fixture.ScalarAsync<long>("SELECT expires_at FROM leases WHERE name = 'sequencer'"));
    }

    private static async Task<(ChangeFeed Feed, FeedListener Heard)> ReaderAsync(StoreFixture fixture)
    {
        var feed = fixture.AddNode("reader").GetRequiredService<ChangeFeed>();
        var heard = new FeedListener();
        feed.Subscribe(heard);
        await feed.ReadAsync(Cancellation);
        return (feed, heard);
    }

    // Rows as another node commits them.
    private static Task<int> CommitAsync(StoreFixture fixture, params long[] ids) => fixture.SqlAsync(
        $"""
        INSERT INTO changes (id, at, kind, tenant, entity_key) VALUES {string.Join(',', ids.Select(id => $"({id}, 0, 1, 'acme', '{id}')"))};
        UPDATE counters SET counted = {ids[^1]};
        """);

    private sealed class Thrower : IChangeListener
    {
        public void OnChanges(IReadOnlyList<ChangeRow> changes) => throw new InvalidOperationException("broken listener");

        public void OnMissed()
        {
        }
    }
}

public sealed class FeedTestsOnSqlite : FeedTests<Sqlite>;

public sealed class FeedTestsOnPostgreSql : FeedTests<PostgreSql>;

public sealed class FeedTestsOnMariaDb : FeedTests<MariaDb>;
