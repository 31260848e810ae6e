using System.Globalization;
using System.Net;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;

namespace Postern.Cluster.Tests;

/// <summary>Ends in good order, and ends of others.</summary>
public sealed class ShutdownTests
{
    [Fact]
    public async Task Terminate_WithAQueryRunning_EndsInOrderAndLeavesNothingOpen()
    {
        await using var deployment = await Deployment.StartAsync(nodes: 2);
        using var chloe = new Person(deployment, "chloe");
        await chloe.SignInAsync();
        await chloe.ConnectAsync();
        await deployment.Sandbox.ClearLogAsync();

        // A result that nobody reads on: the query is under way when the node is told to end.
        var streaming = await chloe.SqlAsync("SELECT * FROM flights LIMIT 1000000");
        Assert.Equal(HttpStatusCode.OK, streaming.StatusCode);
        deployment.Node.Process.Terminate();
        streaming.Dispose();
        Assert.Equal(0, await deployment.Node.Process.EndedAsync(TimeSpan.FromSeconds(35)));
        Assert.Equal(1, deployment.Node.Process.Count("NodeStopped"));
        Assert.Equal(0, deployment.Node.Process.Count("Unhandled"));

        // The other node goes on, with the same grant and the same session.
        using (var goesOn = await chloe.SqlAsync("SELECT count(*) AS flights FROM flights", node: deployment.Other))
            Assert.Equal(HttpStatusCode.OK, goesOn.StatusCode);
        await Suite.UntilAsync("no run is open", TimeSpan.FromSeconds(10), () => (long)deployment.Read("SELECT count(*) FROM query_runs WHERE finished_at IS NULL")! == 0);
        Assert.Contains(await deployment.EventsAsync("postern"), leaf => leaf.GetProperty("activity_name").GetString() == "NodeStopped");
        await deployment.AssertAuditVerifiesAsync();
    }

    [Fact]
    public async Task Parent_Killed_EndsTheSandboxThatServesIt()
    {
        using var parent = ChildProcess.Program("sleep", "600");
        using var child = ChildProcess.DotNet(
            "sandbox", Checkout.Assembly("Postern.Sandbox", "postern-sandbox"),
            new Dictionary<string, string> { ["POSTERN_SANDBOX_DATA"] = Checkout.Path("web/node_modules/vega-datasets/data") },
            "serve", "--port", "0", "--parent-pid", parent.Id.ToString(CultureInfo.InvariantCulture));
        await child.SaysAsync("Sandbox ready");
        Assert.False(child.HasExited);

        parent.Kill();
        Assert.Equal(0, await child.EndedAsync(TimeSpan.FromSeconds(20)));
    }
}
