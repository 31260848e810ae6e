using Postern.Grants.Renewal;
using Postern.Grants.Tests.Support;
using Postern.Model;

namespace Postern.Grants.Tests.Lifecycle;

/// <summary>A whole company signs in at nine, with tokens of one hour.</summary>
public sealed class ThunderingHourTests
{
    private static readonly int People = Crowd.Full ? 10_000 : 2_000;
    // A fifth of the people in a minute: a little more than the five minutes between earliest and latest need.
    private static readonly int Cap = People * 6 / 25;
    private const int AtOnce = 32;
    private static readonly TimeSpan NotLong = TimeSpan.FromMilliseconds(100);

    [Fact]
    public async Task TokensOfTheSameMinute_AreRenewedUnderTheCapAndInTime_WithANodeKilledMidway()
    {
        await using var rig = await Rig.StartAsync(NotLong, options => options with { BackgroundRenewals = AtOnce });
        var two = rig.AddNode("two");
        await rig.One.JoinAsync();
        await two.JoinAsync();
        var connection = await rig.AddConnectionAsync("nine", "test-grace", change: one => one with
        {
            Authorization = one.Authorization with { Behaviour = new ProviderBehaviour { TokenRequestsPerMinute = Cap } },
        });
        var people = new List<Held>();
        for (var part = 0; part < 6; part++)
        {
            people.AddRange(await rig.GrantsAsync(connection, People / 6 + (part < People % 6 ? 1 : 0), name: $"part-{part}"));
            rig.Clock.Advance(TimeSpan.FromSeconds(10));
        }
        Assert.Equal(People, people.Count);
        var nine = rig.Now;

        rig.Clock.Advance(TimeSpan.FromMinutes(48.5));
        while (rig.Now < nine.AddMinutes(51.5))
            await rig.SecondAsync(rig.One, two);
        var before = rig.Authority.TokenRequests;
        // In the middle of its turn: what it claimed and sent stays as it is.
        var turn = two.Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation);
        await rig.SoonAsync(() => rig.Authority.TokenRequests > before || turn.IsCompleted);
        await rig.KillAsync(two);
        await rig.PumpAsync(turn.ContinueWith(_ => true, TaskScheduler.Default));
        while (rig.Now < nine.AddMinutes(58))
            await rig.SecondAsync(rig.One);

        Assert.Equal(0, rig.Authority.Reuses);
        // Nobody's token ended before the next one was there, nor came nearer to it than the margin.
        Assert.All(people, held => Assert.True(held.Family.Redemptions >= 1, held.Person.Key.Id));
        Assert.All(people, held => Assert.True(held.Family.IssuedAt[1] - held.Family.IssuedAt[0] < TimeSpan.FromHours(1) - RenewalProtocol.Margin, held.Person.Key.Id));
        // Only what the killed node had sent was sent again, and that is as much as it does at once.
        Assert.InRange(people.Count(held => held.Family.Redemptions > 1), 0, AtOnce);
        Assert.All(people, held => Assert.InRange(held.Family.Redemptions, 1, 2));
        var requested = rig.Authority.RequestedAt;
        Assert.InRange(requested.MostInAMinute(), Cap / 2, Cap);
        Assert.True(requested[^1] - requested[0] > TimeSpan.FromMinutes(5), $"within {requested[^1] - requested[0]}");
        Assert.Empty(rig.EventsOf(EventKind.GrantEnded));
        foreach (var held in people)
            Assert.Equal(2, (await rig.RowAsync(held.Id)).Generation);
    }
}
