using Postern.Grants.Tests.Support;
using Postern.Model;

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
}
