using Postern.Grants.Renewal;
using Postern.Grants.Tests.Support;
using Postern.Model;

namespace Postern.Grants.Tests.Renewal;

/// <summary>Many at once, over the real store, vault and protocol client: one redemption, whoever asks.</summary>
public sealed class StormTests
{
    private static readonly TimeSpan PastExpiry = TimeSpan.FromMinutes(61);

    [Fact]
    public async Task Lease_By64AtExpiry_RedeemsOnce()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        rig.Clock.Advance(PastExpiry);

        // Whoever reads the row while the claim is held looks again a moment later, by the clock that is turned here.
        var leases = await rig.PumpAsync(Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(() => rig.One.LeaseAsync(Rig.Lake)))));

        Assert.All(leases, lease => Assert.Equal(2, lease.Value().Generation));
        Assert.Equal((1, 1), (rig.Authority.TokenRequests, rig.Authority.Redemptions));
    }

    [Fact]
    public async Task Lease_OnTwoNodesAtExpiry_RedeemsOnce()
    {
        await using var rig = await Rig.StartAsync();
        var two = rig.AddNode("two");
        await rig.GrantAsync(Rig.Lake);
        rig.Clock.Advance(PastExpiry);

        var leases = await rig.PumpAsync(Task.WhenAll(
            Enumerable.Range(0, 64).Select(i => Task.Run(() => (i % 2 == 0 ? rig.One : two).LeaseAsync(Rig.Lake)))));

        Assert.All(leases, lease => Assert.Equal(2, lease.Value().Generation));
        Assert.Equal((1, 1, 0), (rig.Authority.TokenRequests, rig.Authority.Redemptions, rig.Authority.Reuses));
        Assert.Equal(1, rig.One.Events.Of(EventKind.TokensRenewed).Count + two.Events.Of(EventKind.TokensRenewed).Count);
    }

    [Fact]
    public async Task Lease_WhoseFirstCallerHangsUp_IsAnsweredForTheOthers()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        rig.Clock.Advance(PastExpiry);
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var hold = new TaskCompletionSource();
        rig.Authority.Script(new Fault { Reached = reached, Hold = hold.Task });
        using var first = new CancellationTokenSource();

        var hangingUp = rig.One.LeaseAsync(Rig.Lake, cancellation: first.Token);
        await reached.Task;
        var others = Enumerable.Range(0, 8).Select(_ => rig.One.LeaseAsync(Rig.Lake)).ToArray();
        await first.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => hangingUp);
        hold.SetResult();

        Assert.All(await rig.PumpAsync(Task.WhenAll(others)), lease => Assert.Equal(2, lease.Value().Generation));
        Assert.Equal(1, rig.Authority.TokenRequests);
    }

    [Fact]
    public async Task AfterRefusal_OfAnOlderGeneration_GivesTheNewerPairWithoutACall()
    {
        await using var rig = await Rig.StartAsync();
        var (_, family) = await rig.GrantAsync(Rig.Lake);
        var session = await rig.One.SignInAsync();
        await using var first = await rig.One.RunAsync(Rig.Lake, session);
        await using var second = await rig.One.RunAsync(Rig.Lake, session);

        var renewed = (await first.AfterRefusalAsync(1, Rig.Cancellation)).Value();
        var late = (await second.AfterRefusalAsync(1, Rig.Cancellation)).Value();
        var again = (await first.AfterRefusalAsync(1, Rig.Cancellation)).Value();

        Assert.All([renewed, late, again], bearer => Assert.Equal((2, family.Access), (bearer.Generation, bearer.Token())));
        Assert.Equal(1, rig.Authority.TokenRequests);
    }

    [Fact]
    public async Task Background_BeforeTheEnd_RenewsWhatIsUsedAndNothingElse()
    {
        await using var rig = await Rig.StartAsync();
        var (used, _) = await rig.GrantAsync(Rig.Lake);
        var (idle, _) = await rig.GrantAsync(Rig.Lake, Rig.Ben);
        await rig.SqlAsync("UPDATE grants SET last_used_at = 0 WHERE id = @id", new { id = idle.ToString() });
        var background = rig.One.Get<BackgroundRenewer>();

        rig.Clock.Advance(TimeSpan.FromMinutes(45));
        await background.RenewAsync(Rig.Cancellation);
        Assert.Equal(0, rig.Authority.TokenRequests);

        rig.Clock.Advance(TimeSpan.FromMinutes(10));
        await background.RenewAsync(Rig.Cancellation);
        Assert.Equal((2, 1, 1), ((await rig.RowAsync(used)).Generation, (await rig.RowAsync(idle)).Generation, rig.Authority.TokenRequests));
    }

    [Fact]
    public async Task Background_WhereAnotherNodeHoldsTheClaim_DoesNotWaitForIt()
    {
        await using var rig = await Rig.StartAsync();
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        // The token has ended, so a query would wait for whoever renews.
        rig.Clock.Advance(TimeSpan.FromHours(1));
        Assert.NotNull(await rig.One.Store.ClaimRenewalAsync(
            await rig.RowAsync(id), "another", TimeSpan.FromSeconds(30), new AuditEvent(EventKind.RenewalClaimed, Rig.Acme), Rig.Cancellation));

        // Nobody turns the clock, so whoever waits waits for ever.
        var left = await rig.One.Get<Renewer>().EnsureAsync(Rig.Acme, id, RenewalNeed.InTime, Rig.Cancellation).WaitAsync(TimeSpan.FromSeconds(30), Rig.Cancellation);

        Assert.Equal((1, RenewalState.Claimed, "another"), (left.Value().Generation, left.Value().Renewal, left.Value().RenewalNode));
    }

    [Theory]
    [InlineData(40)]
    [InlineData(300)]
    public async Task Background_OfAServerThatFails_AsksItForAFewGrantsOnlyAndStarvesNobodyBehindThem(int waiting)
    {
        await using var rig = await Rig.StartAsync();
        for (var i = 0; i < waiting; i++)
            await rig.GrantAsync(Rig.Lake, new Subject(Rig.Ana.Key with { Id = $"person-{i}" }, Rig.Ana.Attributes));
        await using var other = await Authority.StartAsync();
        var (healthy, _) = await rig.GrantAsync(await rig.AddConnectionAsync("healthy", "test-none", other), at: other);
        rig.Clock.Advance(TimeSpan.FromMinutes(59));
        // The last in line, behind everything that waits for the failing server.
        await rig.SqlAsync("UPDATE grants SET renewal_due_at = @now WHERE id = @id", new { now = rig.Now.ToUnixTimeMilliseconds(), id = healthy.ToString() });
        rig.Authority.Script([.. Enumerable.Repeat(Fault.ServerError, 8)]);

        await rig.One.Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation);

        // Eight at once may have asked before the first answer came.
        Assert.InRange(rig.Authority.TokenRequests, 1, 20);
        Assert.Equal(2, (await rig.RowAsync(healthy)).Generation);
    }
}
