using Postern.Grants.Leases;
using Postern.Grants.Renewal;
using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Tests.Lifecycle;

/// <summary>What the tests of whole lives share: their length, and many people at once.</summary>
internal static class Crowd
{
    /// <summary>Whether lengthy suites take their full length.</summary>
    public static bool Full { get; } = Environment.GetEnvironmentVariable("POSTERN_TEST_FULL") == "1";

    /// <summary>For servers whose cap and circuit are not what the test is about.</summary>
    public static GrantOptions Unpaced(GrantOptions options) => options with { IssuerFailures = int.MaxValue, IssuerQueue = int.MaxValue };

    /// <summary>As above, of a connection.</summary>
    public static Connection Unpaced(Connection connection) => connection with
    {
        Authorization = connection.Authorization with { Behaviour = new ProviderBehaviour { TokenRequestsPerMinute = 1_000_000 } },
    };

    /// <summary>Everybody asks for a lease, each on the nodes that are named for them, all at once.</summary>
    public static async Task<IReadOnlyList<Outcome<TokenLease>>> LeaseAllAsync(
        this Rig rig, ConnectionId connection, IEnumerable<Held> people, Func<Held, IEnumerable<TestNode>> on)
    {
        var asked = new List<Outcome<TokenLease>>();
        var gate = new Lock();
        await rig.PumpAsync(ForEachAsync(people.SelectMany(held => on(held).Select(node => (held, node))), async one =>
        {
            var leased = await one.node.LeaseAsync(connection, one.held.Person);
            lock (gate)
                asked.Add(leased);
        }));
        return asked;
    }

    /// <summary>One turn of the background on each node, at the same time.</summary>
    public static Task BackgroundAsync(this Rig rig, params IEnumerable<TestNode> nodes) =>
        rig.PumpAsync(ForEachAsync(nodes, node => node.Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation)));

    /// <summary>The most that fell into any minute.</summary>
    public static int MostInAMinute(this IEnumerable<DateTimeOffset> moments)
    {
        var (window, most) = (new Queue<DateTimeOffset>(), 0);
        foreach (var at in moments.Order())
        {
            window.Enqueue(at);
            while (window.Peek() <= at.AddMinutes(-1))
                window.Dequeue();
            most = Math.Max(most, window.Count);
        }
        return most;
    }

    /// <summary>Says in the database that a node lives, as its host's start would.</summary>
    public static Task JoinAsync(this TestNode node) => node.Store.CommitAsync(
        NodeChanges.Join(node.Name, node.Get<NodeIdentity>().Boot), new AuditEvent(EventKind.NodeStarted, Rig.Acme), null, Rig.Cancellation);

    /// <summary>The housekeeping and the background of each node at once, then on to the next second.</summary>
    public static async Task SecondAsync(this Rig rig, params IEnumerable<TestNode> nodes)
    {
        var next = rig.Now.AddSeconds(1);
        await rig.PumpAsync(ForEachAsync(nodes, async node =>
        {
            await node.Get<Housekeeper>().TurnAsync(Rig.Cancellation);
            await node.Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation);
        }));
        if (next > rig.Now)
            rig.Clock.Advance(next - rig.Now);
    }

    public static async Task<bool> ForEachAsync<T>(IEnumerable<T> all, Func<T, Task> work)
    {
        await Parallel.ForEachAsync(all, new ParallelOptions { MaxDegreeOfParallelism = 32, CancellationToken = Rig.Cancellation }, async (one, _) => await work(one));
        return true;
    }
}
