using Postern.Grants.Renewal;
using Postern.Grants.Revocation;
using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Tests.Revocation;

public sealed class RevocationTests
{
    [Fact]
    public async Task Revoke_MarksAtOnceAndTellsTheServerBothTokens()
    {
        await using var rig = await Rig.StartAsync();
        var (id, family) = await rig.GrantAsync(Rig.Lake);

        var summary = (await rig.One.Desk.RevokeAsync(Rig.Ana.Key, id, Rig.Cancellation)).Value();

        Assert.Equal(GrantState.Revoked, summary.Row.State);
        Assert.Null(summary.Row.AccessSealed);
        Assert.Null(summary.Row.RefreshSealed);
        Assert.Equal(RevocationStatus.Pending, Assert.Single(summary.Revocations).Status);
        await rig.One.Get<Revoker>().TellAsync(Rig.Cancellation);
        Assert.Equal([family.Refresh, family.Access], rig.Authority.Revoked);
        Assert.Equal(RevocationStatus.Done, await StatusAsync(rig, id));
        Assert.Equal(Rig.Ana.Key, Assert.Single(rig.One.Events.Of(EventKind.ProviderRevoked)).Subject);
    }

    [Fact]
    public async Task Revoke_OfSomebodyElsesGrant_IsNotFound()
    {
        await using var rig = await Rig.StartAsync();
        var (id, _) = await rig.GrantAsync(Rig.Lake);

        (await rig.One.Desk.RevokeAsync(Rig.Ben.Key, id, Rig.Cancellation)).Refused(RefusalKind.NotFound);

        Assert.Equal(GrantState.Active, (await rig.RowAsync(id)).State);
    }

    [Fact]
    public async Task Revoke_DuringARenewal_DiscardsItsPairAndRevokesThatToo()
    {
        await using var rig = await Rig.StartAsync();
        var (id, family) = await rig.GrantAsync(Rig.Lake);
        var old = family.Refresh;
        rig.Clock.Advance(TimeSpan.FromMinutes(61));
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var hold = new TaskCompletionSource();
        rig.Authority.Script(new Fault { Reached = reached, Hold = hold.Task });
        var leasing = rig.One.LeaseAsync(Rig.Lake);
        await reached.Task;

        await rig.One.Desk.RevokeAsync(Rig.Ana.Key, id, Rig.Cancellation);
        hold.SetResult();

        Assert.Equal(ReconnectReason.Revoked, (await rig.PumpAsync(leasing)).Refused(RefusalKind.ReconnectRequired).Reconnect);
        await rig.One.Get<Revoker>().TellAsync(Rig.Cancellation);
        Assert.Contains(old, rig.Authority.Revoked);
        Assert.Contains(family.Refresh, rig.Authority.Revoked);
        Assert.Contains(family.Access, rig.Authority.Revoked);
        Assert.NotEqual(old, family.Refresh);
        var row = await rig.RowAsync(id);
        Assert.Equal((GrantState.Revoked, 1), (row.State, row.Generation));
        Assert.Null(row.AccessSealed);
        Assert.Equal("late-answer", Assert.Single(rig.One.Events.Of(EventKind.RenewalAbandoned)).Code);
    }

    [Fact]
    public async Task Tell_AServerThatFails_TriesAgainAlsoInTheNextProcess()
    {
        await using var rig = await Rig.StartAsync();
        var dying = rig.AddNode("dying");
        var (id, family) = await rig.GrantAsync(Rig.Lake);
        rig.Authority.ScriptRevocations(503, 503);
        await dying.Desk.RevokeAsync(Rig.Ana.Key, id, Rig.Cancellation);
        for (var i = 1; i <= 2; i++)
        {
            await dying.Get<Revoker>().TellAsync(Rig.Cancellation);
            Assert.Equal((RevocationStatus.Pending, i), (await StatusAsync(rig, id), (await RevocationAsync(rig, id)).Attempts));
            // Not before its time.
            await dying.Get<Revoker>().TellAsync(Rig.Cancellation);
            Assert.Equal(i, (await RevocationAsync(rig, id)).Attempts);
            rig.Clock.Advance(TimeSpan.FromMinutes(1));
        }
        await rig.KillAsync(dying);

        var next = rig.AddNode("next");
        await next.StartAsync(next.Get<Revoker>());
        await rig.UntilAsync(async () => await StatusAsync(rig, id) == RevocationStatus.Done);

        Assert.Equal([family.Refresh, family.Access], rig.Authority.Revoked);
    }

