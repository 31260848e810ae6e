using Postern.Grants.Leases;
using Postern.Grants.Renewal;
using Postern.Grants.Tests.Lifecycle;
using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Tests.Leases;

public sealed class QueryRunTests
{
    [Fact]
    public async Task Start_AfterRevocation_IsRefusedWhateverTheLeaseSays()
    {
        await using var rig = await Rig.StartAsync();
        var two = rig.AddNode("two");
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        var session = await rig.One.SignInAsync();
        var lease = (await rig.One.LeaseAsync(Rig.Lake)).Value();

        await two.Desk.RevokeAsync(Rig.Ana.Key, id, Rig.Cancellation);
        var started = await rig.One.Desk.StartAsync(lease, session, new byte[32], Rig.Cancellation);

        Assert.Equal(ReconnectReason.Revoked, started.Refused(RefusalKind.ReconnectRequired).Reconnect);
        Assert.Empty(rig.One.Events.Of(EventKind.QueryStarted));
    }

    [Fact]
    public async Task Start_InAnEndedSession_IsRefused()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        var session = await rig.One.SignInAsync();
        var lease = (await rig.One.LeaseAsync(Rig.Lake)).Value();
        await rig.One.Desk.Sessions.EndAsync(session, Rig.Cancellation);

        (await rig.One.Desk.StartAsync(lease, session, new byte[32], Rig.Cancellation)).Refused(RefusalKind.Unauthenticated);
    }

    [Fact]
    public async Task Start_ConnectionChangedSinceItWasJudged_IsAConflictAndNotTheSessionsEnd()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        var session = await rig.One.SignInAsync();
        var lease = (await rig.One.LeaseAsync(Rig.Lake)).Value();
        var seed = rig.Seed();
        await rig.One.Desk.Definitions.SeedAsync(seed with { Connections = [seed.Connections[0] with { DisplayName = "Another name" }] }, "test", Rig.Cancellation);

        var started = await rig.One.Desk.StartAsync(lease, session, new byte[32], Rig.Cancellation);

        Assert.Equal("connection-changed", started.Refused(RefusalKind.Conflict).Code);
        Assert.Empty(rig.One.Events.Of(EventKind.QueryStarted));
        await using var again = await rig.One.RunAsync(Rig.Lake, session);
    }

    [Fact]
    public async Task Start_AfterAnotherNodeRenewed_TakesTheNewerGeneration()
    {
        await using var rig = await Rig.StartAsync();
        var two = rig.AddNode("two");
        var (id, family) = await rig.GrantAsync(Rig.Lake);
        var session = await rig.One.SignInAsync();
        var lease = (await rig.One.LeaseAsync(Rig.Lake)).Value();
        await two.Get<Renewer>().EnsureAsync(Rig.Acme, id, RenewalNeed.After(1), Rig.Cancellation);

        await using var run = (await rig.One.Desk.StartAsync(lease, session, new byte[32], Rig.Cancellation)).Value();

        var bearer = (await run.CurrentAsync(Rig.Cancellation)).Value();
        Assert.Equal((2, family.Access), (bearer.Generation, bearer.Token()));
        Assert.Equal(2, Assert.Single(rig.One.Events.Of(EventKind.QueryStarted)).Generation);
    }

    [Fact]
    public async Task Start_WhileOthersPutTheOldGenerationBackIntoTheCache_TakesTheNewerOne()
    {
        await using var rig = await Rig.StartAsync();
        var two = rig.AddNode("two");
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        var session = await rig.One.SignInAsync();
        await rig.One.StartFeedAsync();
        var lease = (await rig.One.LeaseAsync(Rig.Lake)).Value();
        var cache = rig.One.Get<LeaseCache>();
        Assert.True(cache.TryGet(Rig.Ana.Key, Rig.Lake, out var old));
        await two.Get<Renewer>().EnsureAsync(Rig.Acme, id, RenewalNeed.After(1), Rig.Cancellation);
        // As queries do that read the row before the renewal and are still on their way with it.
        using var over = new CancellationTokenSource();
        var others = Task.Run(() =>
        {
            while (!over.IsCancellationRequested)
                cache.Keep(old, cache.Mark);
        });

        Outcome<QueryRun> started;
        try
        {
            started = await rig.One.Desk.StartAsync(lease, session, new byte[32], Rig.Cancellation);
        }
        finally
        {
            await over.CancelAsync();
            await others;
        }

        await using var run = started.Value();
        Assert.Equal(2, Assert.Single(rig.One.Events.Of(EventKind.QueryStarted)).Generation);
    }

    [Fact]
    public async Task Revocation_OnAnotherNode_StopsTheRunWithinASecond()
    {
        await using var rig = await Rig.StartAsync();
        var two = rig.AddNode("two");
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        await using var run = await StartedAsync(rig);

        await two.Desk.RevokeAsync(Rig.Ana.Key, id, Rig.Cancellation);
        var revoked = rig.Now;
        await rig.UntilAsync(() => Task.FromResult(run.Stopped.IsCancellationRequested));

        Assert.Equal("revoked", run.StopReason);
        Assert.True(rig.Now - revoked < TimeSpan.FromSeconds(1), $"{rig.Now - revoked}");
    }

    [Fact]
    public async Task SessionEnd_OnAnotherNode_StopsTheRunWithinASecondAndNoOther()
    {
        await using var rig = await Rig.StartAsync();
        var two = rig.AddNode("two");
        await rig.GrantAsync(Rig.Lake);
        await using var run = await StartedAsync(rig);
        var other = await rig.One.SignInAsync();
        await using var otherRun = await rig.One.RunAsync(Rig.Lake, other);

        await two.Store.CommitAsync(
            [SessionChanges.End(Rig.Acme, run.Run.Session)], new AuditEvent(EventKind.SignedOut, Rig.Acme), null, Rig.Cancellation);
        var ended = rig.Now;
        await rig.UntilAsync(() => Task.FromResult(run.Stopped.IsCancellationRequested));

        Assert.Equal("session-ended", run.StopReason);
        Assert.True(rig.Now - ended < TimeSpan.FromSeconds(1), $"{rig.Now - ended}");
        Assert.False(otherRun.Stopped.IsCancellationRequested);
    }

    [Fact]
    public async Task MissedChanges_AreMadeUpForByLookingAtEveryRun()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        await using var run = await StartedAsync(rig);
        await using var other = await rig.One.RunAsync(Rig.Lake, await rig.One.SignInAsync());
        await rig.SqlAsync("UPDATE sessions SET ended_at = 1 WHERE id_hash = @id", new { id = run.Run.Session.Hex });

        rig.One.Get<OpenRuns>().OnMissed();
        await rig.SoonAsync(() => run.Stopped.IsCancellationRequested);

        Assert.Equal("session-ended", run.StopReason);
        Assert.False(other.Stopped.IsCancellationRequested);
    }

    [Fact]
    public async Task MoreChangesThanAreRemembered_LoseNoRevocation()
    {
        await using var rig = await Rig.StartAsync();
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        await using var run = await rig.One.RunAsync(Rig.Lake, await rig.One.SignInAsync());
        var runs = rig.One.Get<OpenRuns>();
        await rig.SqlAsync("UPDATE grants SET state = 3, active_slot = NULL WHERE id = @id", new { id = id.ToString() });
        var noise = Enumerable.Range(0, 10_000).Select(i => new ChangeRow(i, ChangeKind.Grant, Rig.Acme, $"other-{i}")).ToArray();

        // The reader does not run yet, so the last one falls out of the queue.
        runs.OnChanges([.. noise, new ChangeRow(10_001, ChangeKind.Grant, Rig.Acme, id.ToString())]);
        await rig.One.StartAsync(runs);
        await rig.SoonAsync(() => run.Stopped.IsCancellationRequested);

        Assert.Equal("revoked", run.StopReason);
    }

    [Fact]
    public async Task Revocation_HeardOfBetweenIntentAndStart_StillStopsTheRun()
    {
        await using var rig = await Rig.StartAsync();
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        var runs = rig.One.Get<OpenRuns>();
        await rig.One.StartAsync(runs);
        await using var run = await rig.One.RunAsync(Rig.Lake, await rig.One.SignInAsync());
        // As it is for a run whose intent is written and which is not in the list yet.
        runs.Remove(run);
        var heard = runs.Heard;
        await rig.One.Desk.RevokeAsync(Rig.Ana.Key, id, Rig.Cancellation);
        runs.OnChanges([new ChangeRow(1, ChangeKind.Grant, Rig.Acme, id.ToString())]);

        runs.Add(run, heard);
        await rig.SoonAsync(() => run.Stopped.IsCancellationRequested);

        Assert.Equal("revoked", run.StopReason);
    }

    [Fact]
    public async Task Cancel_ByThePersonOnly_StopsTheRun()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        await using var run = await rig.One.RunAsync(Rig.Lake, await rig.One.SignInAsync());

        Assert.False(rig.One.Desk.TryCancel(Rig.Ben, run.Id));
        Assert.False(run.Stopped.IsCancellationRequested);
        Assert.True(rig.One.Desk.TryCancel(Rig.Ana, run.Id));
        Assert.Equal((true, "cancelled"), (run.Stopped.IsCancellationRequested, run.StopReason));
    }

    [Fact]
    public async Task CallerThatHangsUp_StopsItsOwnRunOnly()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        var session = await rig.One.SignInAsync();
        using var caller = new CancellationTokenSource();
        await using var run = await rig.One.RunAsync(Rig.Lake, session, caller.Token);
        await using var other = await rig.One.RunAsync(Rig.Lake, session);

        await caller.CancelAsync();

        Assert.Equal((true, false), (run.Stopped.IsCancellationRequested, other.Stopped.IsCancellationRequested));
    }

    [Fact]
    public async Task Current_OfALongRun_IsRenewedBeforeItsTokenEnds()
    {
        await using var rig = await Rig.StartAsync();
        var (_, family) = await rig.GrantAsync(Rig.Lake);
        await using var run = await rig.One.RunAsync(Rig.Lake, await rig.One.SignInAsync());
        var first = (await run.CurrentAsync(Rig.Cancellation)).Value();
        Assert.Same(first, (await run.CurrentAsync(Rig.Cancellation)).Value());

        rig.Clock.Advance(TimeSpan.FromMinutes(60));
        var next = (await run.CurrentAsync(Rig.Cancellation)).Value();

        Assert.Equal((2, family.Access), (next.Generation, next.Token()));
    }

    [Fact]
    public async Task Dispose_WipesEveryTokenAndWritesAnAbandonedRun()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        var run = await rig.One.RunAsync(Rig.Lake, await rig.One.SignInAsync());
        var bearer = (await run.CurrentAsync(Rig.Cancellation)).Value();

        await run.DisposeAsync();
        await run.DisposeAsync();

        Assert.Throws<ObjectDisposedException>(() => bearer.Token());
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await run.CurrentAsync(Rig.Cancellation));
        Assert.Equal("abandoned", Assert.Single(rig.One.Events.Of(EventKind.QueryFailed)).Code);
        var row = await rig.One.Store.QueryRuns.FindAsync(Rig.Acme, run.Id, Rig.Cancellation);
        Assert.Equal("failed", row!.Outcome);
    }

    [Fact]
    public async Task Dispose_WhileTheStoreFails_WipesTheTokensAllTheSame()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        var run = await rig.One.RunAsync(Rig.Lake, await rig.One.SignInAsync());
        var bearer = (await run.CurrentAsync(Rig.Cancellation)).Value();
        await rig.SqlAsync("ALTER TABLE query_runs RENAME TO gone");

        await Assert.ThrowsAnyAsync<System.Data.Common.DbException>(async () => await run.DisposeAsync());

        Assert.Throws<ObjectDisposedException>(() => bearer.Token());
    }

    [Fact]
    public async Task Bearer_ForAnotherOrigin_WritesNothing()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        await using var run = await rig.One.RunAsync(Rig.Lake, await rig.One.SignInAsync());
        var bearer = (await run.CurrentAsync(Rig.Cancellation)).Value();

        foreach (var elsewhere in new[] { "http://platform.test/", "https://platform.test:8443/", "https://platform.test.evil/", "https://evil/platform.test" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, elsewhere);
            Assert.Throws<InvalidOperationException>(() => bearer.Authorize(request));
            Assert.Null(request.Headers.Authorization);
        }
    }

    [Fact]
    public async Task MovedAccessToken_IsRefusedWithAnEventAndEndsTheGrant()
    {
        await using var rig = await Rig.StartAsync();
        var (mine, _) = await rig.GrantAsync(Rig.Lake);
        var (other, _) = await rig.GrantAsync(Rig.Lake, Rig.Ben);
        await rig.SqlAsync("UPDATE grants SET access_sealed = (SELECT access_sealed FROM grants WHERE id = @other) WHERE id = @mine",
            new { other = other.ToString(), mine = mine.ToString() });
        await using var run = await rig.One.RunAsync(Rig.Lake, await rig.One.SignInAsync());

        var refused = (await run.CurrentAsync(Rig.Cancellation)).Refused(RefusalKind.ReconnectRequired);

        Assert.Equal(ReconnectReason.Changed, refused.Reconnect);
        Assert.Equal(mine, Assert.Single(rig.One.Events.Of(EventKind.RecordRefused)).Grant);
        Assert.Equal((GrantState.Reconnect, ReconnectReason.Changed), ((await rig.RowAsync(mine)).State, (await rig.RowAsync(mine)).Reason));
    }

    [Fact]
    public async Task RunsOfADeadNode_AreClosedAsLost_AndThoseOfASlowOneAreNot()
    {
        await using var rig = await Rig.StartAsync();
        var two = rig.AddNode("two");
        await rig.One.JoinAsync();
        await two.JoinAsync();
        await rig.GrantAsync(Rig.Lake);
        await using var run = await rig.One.RunAsync(Rig.Lake, await rig.One.SignInAsync());
        await rig.SqlAsync("UPDATE query_runs SET node = 'dead' WHERE id = @id", new { id = run.Id.ToString() });
        await using var living = await rig.One.RunAsync(Rig.Lake, await rig.One.SignInAsync());

        await two.Get<Housekeeper>().TurnAsync(Rig.Cancellation);

        Assert.Equal("lost", (await rig.One.Store.QueryRuns.FindAsync(Rig.Acme, run.Id, Rig.Cancellation))!.Outcome);
        Assert.Equal(run.Id, Assert.Single(two.Events.Of(EventKind.QueryLost)).Query);
        Assert.Null((await rig.One.Store.QueryRuns.FindAsync(Rig.Acme, living.Id, Rig.Cancellation))!.FinishedAt);
    }

    private static async Task<QueryRun> StartedAsync(Rig rig)
    {
        await rig.One.StartAsync(rig.One.Get<OpenRuns>());
        await rig.One.StartFeedAsync();
        return await rig.One.RunAsync(Rig.Lake, await rig.One.SignInAsync());
    }
}
