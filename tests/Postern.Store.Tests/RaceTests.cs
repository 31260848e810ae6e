using System.Data;
using System.Data.Common;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Postern.Model;

namespace Postern.Store.Tests;

/// <summary>
/// Two transactions at once on a server, the one caught in the middle: what SQLite's one writer gives for nothing. Each test is red
/// without the lock it is about.
/// </summary>
public abstract class RaceTests<TDatabase> : StoreSuite<TDatabase> where TDatabase : ITestDatabase
{
    [Fact]
    public async Task QueryStart_WhileARevocationIsAboutToCommit_WaitsAndIsRefused()
    {
        await using var fixture = await StartAsync();
        await Given.SessionAndConnectionAsync(fixture);
        var grant = await Given.ActiveGrantAsync(fixture);
        await using var revoking = await Beside.BeginAsync(fixture, "UPDATE grants SET state = 3");

        var start = fixture.Store.CommitAsync([QueryRunChanges.Start(Given.Run(fixture, grant))], Given.Event(EventKind.QueryStarted), null, Cancellation);
        await fixture.Database.WaitingOrDoneAsync(start);
        await revoking.CommitAsync();

        Assert.Equal(CommitResult.RefusedBy("query-start"), await start);
    }

    [Theory]
    [InlineData("UPDATE sessions SET ended_at = 1")]
    [InlineData("UPDATE definitions SET superseded_at = 1")]
    public async Task QueryStart_WhileWhatAllowsItIsAboutToEnd_WaitsAndIsRefused(string ending)
    {
        await using var fixture = await StartAsync();
        await Given.SessionAndConnectionAsync(fixture);
        var grant = await Given.ActiveGrantAsync(fixture);
        await using var beside = await Beside.BeginAsync(fixture, ending);

        var start = fixture.Store.CommitAsync([QueryRunChanges.Start(Given.Run(fixture, grant))], Given.Event(EventKind.QueryStarted), null, Cancellation);
        await fixture.Database.WaitingOrDoneAsync(start);
        await beside.CommitAsync();

        Assert.Equal(CommitResult.RefusedBy("query-start"), await start);
    }

    [Fact]
    public async Task ClaimsAndQueryStarts_OfOneGrantByManyAtOnce_AreCommittedOrRefused()
    {
        // MariaDB came to a row of a small table by different indexes, and each of these was the deadlock of some other.
        await using var fixture = await StartAsync();
        await Given.SessionAndConnectionAsync(fixture);
        var grant = await Given.ActiveGrantAsync(fixture);
        var seen = (await fixture.Store.Grants.FindAsync(Given.Tenant, grant.Id, Cancellation))!;

        var starts = Enumerable.Range(0, 60).Select(_ => Task.Run(() => fixture.Store.CommitAsync(
            [QueryRunChanges.Start(Given.Run(fixture, grant)), GrantChanges.TouchUsed(Given.Tenant, grant.Id)],
            Given.Event(EventKind.QueryStarted), null, Cancellation))).ToList();
        var claims = Enumerable.Range(0, 60).Select(index => Task.Run(() => fixture.Store.ClaimRenewalAsync(
            seen, $"node-{index}", TimeSpan.FromSeconds(30), Given.Event(EventKind.RenewalClaimed), Cancellation))).ToList();

        Assert.All(await Task.WhenAll(starts), result => Assert.True(result.Committed));
        Assert.Single(await Task.WhenAll(claims), fence => fence is not null);
    }

