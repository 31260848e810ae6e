using Postern.Grants.Leases;
using Postern.Grants.Renewal;
using Postern.Grants.Tests.Support;
using Postern.Model;

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

    public static async Task<bool> ForEachAsync<T>(IEnumerable<T> all, Func<T, Task> work)
    {
        await Parallel.ForEachAsync(all, new ParallelOptions { MaxDegreeOfParallelism = 32, CancellationToken = Rig.Cancellation }, async (one, _) => await work(one));
        return true;
    }
}
