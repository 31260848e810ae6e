using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;

namespace Postern.Cluster.Tests;

/// <summary>
/// Rotations in a process of their own, killed at every step while nodes serve: the same command goes on, nobody is refused a row, and
/// nothing is lost. Then a shredding.
/// </summary>
public sealed class RotationTests
{
    /// <summary>When to kill: once the log has one more event of this kind.</summary>
    private sealed record KillPoint(string Verb, int Event);

    private static readonly KillPoint[] Points =
    [
        new("rotate", 611),
        new("rotate", 612),
        new("rotate", 613),
        new("rotate-root", 615),
        new("rotate-root", 616),
        new("rotate-root", 614),
        new("rotate-root", 617),
    ];

    [Fact]
    public async Task Rotation_KilledAtAnyStepWhileNodesServe_GoesOnAndLosesNothing()
    {
        await using var deployment = await Deployment.StartAsync(nodes: 2);
        using var ana = new Person(deployment, "ana");
        await ana.EmbedAndConnectAsync();
        var anas = await ana.FlightsAsync();
        var keys = Keys(deployment);
        var roots = Roots(deployment);

        foreach (var point in Points)
        {
            await KillAsync(deployment, point);
            Assert.Equal((anas, anas), (await ana.FlightsAsync(), await ana.FlightsAsync(node: deployment.Other)));

            var (code, output) = await deployment.RunAsync(Arguments(point.Verb));

            Assert.True(code == 0, $"{point}: {output}");
            Assert.Equal(1L, deployment.Read("SELECT count(*) FROM tenant_keys WHERE tenant = 'skyline'"));
            Assert.Equal((anas, anas), (await ana.FlightsAsync(), await ana.FlightsAsync(node: deployment.Other)));
        }

        Assert.NotEqual(keys, Keys(deployment));
        Assert.NotEqual(roots, Roots(deployment));
        var (sound, counted) = await deployment.RunAsync("vault", "verify");
        Assert.True(sound == 0, counted);
        Assert.Contains(" 0 unreadable", counted, StringComparison.Ordinal);
        await deployment.AssertAuditVerifiesAsync();
    }

    [Fact]
    public async Task Shred_WhileNodesServe_EndsTheTenantAndLeavesNothingReadable()
    {
        await using var deployment = await Deployment.StartAsync(nodes: 2);
        using var ana = new Person(deployment, "ana");
        await ana.EmbedAndConnectAsync();
        await ana.FlightsAsync();
        var receipt = Path.Combine(deployment.Folder, "receipt.json");

        var (refused, why) = await deployment.RunAsync("vault", "shred", "--tenant", "skyline", "--confirm", "skylime");
        Assert.True(refused == 1, why);
        var (code, output) = await deployment.RunAsync("vault", "shred", "--tenant", "skyline", "--confirm", "skyline", "--receipt", receipt, "--abandon-pending", "--wait", "5");

        Assert.True(code == 0, output);
        foreach (var node in deployment.Nodes)
        {
            await Suite.UntilAsync($"{node.Name} refuses", TimeSpan.FromSeconds(5), async () =>
            {
                using var response = await ana.QueryAsync(node: node);
                return !response.IsSuccessStatusCode;
            });
            Assert.Equal(0, node.Process.Count("RowTampered"));
        }
        var (believed, counted) = await deployment.RunAsync("vault", "verify", "--tenant", "skyline", "--receipt", receipt);
        Assert.True(believed == 0, counted);
        Assert.Contains("skyline: 0 readable", counted, StringComparison.Ordinal);
        // A node that starts with the same configuration passes the tenant over, and makes no key for it.
        await Deployment.StopAsync(deployment.Node);
        var again = await deployment.StartNodeAsync();
        await again.Process.SaysAsync("was shredded and is passed over");
        Assert.Equal(0L, deployment.Read("SELECT count(*) FROM tenant_keys WHERE tenant = 'skyline' AND length(wrapped) > 0"));
        await deployment.AssertAuditVerifiesAsync();
    }

    private static async Task KillAsync(Deployment deployment, KillPoint point)
    {
        var before = Count();
        var process = deployment.Begin(Arguments(point.Verb));
        await Suite.UntilAsync($"{point} is reached or passed", TimeSpan.FromSeconds(60), () => Count() > before || process.HasExited);
        process.Kill();
        await process.EndedAsync(TimeSpan.FromSeconds(10));
        Assert.True(Count() > before, $"{point} was never reached. It said:\n{string.Join('\n', process.Lines)}");

        long Count() => (long)deployment.Read($"SELECT count(*) FROM event_leaves WHERE kind = {point.Event}")!;
    }

    private static string[] Arguments(string verb) => verb == "rotate"
        ? ["vault", "rotate", "--all", "--settle", "1", "--rate", "50"]
        : ["vault", "rotate-root", "--settle", "1"];

    private static string Keys(Deployment deployment) => (string)deployment.Read("SELECT group_concat(version) FROM tenant_keys WHERE tenant = 'skyline'")!;

    private static string Roots(Deployment deployment) => (string)deployment.Read("SELECT group_concat(root_key_id) FROM tenant_keys WHERE tenant = 'skyline'")!;
}