    [Fact]
    public async Task QueryStarts_OfOneGrantByManyAtOnce_AllCommit()
    {
        await using var fixture = await StartAsync();
        await Given.SessionAndConnectionAsync(fixture);
        var grant = await Given.ActiveGrantAsync(fixture);

        var results = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => Task.Run(() => fixture.Store.CommitAsync(
            [QueryRunChanges.Start(Given.Run(fixture, grant)), GrantChanges.TouchUsed(Given.Tenant, grant.Id)],
            Given.Event(EventKind.QueryStarted), null, Cancellation))));

        Assert.All(results, result => Assert.True(result.Committed));
    }

    [Fact]
    public async Task Revocation_WhileARenewalIsAboutToCommit_TellsTheProviderOfTheNewPair()
    {
        await using var fixture = await StartAsync();
        var grant = await Given.ActiveGrantAsync(fixture);
        await using var renewing = await Beside.BeginAsync(
            fixture, "UPDATE grants SET generation = 2, refresh_sealed = @pair", new { pair = new byte[] { 2 } });

        var revoke = fixture.Store.CommitAsync(
            [RevocationChanges.EnqueueFromGrant(fixture.Chance.NewId(), Given.Tenant, grant.Id), GrantChanges.Revoke(Given.Tenant, grant.Id)],
            Given.Event(EventKind.GrantRevoked), null, Cancellation);
        await fixture.Database.WaitingOrDoneAsync(revoke);
        await renewing.CommitAsync();
        Assert.True((await revoke).Committed);

        var due = Assert.Single(await fixture.Store.Revocations.DueAsync(10, Cancellation));
        Assert.Equal(2, due.Generation);
        Assert.Equal([2], due.RefreshSealed);
    }

    [Fact]
    public async Task Connects_BegunByManyAtOnce_StopAtTheLimit()
    {
        await using var fixture = await StartAsync();
        await fixture.Store.MustAsync([SessionChanges.Create(Given.NewSession(fixture))]);

        var results = await Task.WhenAll(Enumerable.Range(0, 24).Select(i => Task.Run(() => fixture.Store.CommitAsync(
            [ConnectChanges.Begin(Given.NewConnect(fixture, $"handle {i}"))], Given.Event(EventKind.ConnectBegun), null, Cancellation))));

        Assert.Equal(ConnectChanges.MaxPendingPerSession, results.Count(result => result.Committed));
    }

    [Fact]
    public async Task Sessions_EndedTogetherWhileOneMoreBegins_AreAllNamedInTheFeed()
    {
        await using var fixture = await StartAsync();
        var (first, second) = (Given.NewSession(fixture), Given.NewSession(fixture, secret: "another"));
        await fixture.Store.MustAsync([SessionChanges.Create(first)]);
        await using var touching = await Beside.BeginAsync(fixture, "UPDATE sessions SET idle_expires_at = idle_expires_at + 1");

        var end = fixture.Store.CommitAsync([SessionChanges.EndAllOf(Given.Ana)], Given.Event(EventKind.SignedOut), null, Cancellation);
        await fixture.Database.WaitingOrDoneAsync(end);
        await fixture.Store.MustAsync([SessionChanges.Create(second)]);
        await touching.CommitAsync();
        Assert.True((await end).Committed);

        Assert.Empty(await fixture.Store.Sessions.ListOfAsync(Given.Ana, Cancellation));
        var told = await fixture.Database.ListAsync<string>("SELECT entity_key FROM changes WHERE kind = 2");
        Assert.Equal([.. new[] { first.Id.Hex, second.Id.Hex }.Order(StringComparer.Ordinal)], told.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Feed_ReadWhileAnEarlierCommitIsSlow_SkipsNothing()
    {
        await using var fixture = await StartAsync();
        var reader = fixture.AddNode("reader").GetRequiredService<ChangeFeed>();
        var heard = new FeedListener();
        reader.Subscribe(heard);
        await reader.ReadAsync(Cancellation);
        var slow = new SlowCommit(fixture, "slow", [GrantChanges.InsertActive(Given.NewGrant(fixture))]);
        await slow.Written;

        var quick = fixture.Store.CommitAsync(
            [GrantChanges.InsertActive(Given.NewGrant(fixture, Given.Ana with { Id = "ben" }))], Given.Event(), null, Cancellation);
        await fixture.Database.WaitingOrDoneAsync(quick);
        await reader.ReadAsync(Cancellation);
        await slow.FinishAsync();
        Assert.True((await quick).Committed);
        await reader.ReadAsync(Cancellation);

        Assert.Equal([1, 2], heard.Ids);
        Assert.Equal(0, heard.Missed);
    }

    [Fact]
    public async Task Commit_OfANodeThatWasPausedInIt_IsUndoneAndKeepsNobodyWaiting()
    {
        await using var fixture = await StartAsync();
        var paused = new SlowCommit(
            fixture, "paused", [GrantChanges.InsertActive(Given.NewGrant(fixture))], o => o with { AbandonedAfter = TimeSpan.FromSeconds(1) });
        await paused.Written;

        // Waits for the place in the feed that the paused one holds, until the server undoes that.
        var other = await fixture.Store.CommitAsync(
            [GrantChanges.InsertActive(Given.NewGrant(fixture, Given.Ana with { Id = "ben" }))], Given.Event(), null, Cancellation);

        Assert.True(other.Committed);
        await Assert.ThrowsAnyAsync<DbException>(paused.FinishAsync);
        Assert.Equal([1], await fixture.Database.ListAsync<long>("SELECT id FROM changes"));
        Assert.Null(await fixture.Store.Grants.FindActiveAsync(Given.Ana, Given.Connection, Cancellation));
    }

    [Fact]
    public async Task Connection_IdleForLongerThanAnAbandonedTransaction_IsNotLost()
    {
        await using var fixture = await StartAsync();
        var store = fixture.AddNode("idle", o => o with { AbandonedAfter = TimeSpan.FromSeconds(1) }).GetRequiredService<PosternStore>();
        // Several, so that some stay in the pool and wait.
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => store.Grants.FindActiveAsync(Given.Ana, Given.Connection, Cancellation)));

        // The server's clock, which no test turns: it would have ended what stood still for longer than a second.
        await Task.Delay(TimeSpan.FromSeconds(3), Cancellation);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => store.Grants.FindActiveAsync(Given.Ana, Given.Connection, Cancellation)));
        Assert.True((await store.CommitAsync([GrantChanges.InsertActive(Given.NewGrant(fixture))], Given.Event(), null, Cancellation)).Committed);
    }

    [Fact]
    public async Task Commits_ThatDeadlock_AreRunAgainAndBothStand()
    {
        await using var fixture = await StartAsync();
        var one = await Given.ActiveGrantAsync(fixture);
        var two = await Given.ActiveGrantAsync(fixture, Given.Ana with { Id = "ben" });
        var writer = fixture.First.GetRequiredService<IWriter>();
        var met = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var runs = 0;

        await Task.WhenAll(CountAsync(one.Id, two.Id), CountAsync(two.Id, one.Id));

        Assert.True(runs > 2, "nothing had to be run again");
        Assert.Equal(2, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM grants WHERE renewal_attempts = 2"));

        Task<bool> CountAsync(GrantId first, GrantId second) => writer.RunAsync(
            async scope =>
            {
                await AddAsync(scope, first);
                if (Interlocked.Increment(ref runs) == 2)
                    met.SetResult();
                await met.Task;
                await AddAsync(scope, second);
                return new Written<bool>(true, Keep: true);
            },
            Cancellation);

        static Task<int> AddAsync(WriteScope scope, GrantId id) => scope.Connection.ExecuteAsync(
            "UPDATE grants SET renewal_attempts = renewal_attempts + 1 WHERE id = @id", new { id = id.ToString() }, scope.Transaction);
    }

    [Fact]
    public async Task Text_ThatIsTooLong_IsRefusedAndNeverCut()
    {
        await using var fixture = await StartAsync();
        var longer = Given.Ana with { Id = new string('a', 513) };

        await Assert.ThrowsAnyAsync<DbException>(() => fixture.Store.CommitAsync(
            [SessionChanges.Create(Given.NewSession(fixture, longer))], Given.Event(), null, Cancellation));

        Assert.Equal(0, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM sessions"));
    }
}

public sealed class RacesOnPostgreSql : RaceTests<PostgreSql>
{
    [Fact]
    public async Task HostedFeed_ThatHardlyPolls_IsWokenByACommitOfAnotherNode()
    {
        await using var fixture = await StartAsync();
        var heard = new FeedListener();
        await using var node = new ServiceCollection()
            .AddSingleton<IChangeListener>(heard)
            .AddPosternStore(fixture.Database.Options with { Node = "hosted", FeedPeriod = TimeSpan.FromHours(1) })
            .BuildServiceProvider();
        var hosted = node.GetServices<IHostedService>().ToArray();
        foreach (var service in hosted)
            await service.StartAsync(Cancellation);

        await fixture.Store.MustAsync([GrantChanges.InsertActive(Given.NewGrant(fixture))]);
        await heard.First.Task.WaitAsync(TimeSpan.FromSeconds(20), Cancellation);

        foreach (var service in hosted.Reverse())
            await service.StopAsync(Cancellation);
        Assert.Equal([1], heard.Ids);
    }
}

public sealed class RacesOnMariaDb : RaceTests<MariaDb>;

/// <summary>A transaction beside the store that has written and not committed.</summary>
internal sealed class Beside : IAsyncDisposable
{
    private readonly DbConnection connection;
    private readonly DbTransaction transaction;

    private Beside(DbConnection connection, DbTransaction transaction) => (this.connection, this.transaction) = (connection, transaction);

    public static async Task<Beside> BeginAsync(StoreFixture fixture, string sql, object? parameters = null)
    {
        var connection = fixture.Database.Connect();
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        var transaction = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, TestContext.Current.CancellationToken);
        Assert.Equal(1, await connection.ExecuteAsync(sql, parameters, transaction));
        return new(connection, transaction);
    }

    public Task CommitAsync() => transaction.CommitAsync(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await transaction.DisposeAsync();
        await connection.DisposeAsync();
    }
}

/// <summary>A commit of a node of its own that has written everything and waits before it commits.</summary>
internal sealed class SlowCommit
{
    private readonly TaskCompletionSource written = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task<CommitResult> commit;

    public SlowCommit(StoreFixture fixture, string name, IReadOnlyList<Change> changes, Func<StoreOptions, StoreOptions>? change = null)
    {
        var node = fixture.AddNode(name, change);
        commit = node.GetRequiredService<IWriter>().RunAsync(
            async scope =>
            {
                var result = await node.GetRequiredService<Committer>().WriteAsync(scope, changes, [Given.Event()]);
                written.TrySetResult();
                await gate.Task;
                return result;
            },
            TestContext.Current.CancellationToken);
    }

    public Task Written => Task.WhenAny(written.Task, commit).Unwrap();

    public Task<CommitResult> FinishAsync()
    {
        gate.TrySetResult();
        return commit;
    }
}