    [Fact]
    public async Task Tell_AServerWithoutRevocation_SaysThatItCannot()
    {
        await using var rig = await Rig.StartAsync();
        rig.Authority.HasRevocation = false;
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        await rig.One.Desk.RevokeAsync(Rig.Ana.Key, id, Rig.Cancellation);

        await rig.One.Get<Revoker>().TellAsync(Rig.Cancellation);

        Assert.Equal(RevocationStatus.Cannot, await StatusAsync(rig, id));
        Assert.Single(rig.One.Events.Of(EventKind.ProviderCannotRevoke));
    }

    [Fact]
    public async Task Tell_AConnectionThatLeadsElsewhereNow_GivesUpAndTellsNobody()
    {
        await using var rig = await Rig.StartAsync();
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        await rig.One.Desk.RevokeAsync(Rig.Ana.Key, id, Rig.Cancellation);
        var seed = rig.Seed();
        var moved = seed.Connections[0] with { Endpoint = new Uri("https://elsewhere.test/") };
        await rig.One.Desk.Definitions.SeedAsync(seed with { Connections = [moved] }, "test", Rig.Cancellation);

        await rig.One.Get<Revoker>().TellAsync(Rig.Cancellation);

        Assert.Equal(RevocationStatus.GaveUp, await StatusAsync(rig, id));
        Assert.Empty(rig.Authority.Revoked);
        Assert.Single(rig.One.Events.Of(EventKind.ProviderRevocationFailed));
    }

    [Fact]
    public async Task Revoke_OnTwoNodesAtOnce_HappensOnce()
    {
        await using var rig = await Rig.StartAsync();
        var two = rig.AddNode("two");
        var (id, _) = await rig.GrantAsync(Rig.Lake);

        var revoked = await Task.WhenAll(new[] { rig.One, two }.Select(node => Task.Run(
            () => node.Desk.RevokeAsOperatorAsync(Rig.Acme, id, node.Name, Rig.Cancellation))));

        Assert.Single(revoked, true);
        Assert.Single(await rig.One.Store.Revocations.ListOfAsync(Rig.Acme, id, Rig.Cancellation));
        Assert.Single([.. rig.One.Events.Of(EventKind.GrantRevoked), .. two.Events.Of(EventKind.GrantRevoked)]);
    }

    [Fact]
    public async Task LateAnswer_AfterRevocationWhereNothingRotates_RevokesTheAccessTokenOnly()
    {
        await using var rig = await Rig.StartAsync();
        var (id, family) = await rig.GrantAsync(Rig.Steady);
        rig.Clock.Advance(TimeSpan.FromMinutes(61));
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var hold = new TaskCompletionSource();
        rig.Authority.Script(new Fault { Reached = reached, Hold = hold.Task });
        var leasing = rig.One.LeaseAsync(Rig.Steady);
        await reached.Task;
        await rig.One.Desk.RevokeAsync(Rig.Ana.Key, id, Rig.Cancellation);
        hold.SetResult();
        await rig.PumpAsync(leasing);

        await rig.One.Get<Revoker>().TellAsync(Rig.Cancellation);

        Assert.Equal(1, rig.Authority.Revoked.Count(token => token == family.Refresh));
        Assert.Contains(family.Access, rig.Authority.Revoked);
    }

    private static async Task<RevocationRow> RevocationAsync(Rig rig, GrantId id) =>
        Assert.Single(await rig.One.Store.Revocations.ListOfAsync(Rig.Acme, id, Rig.Cancellation));

    private static async Task<RevocationStatus> StatusAsync(Rig rig, GrantId id) => (await RevocationAsync(rig, id)).Status;

