using Postern.Grants.Renewal;
using Postern.Grants.Tests.Renewal;
using Postern.Grants.Tests.Support;
using Postern.Model;

namespace Postern.Grants.Tests.Lifecycle;

/// <summary>Half an hour without the authorization server, over the very minutes in which everybody's token is due and ends.</summary>
public sealed class LongOutageTests
{
    private static readonly int OfEachProfile = Crowd.Full ? 400 : 100;
    private static readonly TimeSpan NotLong = TimeSpan.FromMilliseconds(100);
    // Of two nodes together, whatever the number of people: the failures that open the circuits with what was under way then (8 in the
    // background, some queries), and half an hour of single requests whose pauses grow to between half a minute and a minute.
    private const int AttemptsAtMost = 2 * (5 + 8 + 4 + 65);

    [Fact]
    public async Task Outage_OfHalfAnHourInEveryForm_EndsNobodyIsAskedByFewAndRecoversWithoutALogin()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (nodes, people) = await StartAsync(rig, Rig.Steady, Rig.Grace, Rig.Lake);
        var everybody = people.SelectMany(of => of.Value.Select(held => (of.Key, Held: held))).ToList();

        var before = rig.EventsOf(EventKind.RenewalSending).Count;
        rig.Clock.Advance(TimeSpan.FromMinutes(45));
        var began = rig.Now;
        for (var turn = 0; rig.Now < began.AddMinutes(30); turn++)
        {
            await BreakAsync(rig, rig.Now - began);
            await rig.SecondAsync(nodes);
            var (connection, held) = everybody[turn * 37 % everybody.Count];
            var serves = rig.Now < began.AddMinutes(14);
            foreach (var lease in await rig.LeaseAllAsync(connection, [held], _ => nodes))
            {
                // A token that serves serves to its end, whatever its server does.
                if (serves)
                    lease.Value();
                else if (!lease.TryGet(out _, out var why))
                    Assert.Equal(RefusalKind.AuthorizationServerUnavailable, why.Kind);
            }
            rig.Clock.Advance(TimeSpan.FromSeconds(3));
        }
        var attempts = rig.EventsOf(EventKind.RenewalSending).Count - before;
        Assert.InRange(attempts, 10, AttemptsAtMost);
        Assert.Equal(before, rig.EventsOf(EventKind.TokensRenewed).Count);

        rig.Authority.Weather = null;
        await rig.Authority.ComeBackAsync();
        var back = rig.Now;
        var waiting = everybody;
        while (waiting.Count > 0)
        {
            Assert.True(rig.Now < back.AddMinutes(5), $"{waiting.Count} still wait after five minutes");
            await rig.SecondAsync(nodes);
            var served = new HashSet<GrantId>();
            foreach (var of in waiting.GroupBy(one => one.Key))
            {
                foreach (var lease in await rig.LeaseAllAsync(of.Key, of.Select(one => one.Held), held => [nodes[served.Count % 2]]))
                {
                    if (lease.TryGet(out var got, out _))
                        served.Add(got.Grant);
                }
            }
            waiting = [.. waiting.Where(one => !served.Contains(one.Held.Id))];
        }
        TestContext.Current.SendDiagnosticMessage("{0} people on two nodes: {1} attempts in half an hour, all served {2} after the server was back", everybody.Count, attempts, rig.Now - back);

        // A minute is the longest pause of a circuit, and half a minute what the cap takes.
        Assert.InRange(rig.Now - back, TimeSpan.Zero, TimeSpan.FromMinutes(2) + TimeSpan.FromSeconds(everybody.Count / 10.0));
        Assert.Equal(0, rig.Authority.Reuses);
        Assert.Empty(rig.EventsOf(EventKind.GrantEnded));
        Assert.Empty(rig.EventsOf(EventKind.RenewalUncertain));
        foreach (var (_, held) in everybody)
            Assert.Equal((GrantState.Active, ReconnectReason.None), (await rig.RowAsync(held.Id)).Standing());
    }

    /// <summary>
    /// A server that takes requests and says nothing may have spent each token it was sent. What is lost is what was sent before the
    /// circuits opened; afterwards it is asked for its metadata.
    /// </summary>
    [Fact]
    public async Task Outage_ThatIsSilent_CostsOnlyWhatWasSentBeforeTheCircuitOpened()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (nodes, people) = await StartAsync(rig, Rig.Lake);
        var (connection, everybody) = people.Single();

        rig.Clock.Advance(TimeSpan.FromMinutes(49));
        var known = rig.EventsOf(EventKind.RenewalSending).Count;
        rig.Authority.Weather = Fault.Silence;
        var began = rig.Now;
        while (rig.Now < began.AddMinutes(30))
        {
            await rig.PumpSecondsAsync(Crowd.ForEachAsync(nodes, node => node.Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation)));
            rig.Clock.Advance(TimeSpan.FromSeconds(5));
        }
        rig.Authority.Weather = null;
        var sent = rig.EventsOf(EventKind.RenewalSending).Count - known;
        rig.Clock.Advance(TimeSpan.FromMinutes(2));
        while ((await rig.LeaseAllAsync(connection, everybody, held => [nodes[everybody.ToList().IndexOf(held) % 2]]))
               .Any(lease => lease.Refusal is { Kind: RefusalKind.AuthorizationServerUnavailable }))
            rig.Clock.Advance(TimeSpan.FromSeconds(20));

        // Of each node: five failures, and what it had under way meanwhile.
        Assert.InRange(sent, 5, nodes.Count * (5 + 8));
        var lost = rig.EventsOf(EventKind.RenewalUncertain).Where(e => e.Code == "answer-lost").Select(e => e.Grant).ToHashSet();
        Assert.Equal(sent, lost.Count);
        Assert.Equal(0, rig.Authority.Reuses);
        foreach (var held in everybody)
            Assert.Equal(lost.Contains(held.Id) ? (GrantState.Reconnect, ReconnectReason.Uncertain) : (GrantState.Active, ReconnectReason.None), (await rig.RowAsync(held.Id)).Standing());
    }

    private static async Task<(IReadOnlyList<TestNode> Nodes, Dictionary<ConnectionId, IReadOnlyList<Held>> People)> StartAsync(Rig rig, params ConnectionId[] connections)
    {
        TestNode[] nodes = [rig.One, rig.AddNode("two")];
        var (known, _) = await rig.GrantAsync(Rig.Lake);
        foreach (var node in nodes)
        {
            await node.JoinAsync();
            // It has renewed before, and knows the server.
            (await node.Get<Renewer>().EnsureAsync(Rig.Acme, known, RenewalNeed.After((await rig.RowAsync(known)).Generation), Rig.Cancellation)).Value();
        }
        await rig.One.Desk.RevokeAsync(Rig.Ana.Key, known, Rig.Cancellation);
        var people = new Dictionary<ConnectionId, IReadOnlyList<Held>>();
        foreach (var connection in connections)
            people[connection] = await rig.GrantsAsync(connection, OfEachProfile, name: connection.Value);
        return (nodes, people);
    }

    /// <summary>How the server fails at this moment of its outage.</summary>
    private static async Task BreakAsync(Rig rig, TimeSpan into)
    {
        if (into < TimeSpan.FromMinutes(8))
        {
            await rig.Authority.GoDownAsync();
            return;
        }
        await rig.Authority.ComeBackAsync();
        rig.Authority.Weather = into.TotalMinutes switch
        {
            < 13 => Fault.ServerError,
            < 18 => Fault.TooMany,
            < 23 => Fault.Html,
            _ => new Fault(503, "down for maintenance", "text/plain") { RetryAfter = 60 },
        };
    }
}
