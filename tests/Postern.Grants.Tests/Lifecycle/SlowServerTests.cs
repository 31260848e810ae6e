using Microsoft.Extensions.Time.Testing;
using Postern.Grants.Renewal;
using Postern.Grants.Revocation;
using Postern.Grants.Tests.Renewal;
using Postern.Grants.Tests.Support;
using Postern.Model;

namespace Postern.Grants.Tests.Lifecycle;

/// <summary>
/// A token endpoint that is slower than the claim, by each second from 1 to 30: what is out is not sent again, and what comes late is
/// stored, revoked or wiped as the row says, and named.
/// </summary>
public sealed class SlowServerTests
{
    private const int Claim = 30;
    private const int Slowest = 30;
    private static readonly TimeSpan NotLong = TimeSpan.FromMilliseconds(100);

    public static TheoryData<string> Profiles() => ["test-none", "test-grace", "test-short-grace", "generic", "test-kills"];

    [Theory]
    [MemberData(nameof(Profiles))]
    public async Task Answer_LaterThanTheClaim_IsGivenUpAtTheTimeLimitAndNoTokenIsSentOutsideItsProfile(string profile)
    {
        await using var rig = await Rig.StartAsync(NotLong, Crowd.Unpaced);
        var two = rig.AddNode("two");
        var connection = await rig.AddConnectionAsync("slow", profile, change: Crowd.Unpaced);
        var people = await rig.GrantsAsync(connection, Slowest);
        rig.Clock.Advance(TimeSpan.FromMinutes(61));
        var (slow, first) = (people.ToDictionary(held => held.Family.Refresh, held => Late(rig, held, people)), people.Select(held => held.Family.Refresh).ToHashSet());
        rig.Authority.Decide = token => first.Remove(token) ? slow[token] : null;

        var asked = rig.LeaseAllAsync(connection, people, held => [rig.One]);
        await rig.UntilAsync(() => Task.FromResult(asked.IsCompleted));
        for (var second = 1; second <= Claim + Slowest + 5; second++)
        {
            rig.Clock.Advance(TimeSpan.FromSeconds(1));
            await rig.BackgroundAsync(rig.One, two);
            await rig.LeaseAllAsync(connection, [people[second % Slowest]], _ => [two]);
        }
        var leases = await rig.LeaseAllAsync(connection, people, held => [rig.One, two]);

        var grace = profile is "test-grace" or "test-short-grace";
        var lives = grace || profile == "test-none";
        Assert.All(leases, lease => Assert.Equal(lives, lease.TryGet(out _, out var why) || why.Reconnect != ReconnectReason.Uncertain));
        Assert.All(people, held => Assert.Equal((lives ? 2 : 1, grace || profile == "test-none" ? 2 : 1), (held.Family.Redemptions, held.Family.MostOfOneToken)));
        Assert.Equal((0, Slowest * (lives ? 2 : 1)), (rig.Authority.Reuses, rig.Authority.TokenRequests));
        var named = profile == "test-none"
            ? rig.EventsOf(EventKind.RenewalFailed).Where(e => e.Code == "Timeout")
            : rig.EventsOf(EventKind.RenewalUncertain).Where(e => e.Code == (grace ? "repeated" : "answer-lost") && e.Facts["why"] is "Timeout");
        Assert.Equal(Slowest, named.Select(e => e.Grant).Distinct().Count());
    }

    public static TheoryData<string, bool, bool> Cases()
    {
        var cases = new TheoryData<string, bool, bool>();
        foreach (var profile in Profiles())
        {
            foreach (var (looked, serves) in new[] { (false, false), (false, true), (true, false), (true, true) })
                cases.Add(profile.Data, looked, serves);
        }
        return cases;
    }

