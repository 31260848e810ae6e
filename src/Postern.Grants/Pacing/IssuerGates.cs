using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Postern.Model;

namespace Postern.Grants.Pacing;

/// <summary>
/// One gate for each authorization server. The cap of a server is shared evenly among the nodes that live: each keeps to its share by
/// itself, so the cluster is over the cap for a few seconds when a node joins, and never asks another for permission.
/// </summary>
internal sealed class IssuerGates(IChance chance, TimeProvider time, GrantOptions options, ILogger<IssuerGate> log)
{
    private readonly ConcurrentDictionary<string, Server> servers = new(StringComparer.Ordinal);
    private readonly long began = time.GetTimestamp();
    private int liveNodes = 1;

    /// <summary>How many nodes live, this one included.</summary>
    public int LiveNodes
    {
        get => Volatile.Read(ref liveNodes);
        set => Volatile.Write(ref liveNodes, Math.Max(1, value));
    }

    /// <summary>How the gates stand.</summary>
    public IReadOnlyList<GateStanding> Standings => [.. servers.Values.Select(server => server.Gate.Standing)];

    /// <summary>Lets requests to the connection's server pass: at once, after a wait, or not now.</summary>
    /// <param name="server">The connection's registration; where several connections share a server, the smallest cap counts.</param>
    /// <param name="urgency">Who asks.</param>
    /// <param name="requests">How many requests.</param>
    public ValueTask<Outcome<Passage>> EnterAsync(AuthorizationSettings server, Urgency urgency, int requests = 1)
    {
        var known = servers.GetOrAdd(server.Issuer, issuer => new Server(
            new IssuerGate(issuer, chance, time, options, log) { EmptyAt = LiveNodes > 1 ? began : null }));
        var cap = known.Cap(options.Profiles(server)?.TokenRequestsPerMinute ?? ProviderProfile.DefaultTokenRequestsPerMinute);
        return known.Gate.EnterAsync(urgency, requests, (double)cap / LiveNodes);
    }

    /// <summary>Whether background work for this server would be let pass now, so that nobody need begin.</summary>
    public bool HasRoom(string issuer) => !servers.TryGetValue(issuer, out var server) || server.Gate.HasRoom;

    private sealed class Server(IssuerGate gate)
    {
        private int cap = int.MaxValue;

        public IssuerGate Gate => gate;

        public int Cap(int asked)
        {
            var now = Volatile.Read(ref cap);
            while (asked < now && Interlocked.CompareExchange(ref cap, asked, now) is var other && other != now)
                now = other;
            return Math.Min(asked, now);
        }
    }
}
