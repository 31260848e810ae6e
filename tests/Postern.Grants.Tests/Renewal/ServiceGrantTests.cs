using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Tests.Renewal;

/// <summary>Connections with one grant of their own, by client credentials.</summary>
public sealed class ServiceGrantTests
{
    [Fact]
    public async Task Lease_By32People_AcquiresOnceForAll()
    {
        await using var rig = await Rig.StartAsync();

        var leases = await Task.WhenAll(Enumerable.Range(0, 32).Select(i => Task.Run(() => rig.One.LeaseAsync(Rig.Service, i % 2 == 0 ? Rig.Ana : Rig.Ben))));

        Assert.Single(leases.Select(lease => lease.Value().Grant).Distinct());
        Assert.Equal(1, rig.Authority.TokenRequests);
    }

    [Fact]
    public async Task Lease_OnTwoNodesAtOnce_EndsWithOneGrant()
    {
        await using var rig = await Rig.StartAsync();
        var two = rig.AddNode("two");

        var leases = await Task.WhenAll(new[] { rig.One, two }.Select(node => Task.Run(() => node.LeaseAsync(Rig.Service))));

        Assert.Single(leases.Select(lease => lease.Value().Grant).Distinct());
    }

    [Fact]
    public async Task Lease_AtExpiry_RenewsByClientCredentials()
    {
        await using var rig = await Rig.StartAsync();
        var first = (await rig.One.LeaseAsync(Rig.Service)).Value();
        rig.Clock.Advance(TimeSpan.FromMinutes(61));

        var second = (await rig.One.LeaseAsync(Rig.Service)).Value();

        Assert.Equal((first.Grant, 2, 2), (second.Grant, second.Generation, rig.Authority.TokenRequests));
        await using var run = await rig.One.RunAsync(Rig.Service, await rig.One.SignInAsync());
        Assert.Equal("service-2", (await run.CurrentAsync(Rig.Cancellation)).Value().Token());
    }

    [Fact]
    public async Task Lease_WhoseAnswerIsLostAgainAndAgain_GoesOnOnceTheServerAnswers()
    {
        await using var rig = await Rig.StartAsync();
        await rig.One.LeaseAsync(Rig.Service);
        rig.Clock.Advance(TimeSpan.FromMinutes(61));
        rig.Authority.Script(Fault.LostAnswer, Fault.LostAnswer, Fault.LostAnswer);
        for (var i = 0; i < 3; i++)
        {
            (await rig.One.LeaseAsync(Rig.Service)).Refused(RefusalKind.AuthorizationServerUnavailable);
            rig.Clock.Advance(TimeSpan.FromMinutes(1));
        }

        Assert.Equal(2, (await rig.One.LeaseAsync(Rig.Service)).Value().Generation);
    }

    [Fact]
    public async Task Acquire_FromAServerThatFails_IsNotRepeatedByEachQuery()
    {
        await using var rig = await Rig.StartAsync();
        rig.Authority.Script(Fault.ServerError);
        for (var i = 0; i < 5; i++)
            Assert.Equal("service-token", (await rig.One.LeaseAsync(Rig.Service)).Refused(RefusalKind.AuthorizationServerUnavailable).Code);
        Assert.Equal(1, rig.Authority.TokenRequests);

        rig.Clock.Advance(TimeSpan.FromSeconds(6));

        (await rig.One.LeaseAsync(Rig.Service)).Value();
    }

    [Fact]
    public async Task Lease_AfterAnOperatorRevokedTheServiceGrant_IsRefusedUntilThatIsLifted()
    {
        await using var rig = await Rig.StartAsync();
        var grant = (await rig.One.LeaseAsync(Rig.Service)).Value().Grant;
        Assert.True(await rig.One.Desk.RevokeAsOperatorAsync(Rig.Acme, grant, "operator:test", Rig.Cancellation));

        Assert.Equal("service-revoked", (await rig.One.LeaseAsync(Rig.Service)).Refused(RefusalKind.Forbidden).Code);
        Assert.Equal("service-revoked", (await rig.AddNode("two").LeaseAsync(Rig.Service)).Refused(RefusalKind.Forbidden).Code);
        Assert.Equal(1, rig.Authority.TokenRequests);

        Assert.True(await rig.One.Desk.LiftRevocationAsync(Rig.Acme, grant, "operator:test", Rig.Cancellation));
        Assert.NotEqual(grant, (await rig.One.LeaseAsync(Rig.Service)).Value().Grant);
        Assert.Equal("operator:test", Assert.Single(rig.One.Events.Of(EventKind.RevocationLifted)).Actor);
        Assert.False(await rig.One.Desk.LiftRevocationAsync(Rig.Acme, grant, "operator:test", Rig.Cancellation));
    }

    [Fact]
    public async Task Lift_OfAPersonsRevokedGrant_IsRefused()
    {
        await using var rig = await Rig.StartAsync();
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        await rig.One.Desk.RevokeAsOperatorAsync(Rig.Acme, id, "operator:test", Rig.Cancellation);

        Assert.False(await rig.One.Desk.LiftRevocationAsync(Rig.Acme, id, "operator:test", Rig.Cancellation));

        Assert.Equal(GrantState.Revoked, (await rig.RowAsync(id)).State);
    }

    [Fact]
    public async Task Start_PolicyChangedSinceItWasJudged_IsAConflictAndNoRun()
    {
        await using var rig = await Rig.StartAsync();
        var session = await rig.One.SignInAsync();
        var lease = (await rig.One.LeaseAsync(Rig.Service)).Value();
        await rig.One.Desk.Definitions.SeedAsync(rig.Seed() with { Others = [new(DefinitionKind.Policy, "all", "{ }")] }, "test", Rig.Cancellation);

        var started = await rig.One.Desk.StartAsync(lease, session, new byte[32], Rig.Cancellation);

        Assert.Equal("policy-changed", started.Refused(RefusalKind.Conflict).Code);
        Assert.Empty(rig.One.Events.Of(EventKind.QueryStarted));
        await using var again = await rig.One.RunAsync(Rig.Service, session);
    }

    [Fact]
    public async Task Start_PolicyAddedSinceItWasJudged_IsAConflictAndNoRun()
    {
        await using var rig = await Rig.StartAsync();
        var session = await rig.One.SignInAsync();
        var lease = (await rig.One.LeaseAsync(Rig.Service)).Value();
        await rig.One.Desk.Definitions.SeedAsync(rig.Seed() with { Others = [new(DefinitionKind.Policy, "more", "{}")] }, "test", Rig.Cancellation);

        Assert.Equal("policy-changed", (await rig.One.Desk.StartAsync(lease, session, new byte[32], Rig.Cancellation)).Refused(RefusalKind.Conflict).Code);
    }
}