    /// <summary>The node that sent stands still (its machine is suspended) while the others go on.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Answer_ToANodeThatStoodStill_IsStoredUnderItsFenceOrRevokedOrWiped(string profile, bool othersLook, bool tokenServes)
    {
        await using var rig = await Rig.StartAsync(NotLong, Crowd.Unpaced);
        var connection = await rig.AddConnectionAsync("slow", profile, change: Crowd.Unpaced);
        var people = await rig.GrantsAsync(connection, Slowest);
        rig.Clock.Advance(TimeSpan.FromMinutes(tokenServes ? 55.1 : 61));
        var standing = new FakeTimeProvider(rig.Now);
        var still = rig.AddNode("still", standing);
        var holds = people.ToDictionary(held => held.Family.Refresh, _ => (Reached: Source(), Hold: Source()));
        var first = holds.Keys.ToHashSet();
        rig.Authority.Decide = token => first.Remove(token) ? new Fault { Reached = holds[token].Reached, Hold = holds[token].Hold.Task } : null;
        var sent = people.Select(held => (held, old: held.Family.Refresh)).ToList();
        var renewing = sent.Select(one => still.Get<Renewer>().EnsureAsync(
            Rig.Acme, one.held.Id, tokenServes ? RenewalNeed.InTime : RenewalNeed.ToUse, Rig.Cancellation)).ToList();
        foreach (var (_, old) in sent)
            await holds[old].Reached.Task.WaitAsync(Rig.Cancellation);

        for (var second = 1; second <= Claim + Slowest; second++)
        {
            rig.Clock.Advance(TimeSpan.FromSeconds(1));
            if (othersLook)
                await rig.BackgroundAsync(rig.One);
            // While the claim lasts, nobody sends anything again.
            Assert.True(second >= Claim || rig.Authority.TokenRequests == Slowest, $"sent again after {second} s");
            if (second <= Claim)
                continue;
            holds[sent[second - Claim - 1].old].Hold.SetResult();
            while (!renewing[second - Claim - 1].IsCompleted)
            {
                standing.Advance(TimeSpan.FromMilliseconds(5));
                await Task.Delay(1, Rig.Cancellation);
            }
        }

        await CheckAsync(rig, people, profile, othersLook, tokenServes);
    }

    private static async Task CheckAsync(Rig rig, IReadOnlyList<Held> people, string profile, bool othersLook, bool tokenServes)
    {
        Assert.Equal(0, rig.Authority.Reuses);
        var late = rig.EventsOf(EventKind.RenewalAbandoned).Where(e => e.Code == "late-answer").Select(e => e.Grant).Distinct().Count();
        var rows = await Task.WhenAll(people.Select(held => rig.RowAsync(held.Id)));
        if (!othersLook)
        {
            // Past its deadline, and still under its fence: nothing is lost.
            Assert.All(rows, row => Assert.Equal((GrantState.Active, ReconnectReason.None, 2), (row.State, row.Reason, row.Generation)));
            Assert.All(people, held => Assert.Equal(1, held.Family.Redemptions));
            Assert.Equal((0, Slowest), (late, rig.EventsOf(EventKind.TokensRenewed).Count));
            return;
        }

        Assert.Equal(Slowest, late);
        if (profile is "test-none" or "test-grace")
        {
            // Taken over once; the late pair is wiped, because to revoke it could end the family.
            Assert.All(rows, row => Assert.Equal((GrantState.Active, ReconnectReason.None, 2), (row.State, row.Reason, row.Generation)));
            Assert.All(people, held => Assert.Equal((2, 2), (held.Family.Redemptions, held.Family.MostOfOneToken)));
            Assert.Equal(0, await rig.One.Store.Revocations.CountPendingAsync(Rig.Cancellation));
            return;
        }

        Assert.All(people, held => Assert.Equal((1, 1), (held.Family.Redemptions, held.Family.MostOfOneToken)));
        Assert.All(rows, row => Assert.Equal((tokenServes ? GrantState.Active : GrantState.Reconnect, ReconnectReason.Uncertain), row.Standing()));
        Assert.Equal(Slowest, await rig.One.Store.Revocations.CountPendingAsync(Rig.Cancellation));
        await rig.One.Get<Revoker>().TellAsync(Rig.Cancellation);
        Assert.Equal(tokenServes ? 0 : 2 * Slowest, rig.Authority.Revoked.Count);
        rig.Clock.Advance(TimeSpan.FromMinutes(10));
        await rig.One.Get<Revoker>().TellAsync(Rig.Cancellation);
        Assert.Equal(people.SelectMany(held => new[] { held.Family.Refresh, held.Family.Access }).Order(StringComparer.Ordinal), rig.Authority.Revoked.Order(StringComparer.Ordinal));
    }

    /// <summary>Answers the claim's time and so many seconds more after the request came.</summary>
    private static Fault Late(Rig rig, Held held, IReadOnlyList<Held> people) =>
        new() { Hold = Task.Delay(TimeSpan.FromSeconds(Claim + 1 + people.ToList().IndexOf(held)), rig.Clock) };

    private static TaskCompletionSource Source() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
