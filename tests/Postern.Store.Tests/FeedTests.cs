using CsCheck;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Postern.Model;

namespace Postern.Store.Tests;

public sealed class FeedTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Read_AfterCommitsOfAnotherNode_TellsEachOnce()
    {
        await using var fixture = await StoreFixture.StartAsync();
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
    public async Task Read_OfRowsThatBecomeVisibleLate_SkipsNone()
    {
        await using var fixture = await StoreFixture.StartAsync();
        var (feed, heard) = await ReaderAsync(fixture);

        // Three slow transactions took 1, 3 and 4, a quick one took 2 and 5: as server databases give ids before commits.
        await CommitAsync(fixture, 2, 5);
        await feed.ReadAsync(Cancellation);
        Assert.Equal([2, 5], heard.Ids);
        await CommitAsync(fixture, 4);
        await feed.ReadAsync(Cancellation);
        await CommitAsync(fixture, 1, 6);
        await feed.ReadAsync(Cancellation);
        fixture.Clock.Advance(TimeSpan.FromSeconds(29));
        await CommitAsync(fixture, 3);
        await feed.ReadAsync(Cancellation);

        Assert.Equal([2, 5, 4, 1, 6, 3], heard.Ids);
    }

    [Fact]
    public async Task Read_OfARowThatWasNotVisibleAsTheNodeStarted_TellsIt()
    {
        await using var fixture = await StoreFixture.StartAsync();
        await CommitAsync(fixture, 10, 12);
        var (feed, heard) = await ReaderAsync(fixture);
        heard.Rows.Clear();

        await CommitAsync(fixture, 11);
        await feed.ReadAsync(Cancellation);

        Assert.Equal([11], heard.Ids);
    }

    [Fact]
    public async Task Read_OfMoreThanAPage_TellsAll()
    {
        await using var fixture = await StoreFixture.StartAsync();
        var (feed, heard) = await ReaderAsync(fixture);
        await fixture.SqlAsync(
            """
            INSERT INTO changes (at, kind, tenant, entity_key)
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) SELECT 0, 1, 'acme', i FROM n
            """);

        await feed.ReadAsync(Cancellation);

        Assert.Equal(Enumerable.Range(1, 2500).Select(i => (long)i), heard.Ids);
    }

    [Fact]
    public void Position_OverAnyOrderOfVisibility_SeesEveryIdOnce() => Gen.Shuffle(Enumerable.Range(1, 40).Select(i => (long)i).ToArray())
        .Select(Gen.Int[1, 10]).Sample((order, batch) =>
        {
            var position = new FeedPosition(0);
            var visible = new SortedSet<long>();
            var seen = new List<long>();
            foreach (var committed in order.Chunk(batch))
            {
                visible.UnionWith(committed);
                foreach (var id in visible.Where(id => id > position.ReadAfter).ToArray())
                {
                    if (position.TryAdd(id, 0))
                        seen.Add(id);
                }
                Assert.Equal(visible, seen.Order());
            }
            Assert.Equal(40, position.ReadAfter);
        });

    [Fact]
    public void Position_AfterTheWindow_GivesUpOnGaps()
    {
        var position = new FeedPosition(0);
        position.TryAdd(1, 10);
        position.TryAdd(5, 20);
        position.TryAdd(9, 30);

        position.Forget(20);
        Assert.Equal(1, position.ReadAfter);
        position.Forget(21);
        Assert.Equal(5, position.ReadAfter);
        Assert.False(position.TryAdd(3, 40));
        Assert.True(position.TryAdd(7, 40));
        position.Forget(31);
        Assert.Equal(9, position.ReadAfter);
    }

    [Fact]
    public async Task SinceLastRead_GrowsWhileTheFeedIsNotRead()
    {
        await using var fixture = await StoreFixture.StartAsync();
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
        await using var fixture = await StoreFixture.StartAsync();
        var (feed, heard) = await ReaderAsync(fixture);
        await fixture.SqlAsync("ALTER TABLE changes RENAME TO hidden");
        fixture.Clock.Advance(TimeSpan.FromSeconds(6));

        await Assert.ThrowsAnyAsync<System.Data.Common.DbException>(() => feed.ReadAsync(Cancellation));

        Assert.Equal(TimeSpan.FromSeconds(6), feed.SinceLastRead);
        await fixture.SqlAsync("ALTER TABLE hidden RENAME TO changes");
        await feed.ReadAsync(Cancellation);
        Assert.Equal(TimeSpan.Zero, feed.SinceLastRead);
        Assert.Equal(0, heard.Missed);
    }

    [Fact]
    public async Task Read_OfAnOlderCopyOfTheDatabase_SaysThatChangesWereMissed()
    {
        await using var fixture = await StoreFixture.StartAsync();
        await CommitAsync(fixture, 1, 2, 3);
        var (feed, heard) = await ReaderAsync(fixture);
        await fixture.SqlAsync("DELETE FROM changes WHERE id > 1");

        await feed.ReadAsync(Cancellation);

        Assert.Equal(1, heard.Missed);
    }

    [Fact]
    public async Task Read_AfterALongAbsence_SaysThatChangesWereMissed()
    {
        await using var fixture = await StoreFixture.StartAsync();
        var (feed, heard) = await ReaderAsync(fixture);
        fixture.Clock.Advance(TimeSpan.FromHours(1.1));

        await feed.ReadAsync(Cancellation);

        Assert.Equal(1, heard.Missed);
    }

    [Fact]
    public async Task Prune_KeepsTheNewestRow()
    {
        await using var fixture = await StoreFixture.StartAsync();
        await Given.ActiveGrantAsync(fixture);
        await Given.ActiveGrantAsync(fixture, Given.Ana with { Id = "ben" });
        fixture.Clock.Advance(TimeSpan.FromHours(2));

        await fixture.Store.UpkeepAsync(FeedChanges.Prune(TimeSpan.FromHours(1)), Cancellation);

        Assert.Equal("2", await fixture.ScalarAsync<string>("SELECT group_concat(id) FROM changes"));
    }

    [Fact]
    public async Task Listener_ThatThrows_DoesNotKeepItFromOthers()
    {
        await using var fixture = await StoreFixture.StartAsync();
        var feed = fixture.First.GetRequiredService<ChangeFeed>();
        using var bad = feed.Subscribe(new Thrower());
        var heard = new Listener();
        var subscription = feed.Subscribe(heard);
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
        await using var fixture = await StoreFixture.StartAsync(StoreTime.Database);
        var heard = new Listener();
        await using var node = new ServiceCollection()
            .AddSingleton<IChangeListener>(heard)
            .AddPosternStore(new StoreOptions { ConnectionString = fixture.ConnectionString, Node = "hosted" })
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

    private static async Task<(ChangeFeed Feed, Listener Heard)> ReaderAsync(StoreFixture fixture)
    {
        var feed = fixture.AddNode("reader").GetRequiredService<ChangeFeed>();
        var heard = new Listener();
        feed.Subscribe(heard);
        await feed.ReadAsync(Cancellation);
        return (feed, heard);
    }

    // One transaction with these ids.
    private static Task<int> CommitAsync(StoreFixture fixture, params long[] ids) => fixture.SqlAsync(
        $"INSERT INTO changes (id, at, kind, tenant, entity_key) VALUES {string.Join(',', ids.Select(id => $"({id}, 0, 1, 'acme', '{id}')"))}");

    private sealed class Listener : IChangeListener
    {
        public List<ChangeRow> Rows { get; } = [];

        public IEnumerable<long> Ids => Rows.Select(r => r.Id);

        public int Missed { get; private set; }

        public TaskCompletionSource First { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void OnChanges(IReadOnlyList<ChangeRow> changes)
        {
            Rows.AddRange(changes);
            First.TrySetResult();
        }

        public void OnMissed() => Missed++;
    }

    private sealed class Thrower : IChangeListener
    {
        public void OnChanges(IReadOnlyList<ChangeRow> changes) => throw new InvalidOperationException("broken listener");

        public void OnMissed()
        {
        }
    }
}
