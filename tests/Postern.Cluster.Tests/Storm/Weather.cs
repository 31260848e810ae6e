using System.Diagnostics;
using Postern.Cluster.Tests.Processes;

namespace Postern.Cluster.Tests.Storm;

/// <summary>
/// What happens to the nodes: one of them dies every ten seconds (kill -9) and is started again; now and then one stands still for
/// longer than any claim holds (SIGSTOP), and goes on as if nothing had been. Writes down which grants were being renewed there.
/// </summary>
internal sealed class Weather(Deployment deployment, Watchers watchers, int seed)
{
    /// <summary>Longer than a claim and a sending hold (30 s each).</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(10);

    private readonly Random random = new(seed);
    private readonly HashSet<(string Grant, long Fence)> sendings = [];
    private (Node Node, long Since)? paused;

    /// <summary>Grants whose refresh token was at the provider, for all that anybody knows, when their node died or stood still.</summary>
    public IReadOnlySet<string> Sending => sendings.Select(sending => sending.Grant).ToHashSet();

    /// <summary>How many nodes died.</summary>
    public int Kills { get; private set; }

    /// <summary>How many stood still.</summary>
    public int Pauses { get; private set; }

    /// <summary>After each kill: how long each watcher waited for an answer.</summary>
    public List<IReadOnlyList<TimeSpan?>> Recoveries { get; } = [];

    /// <summary>Renewals in each turn.</summary>
    public List<long> Renewals { get; } = [];

    /// <summary>Storms for so long, then lets everybody go on in peace until nothing of it is open.</summary>
    public async Task BlowAsync(TimeSpan duration)
    {
        var began = Stopwatch.GetTimestamp();
        var before = (await deployment.Sandbox.CountRefreshesAsync()).Redeemed;
        for (var turn = 0; Stopwatch.GetElapsedTime(began) < duration; turn++)
        {
            var turned = Stopwatch.GetTimestamp();
            if (paused is { } standing && Stopwatch.GetElapsedTime(standing.Since) > Pause)
                Resume(standing.Node);
            if (paused is null && turn % 6 == 1)
                await PauseAsync(Any());
            await KillAsync(Any());

            var left = Turn - Stopwatch.GetElapsedTime(turned);
            if (left > TimeSpan.Zero)
                await Task.Delay(left, Suite.Token);
            var now = (await deployment.Sandbox.CountRefreshesAsync()).Redeemed;
            Renewals.Add(now - before);
            before = now;
        }
        if (paused is { } last)
        {
            var left = Pause - Stopwatch.GetElapsedTime(last.Since);
            if (left > TimeSpan.Zero)
                await Task.Delay(left, Suite.Token);
            Resume(last.Node);
        }
        await Suite.UntilAsync("every lost renewal is decided", TimeSpan.FromSeconds(90), async () => !(await deployment.Database.ListAsync<(string, long)>(
            "SELECT id, renewal_fence FROM grants WHERE renewal_state = 2 AND reason = 0")).Any(sendings.Contains));
    }

    private async Task KillAsync(Node node)
    {
        watchers.Leave(node);
        node.Process.Kill();
        var moment = watchers.Alarm();
        Kills++;
        await node.Process.EndedAsync(TimeSpan.FromSeconds(10));
        // What the database had taken from it and not yet committed is committed or undone within a moment of its death.
        await SawAsync(node);
        watchers.Return(await deployment.StartNodeAsync(int.Parse(node.Name["node-".Length..], System.Globalization.CultureInfo.InvariantCulture)));
        await Suite.UntilAsync("everybody is served", TimeSpan.FromSeconds(30), () => watchers.ServedAfter(moment).All(took => took is not null));
        Recoveries.Add(watchers.ServedAfter(moment));
    }

    private async Task PauseAsync(Node node)
    {
        watchers.Leave(node);
        node.Process.Pause();
        paused = (node, Stopwatch.GetTimestamp());
        Pauses++;
        await SawAsync(node);
    }

    private void Resume(Node node)
    {
        node.Process.Resume();
        watchers.Return(node);
        paused = null;
    }

    private async Task SawAsync(Node node)
    {
        for (var look = 0; look < 3; look++)
        {
            sendings.UnionWith(await deployment.Database.ListAsync<(string, long)>(
                "SELECT id, renewal_fence FROM grants WHERE renewal_state = 2 AND renewal_node = @name", new { name = node.Name }));
            await Task.Delay(150, Suite.Token);
        }
    }

    private Node Any()
    {
        var standing = deployment.Nodes.Where(node => node.Name != paused?.Node.Name).OrderBy(node => node.Name, StringComparer.Ordinal).ToList();
        return standing[random.Next(standing.Count)];
    }
}
