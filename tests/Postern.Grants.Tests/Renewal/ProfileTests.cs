using Postern.Grants.Renewal;
using Postern.Grants.Tests.Support;
using Postern.Model;

namespace Postern.Grants.Tests.Renewal;

/// <summary>What follows from a provider's profile: grace periods, tokens that die at a renewal, sessions that end by the clock.</summary>
public sealed class ProfileTests
{
    private static readonly TimeSpan NotLong = TimeSpan.FromMilliseconds(500);

    [Theory]
    [InlineData("test-grace")]
    [InlineData("test-short-grace")]
    public async Task LostAnswer_WithinTheGrace_IsRepeatedAtOnceAndNobodyNotices(string profile)
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var connection = await rig.AddConnectionAsync("short", profile);
        var (id, family) = await rig.GrantAsync(connection);
        rig.Clock.Advance(TimeSpan.FromMinutes(61));
        rig.Authority.Script(Fault.LostAnswer);

        Assert.Equal(2, (await rig.PumpAsync(rig.One.LeaseAsync(connection))).Value().Generation);

        Assert.Equal((2, 0, 2), (rig.Authority.TokenRequests, rig.Authority.Reuses, family.Redemptions));
        Assert.Equal("repeated", Assert.Single(rig.One.Events.Of(EventKind.RenewalUncertain)).Code);
        Assert.Equal(0, (await rig.RowAsync(id)).RenewalTakeovers);
    }

    [Theory]
    [InlineData("test-grace", 2, "repeats")]
    [InlineData("test-short-grace", 1, "never")]
    public async Task CrashWhileSending_IsTakenOverOnlyWhereTheGraceCoversAnotherNode(string profile, int generation, string how)
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var connection = await rig.AddConnectionAsync("short", profile);
        var (id, _) = await rig.GrantAsync(connection);
        rig.Clock.Advance(TimeSpan.FromMinutes(55));
        await rig.SqlAsync("UPDATE grants SET renewal_state = 2, renewal_deadline = @at WHERE id = @id", new { at = rig.Now.AddSeconds(30).ToUnixTimeMilliseconds(), id = id.ToString() });
        rig.Clock.Advance(TimeSpan.FromSeconds(31));

        await rig.One.Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation);

        Assert.Equal(generation, (await rig.RowAsync(id)).Generation);
        Assert.Equal(how == "repeats" ? ReconnectReason.None : ReconnectReason.Uncertain, (await rig.RowAsync(id)).Reason);
    }

    [Fact]
    public async Task CrashWhileSending_FoundAfterTheGraceIsOver_IsNotTakenOver()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (id, _) = await rig.GrantAsync(Rig.Grace);
        await rig.SqlAsync("UPDATE grants SET renewal_state = 2, renewal_deadline = @at WHERE id = @id", new { at = rig.Now.AddSeconds(30).ToUnixTimeMilliseconds(), id = id.ToString() });
        // All nodes were down for ten minutes; the grace is five.
        rig.Clock.Advance(TimeSpan.FromMinutes(10));

        await rig.One.Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation);

        Assert.Equal((GrantState.Active, ReconnectReason.Uncertain), (await rig.RowAsync(id)).Standing());
        Assert.Equal(0, rig.Authority.TokenRequests);
    }

    [Fact]
    public async Task Renewal_ThatKillsTheOldToken_WaitsForRunsOfEveryNodeWithinABound()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var connection = await rig.AddConnectionAsync("kills", "test-kills");
        var (id, family) = await rig.GrantAsync(connection);
        var two = rig.AddNode("two");
        rig.Clock.Advance(TimeSpan.FromMinutes(40));
        await using var run = await two.RunAsync(connection, await two.SignInAsync());
        var first = (await run.CurrentAsync(Rig.Cancellation)).Value();
        // Due, with the whole of its time left.
        await rig.SqlAsync("UPDATE grants SET renewal_due_at = @at WHERE id = @id", new { at = rig.Now.ToUnixTimeMilliseconds(), id = id.ToString() });

        await rig.One.Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation);
        Assert.Equal(1, (await rig.RowAsync(id)).Generation);

        // Half of the time is over: it is renewed, and the run goes on with the new token.
        rig.Clock.Advance(TimeSpan.FromMinutes(11));
        await rig.One.Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation);
        Assert.Equal(2, (await rig.RowAsync(id)).Generation);
        Assert.Equal(family.Access, (await run.AfterRefusalAsync(first.Generation, Rig.Cancellation)).Value().Token());
        Assert.Equal(1, rig.Authority.TokenRequests);
    }

    [Fact]
    public async Task Renewal_ThatKillsTheOldToken_WithoutRunsIsDoneWhenItIsDue()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var connection = await rig.AddConnectionAsync("kills", "test-kills");
        var (id, _) = await rig.GrantAsync(connection);
        rig.Clock.Advance(TimeSpan.FromMinutes(40));
        await (await rig.One.RunAsync(connection, await rig.One.SignInAsync())).DisposeAsync();
        await rig.SqlAsync("UPDATE grants SET renewal_due_at = @at WHERE id = @id", new { at = rig.Now.ToUnixTimeMilliseconds(), id = id.ToString() });

        await rig.One.Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation);

        Assert.Equal(2, (await rig.RowAsync(id)).Generation);
    }

    [Fact]
    public async Task AbsoluteEnd_IsWarnedOfBeforeAndEndsTheGrantByTheClock()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (id, _) = await rig.GrantAsync(Rig.Lake, absoluteEnd: rig.Now.AddHours(8));
        var warnings = new List<string?>();
        for (var hour = 0; hour < 8; hour++)
        {
            (await rig.One.LeaseAsync(Rig.Lake)).Value();
            var standing = (await rig.One.Desk.StandingAsync(Rig.Ana.Key, Rig.Lake, Rig.Cancellation))!;
            Assert.Equal((await rig.RowAsync(id)).AbsoluteEndAt, standing.EndsAt);
            warnings.Add(standing.WarningAt(rig.Now));
            rig.Clock.Advance(TimeSpan.FromMinutes(59));
            await rig.One.Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation);
        }

        Assert.Equal([null, null, null, null, null, null, null, null], warnings);
        Assert.Equal("ends-soon", (await rig.One.Desk.StandingAsync(Rig.Ana.Key, Rig.Lake, Rig.Cancellation))!.WarningAt(rig.Now));
        var generation = (await rig.RowAsync(id)).Generation;
        await rig.One.Get<Housekeeper>().TurnAsync(Rig.Cancellation);
        Assert.Equal(GrantState.Active, (await rig.RowAsync(id)).State);

        rig.Clock.Advance(TimeSpan.FromMinutes(9));
        await rig.One.Get<Housekeeper>().TurnAsync(Rig.Cancellation);

        Assert.Equal((GrantState.Reconnect, ReconnectReason.Expired), (await rig.RowAsync(id)).Standing());
        Assert.Equal("absolute-end", Assert.Single(rig.One.Events.Of(EventKind.GrantEnded)).Code);
        Assert.Equal(generation, (await rig.RowAsync(id)).Generation);
        Assert.Equal(ReconnectReason.Expired, (await rig.One.LeaseAsync(Rig.Lake)).Refused(RefusalKind.ReconnectRequired).Reconnect);
    }

    [Fact]
    public async Task PairThatReachesTheAbsoluteEnd_IsNotRenewedAgain()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (id, _) = await rig.GrantAsync(Rig.Lake, absoluteEnd: rig.Now.AddHours(1));
        rig.Clock.Advance(TimeSpan.FromMinutes(58));

        await rig.One.Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation);
        var early = await rig.One.Get<Renewer>().EnsureAsync(Rig.Acme, id, RenewalNeed.InTime, Rig.Cancellation);

        Assert.Equal(1, early.Value().Generation);
        Assert.Equal(0, rig.Authority.TokenRequests);
        rig.Clock.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(ReconnectReason.Expired, (await rig.One.LeaseAsync(Rig.Lake)).Refused(RefusalKind.ReconnectRequired).Reconnect);
        Assert.Equal("absolute-end", Assert.Single(rig.One.Events.Of(EventKind.GrantEnded)).Code);
    }

    [Fact]
    public async Task Renewal_ThatFailsWhileTheTokenServes_IsAWarningAndNoRefusal()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        await rig.GrantAsync(Rig.Lake);
        rig.Clock.Advance(TimeSpan.FromMinutes(56));
        rig.Authority.Script(Fault.ServerError);

        await rig.One.Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation);

        Assert.Equal(1, (await rig.One.LeaseAsync(Rig.Lake)).Value().Generation);
        Assert.Equal("renewal-failing", (await rig.One.Desk.StandingAsync(Rig.Ana.Key, Rig.Lake, Rig.Cancellation))!.WarningAt(rig.Now));
    }

    [Fact]
    public async Task AnswerWithoutExpiresIn_IsBelievedForTheAssumedTimeAndRenewedInIt()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        rig.Clock.Advance(TimeSpan.FromMinutes(61));
        rig.Authority.ExpiresIn = null;

        Assert.Equal(2, (await rig.One.LeaseAsync(Rig.Lake)).Value().Generation);

        var row = await rig.RowAsync(id);
        Assert.InRange(row.AccessExpiresAt!.Value - rig.Now, TimeSpan.FromMinutes(4.9), TimeSpan.FromMinutes(5));
        Assert.InRange(row.RenewalDueAt!.Value - rig.Now, TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(4));
    }
}
