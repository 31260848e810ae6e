using Postern.Grants.Renewal;
using Postern.Grants.Tests.Renewal;
using Postern.Grants.Tests.Support;
using Postern.Model;

namespace Postern.Grants.Tests.Lifecycle;

/// <summary>
/// Clocks that are set two hours forward or back, of one node and of the database: that may cost waiting or a reconnect, and never a
/// refresh token that is redeemed twice outside its profile.
/// </summary>
public sealed class ClockStepTests
{
    private static readonly TimeSpan NotLong = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan TwoHours = TimeSpan.FromHours(2);

    [Theory]
    [InlineData(2)]
    [InlineData(-2)]
    public async Task NodesOwnClock_Stepped_ChangesNothing(int hours)
    {
        await using var rig = await Rig.StartAsync(NotLong, Crowd.Unpaced);
        var own = new SteppedClock(rig.Clock);
        var two = rig.AddNode("two", own);
        var connection = await rig.AddConnectionAsync("stepped", "generic", change: Crowd.Unpaced);
        var people = await rig.GrantsAsync(connection, 20);

        for (var round = 1; round <= 3; round++)
        {
            // In the middle of whatever the node is doing.
            own.Step = round % 2 == 1 ? TimeSpan.FromHours(hours) : TimeSpan.Zero;
            rig.Clock.Advance(TimeSpan.FromMinutes(52));
            await rig.BackgroundAsync(rig.One, two);
            own.Step -= TimeSpan.FromHours(hours);
            rig.Clock.Advance(TimeSpan.FromMinutes(9));
            Assert.All(await rig.LeaseAllAsync(connection, people, _ => [rig.One]), lease => lease.Value());
            Assert.All(await rig.LeaseAllAsync(connection, people, _ => [two]), lease => lease.Value());
        }

        foreach (var held in people)
        {
            var row = await rig.RowAsync(held.Id);
            Assert.Equal((GrantState.Active, row.Generation - 1, 1), (row.State, held.Family.Redemptions, held.Family.MostOfOneToken));
        }
        Assert.Equal(0, rig.Authority.Reuses);
        Assert.Empty(rig.EventsOf(EventKind.RenewalUncertain));
    }

    public static TheoryData<string, int, string> Steps()
    {
        var cases = new TheoryData<string, int, string>();
        foreach (var profile in SlowServerTests.Profiles())
        {
            foreach (var hours in new[] { 2, -2 })
            {
                foreach (var at in new[] { "claimed", "sending", "sent-and-dead" })
                    cases.Add(profile.Data, hours, at);
            }
        }
        return cases;
    }

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task DatabaseClock_SteppedDuringARenewal_RedeemsNoTokenOutsideItsProfile(string profile, int hours, string at)
    {
        await using var rig = await Rig.StartAsync(NotLong, Crowd.Unpaced);
        var connection = await rig.AddConnectionAsync("stepped", profile, change: Crowd.Unpaced);
        var (id, family) = await rig.GrantAsync(connection);
        var two = rig.AddNode("two");
        rig.Clock.Advance(TimeSpan.FromMinutes(61));
        var hold = new TaskCompletionSource();
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<Outcome<Postern.Store.GrantRow>>? renewing = null;
        if (at == "claimed")
        {
            await rig.SqlAsync("UPDATE grants SET renewal_state = 1, renewal_fence = 1, renewal_deadline = @at, renewal_node = 'dead' WHERE id = @id",
                new { at = rig.Now.AddSeconds(30).ToUnixTimeMilliseconds(), id = id.ToString() });
        }
        else
        {
            rig.Authority.Script(new Fault { Reached = reached, Hold = hold.Task, DropAnswer = at == "sent-and-dead" });
            var one = at == "sent-and-dead" ? rig.AddNode("dying", new Microsoft.Extensions.Time.Testing.FakeTimeProvider(rig.Now)) : rig.One;
            renewing = one.Get<Renewer>().EnsureAsync(Rig.Acme, id, RenewalNeed.ToUse, Rig.Cancellation);
            await reached.Task;
        }

        rig.DatabaseClock.Step = TimeSpan.FromHours(hours);
        // Five minutes with everybody looking; then the rest of the two hours and more.
        for (var second = 0; second < 300; second += 15)
            await LookAsync(15);
        if (at == "sending")
        {
            hold.SetResult();
            await rig.PumpAsync(renewing!);
        }
        for (var minutes = 0; minutes < 130; minutes += 10)
            await LookAsync(600);

        var row = await rig.RowAsync(id);
        Assert.Equal(0, rig.Authority.Reuses);
        Assert.True(family.MostOfOneToken <= (profile is "generic" or "test-kills" ? 1 : profile == "test-none" ? int.MaxValue : 2), $"{family.MostOfOneToken} redemptions of one token");
        // Nothing hangs for good: it renews, or the person was told to reconnect.
        Assert.True(row.State == GrantState.Reconnect || row is { Renewal: RenewalState.Idle, Reason: ReconnectReason.None } && row.Generation > 1, $"{row.State} {row.Renewal} {row.Generation}");
        Assert.True(row.State == GrantState.Active || row.Reason == ReconnectReason.Uncertain, $"{row.Reason}");
        hold.TrySetResult();

        async Task LookAsync(int seconds)
        {
            rig.Clock.Advance(TimeSpan.FromSeconds(seconds));
            await rig.BackgroundAsync(rig.One, two);
            await rig.LeaseAllAsync(connection, [new Held(id, family, Rig.Ana)], _ => [rig.One, two]);
        }
    }

