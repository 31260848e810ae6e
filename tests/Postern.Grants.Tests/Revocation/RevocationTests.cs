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
}