    [Fact]
    public async Task Unused_BeyondTheConnectionsTime_IsRevokedAndNothingElse()
    {
        await using var rig = await Rig.StartAsync();
        var lake = await rig.AddConnectionAsync("policy", "generic", change: connection => connection with
        {
            Lifetimes = connection.Lifetimes with { RevokeUnusedAfter = TimeSpan.FromDays(30) },
        });
        var (unused, _) = await rig.GrantAsync(lake);
        var (used, _) = await rig.GrantAsync(lake, Rig.Ben);
        var (elsewhere, _) = await rig.GrantAsync(Rig.Lake);
        rig.Clock.Advance(TimeSpan.FromDays(29));
        await rig.One.Store.UpkeepAsync(GrantChanges.TouchUsed(Rig.Acme, used), Rig.Cancellation);
        await rig.One.Get<Housekeeper>().TurnAsync(Rig.Cancellation);
        Assert.Equal(GrantState.Active, (await rig.RowAsync(unused)).State);

        rig.Clock.Advance(TimeSpan.FromDays(1));
        await rig.One.Get<Housekeeper>().TurnAsync(Rig.Cancellation);

        Assert.Equal((GrantState.Revoked, GrantState.Active, GrantState.Active), ((await rig.RowAsync(unused)).State, (await rig.RowAsync(used)).State, (await rig.RowAsync(elsewhere)).State));
        Assert.Equal(("unused", unused), (Assert.Single(rig.One.Events.Of(EventKind.GrantRevoked)).Code, rig.One.Events.Of(EventKind.GrantRevoked)[0].Grant));
        await rig.One.Get<Revoker>().TellAsync(Rig.Cancellation);
        Assert.Equal(2, rig.Authority.Revoked.Count);
    }

    [Fact]
    public async Task SignOut_OfThePortal_RevokesWhereTheConnectionSaysSo_BeforeTheSessionIsGone()
    {
        await using var rig = await Rig.StartAsync();
        var lake = await rig.AddConnectionAsync("policy", "generic", change: connection => connection with { RevokeAtSignOut = true });
        var (mine, _) = await rig.GrantAsync(lake);
        var (kept, _) = await rig.GrantAsync(Rig.Lake);
        var (others, _) = await rig.GrantAsync(lake, Rig.Ben);
        var session = await rig.One.SignInAsync();

        await rig.One.Desk.SignOutAsync(session, Rig.Cancellation);

        Assert.Equal((GrantState.Revoked, GrantState.Active, GrantState.Active), ((await rig.RowAsync(mine)).State, (await rig.RowAsync(kept)).State, (await rig.RowAsync(others)).State));
        Assert.Equal("sign-out", Assert.Single(rig.One.Events.Of(EventKind.GrantRevoked)).Code);
        Assert.NotNull((await rig.One.Store.Sessions.FindAsync(Rig.Acme, session.Id, Rig.Cancellation))!.EndedAt);
    }

    [Fact]
    public async Task RevokeAll_OfASubjectOrConnectionOrTenant_RevokesThoseAndNoOthers()
    {
        await using var rig = await Rig.StartAsync();
        foreach (var person in new[] { Rig.Ana, Rig.Ben })
        {
            await rig.GrantAsync(Rig.Lake, person);
            await rig.GrantAsync(Rig.Grace, person);
        }

        Assert.Equal(1, await rig.One.Desk.RevokeAllAsOperatorAsync(Rig.Acme, new GrantFilter { SubjectId = "ana", Connection = Rig.Lake }, "test", Rig.Cancellation));
        Assert.Equal(1, await rig.One.Desk.RevokeAllAsOperatorAsync(Rig.Acme, new GrantFilter { Connection = Rig.Lake }, "test", Rig.Cancellation));
        Assert.Equal(0, await rig.One.Desk.RevokeAllAsOperatorAsync(TenantId.Parse("other"), new GrantFilter(), "test", Rig.Cancellation));
        Assert.Equal(2, await rig.One.Desk.RevokeAllAsOperatorAsync(Rig.Acme, new GrantFilter(), "test", Rig.Cancellation));
        Assert.Equal(0, await rig.One.Desk.RevokeAllAsOperatorAsync(Rig.Acme, new GrantFilter(), "test", Rig.Cancellation));
    }

    [Fact]
    public async Task RevokeAll_OfThousands_RevokesEachOnce()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        // Copies of the row: what counts here is how many there are.
        var columns = string.Join(", ", (await rig.ColumnsAsync("grants")).Where(column => column is not ("id" or "slot" or "active_slot")));
        await rig.SqlAsync($"""
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
            INSERT INTO grants (id, slot, active_slot, {columns})
            SELECT printf('%08x-0000-4000-8000-000000000000', i), printf('%064x', i), printf('%064x', i), {columns} FROM n, grants
            """);

        Assert.Equal(2001, await rig.One.Desk.RevokeAllAsOperatorAsync(Rig.Acme, new GrantFilter(), "test", Rig.Cancellation));

        Assert.Equal(2001, rig.One.Events.Of(EventKind.GrantRevoked).Select(told => told.Grant).Distinct().Count());
        Assert.Equal(2001, await rig.One.Store.Revocations.CountPendingAsync(Rig.Cancellation));
    }
}