    /// <summary>The case that only the second clock saves: the node died, the token is spent, and the store says that no time passed.</summary>
    [Fact]
    public async Task DatabaseClock_SetBackAfterACrash_DoesNotMakeAGraceLastThatIsOver()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (id, family) = await rig.GrantAsync(Rig.Grace);
        rig.Clock.Advance(TimeSpan.FromMinutes(55));
        await SentAndDeadAsync(rig, id, family);
        rig.Clock.Advance(TwoHours);
        rig.DatabaseClock.Step = -TwoHours + TimeSpan.FromSeconds(31);

        await rig.One.Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation);

        Assert.Equal((GrantState.Active, ReconnectReason.Uncertain), (await rig.RowAsync(id)).Standing());
        Assert.Equal((0, 0), (rig.Authority.TokenRequests, rig.Authority.Reuses));
    }

    [Fact]
    public async Task NodesOwnClock_AheadOfTheDatabases_CostsATakeOverAndSendsNothing()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (id, family) = await rig.GrantAsync(Rig.Grace);
        rig.Clock.Advance(TimeSpan.FromMinutes(55));
        await SentAndDeadAsync(rig, id, family);
        rig.Clock.Advance(TimeSpan.FromSeconds(31));

        await rig.AddNode("ahead", new SteppedClock(rig.Clock) { Step = TwoHours }).Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation);

        Assert.Equal((GrantState.Active, ReconnectReason.Uncertain), (await rig.RowAsync(id)).Standing());
        Assert.Equal(0, rig.Authority.TokenRequests);
    }

    [Fact]
    public async Task DatabaseClock_SetBack_OffersATokenPastItsEndForNoLongerThanTheStepAndOneRefusalRenewsIt()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (id, family) = await rig.GrantAsync(Rig.Lake);
        await using var run = await rig.One.RunAsync(Rig.Lake, await rig.One.SignInAsync());
        rig.DatabaseClock.Step = -TwoHours;
        // It ended a minute ago, and the database does not know that.
        rig.Clock.Advance(TimeSpan.FromMinutes(61));

        var offered = (await run.CurrentAsync(Rig.Cancellation)).Value();
        Assert.Equal((1, false), (offered.Generation, rig.Authority.Accepts(offered.Token())));
        var renewed = (await run.AfterRefusalAsync(1, Rig.Cancellation)).Value();

        Assert.Equal((2, true), (renewed.Generation, rig.Authority.Accepts(renewed.Token())));
        Assert.Equal((1, 0), (family.Redemptions, rig.Authority.Reuses));

        // And where no platform refuses it: its end and the step, and not a minute longer.
        var (other, _) = await rig.GrantAsync(Rig.Lake, Rig.Ben);
        rig.DatabaseClock.Step -= TwoHours;
        rig.Clock.Advance(TimeSpan.FromHours(3) - RenewalProtocol.Margin - TimeSpan.FromSeconds(1));
        Assert.Equal(1, (await rig.One.LeaseAsync(Rig.Lake, Rig.Ben)).Value().Generation);
        rig.Clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(2, (await rig.One.LeaseAsync(Rig.Lake, Rig.Ben)).Value().Generation);
        Assert.Equal(2, (await rig.RowAsync(other)).Generation);
    }

    /// <summary>What a node leaves behind that died after its request was answered; the server's grace begins now.</summary>
    private static async Task SentAndDeadAsync(Rig rig, GrantId id, Family family)
    {
        Assert.True(family.TryRedeem(family.Refresh));
        await rig.SqlAsync("UPDATE grants SET renewal_state = 2, renewal_node = 'dead', renewal_deadline = @at WHERE id = @id",
            new { at = rig.Now.AddSeconds(30).ToUnixTimeMilliseconds(), id = id.ToString() });
    }
}
