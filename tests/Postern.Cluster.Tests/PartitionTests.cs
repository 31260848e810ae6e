using System.Net;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;
using Postern.Store;
using Postern.TestDatabases;

namespace Postern.Cluster.Tests;

/// <summary>A node that nothing reaches any more, and an authorization server that says nothing, each in the middle of a renewal.</summary>
public sealed class PartitionTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Node_CutOffFromTheDatabaseWhileSending_StartsNothing_AndStoresThePairWhenItHeals()
    {
        await using var deployment = await Deployment.StartAsync(store: StoreProvider.PostgreSql);
        var host = Directory.CreateDirectory(Path.Combine(deployment.Folder, "wire")).FullName;
        await using var wire = new Wire(Wire.PostgreSqlIn(host), Wire.PostgreSqlIn((await Servers.PostgreSqlAsync()).Folder));
        var database = new Npgsql.NpgsqlConnectionStringBuilder(deployment.Database.Options.ConnectionString) { Host = host };
        var cutOff = await deployment.StartNodeAsync(1, database.ConnectionString);
        using var ana = new Person(deployment, "ana");
        using var ben = new Person(deployment, "ben");
        await ana.EmbedAndConnectAsync();
        await ben.EmbedAndConnectAsync();
        var (anas, bens) = (await ana.FlightsAsync(), await ben.FlightsAsync());
        Assert.Equal((anas, bens), (await ana.FlightsAsync(node: cutOff), await ben.FlightsAsync(node: cutOff)));

        // Her renewal is on its way to the server when the node is cut off from the database.
        await deployment.Sandbox.ClearLogAsync();
        await deployment.Sandbox.ExpireAccessTokensAsync("ana");
        await deployment.Sandbox.FaultAsync("token", "delay", delayMs: 1500);
        cutOff.Process.When("RenewalSending", wire.Cut);
        var asking = ana.QueryAsync(node: cutOff);
        await Suite.UntilAsync("the new pair has been issued", Patience, async () => await deployment.Sandbox.RefreshesAsync() == 1);

        // Whoever cannot write down a query starts none. The other node does not notice.
        var before = (await deployment.Sandbox.StatementsAsync()).Count;
        using (var refused = await ben.QueryAsync(node: cutOff))
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal(before, (await deployment.Sandbox.StatementsAsync()).Count);
        Assert.Equal(bens, await ben.FlightsAsync());

        // Nobody spends the token again, and the pair that the cut-off node holds is hers.
        wire.Heal();
        using (await asking)
            await Suite.UntilAsync("both nodes serve both of them", Patience, async () =>
                await ServesAsync(ana, deployment.Node) && await ServesAsync(ana, cutOff) && await ServesAsync(ben, cutOff));
        Assert.Equal(anas, await ana.FlightsAsync(node: cutOff));
        Assert.Equal(1, await deployment.Sandbox.RefreshesAsync());
        await deployment.AssertAuditVerifiesAsync();
    }

    [Fact]
    public async Task Server_SilentWhileATokenIsBeingSent_IsNeverSentItAgain()
    {
        await using var deployment = await Deployment.StartAsync(nodes: 2, store: StoreProvider.PostgreSql);
        using var ana = new Person(deployment, "ana");
        await ana.EmbedAndConnectAsync();
        var anas = await ana.FlightsAsync(node: deployment.Other);
        await deployment.Sandbox.ClearLogAsync();
        await deployment.Sandbox.ExpireAccessTokensAsync("ana");
        await deployment.Sandbox.FaultAsync("token", "delay", delayMs: 1000);
        deployment.Other.Process.When("RenewalSending", deployment.SandboxProcess.Pause);

        var asking = ana.QueryAsync(node: deployment.Other);
        await deployment.Other.Process.SaysAsync("RenewalUncertain", Patience);
        deployment.SandboxProcess.Resume();
        using (await asking)
            await Suite.UntilAsync("she is told to connect again", Patience, async () =>
            {
                using var response = await ana.QueryAsync();
                return !response.IsSuccessStatusCode && (await Problem.ReadAsync(response)).Reason == "uncertain";
            });

        Assert.True((await deployment.Sandbox.CountRefreshesAsync()).Presented <= 1);
        await ana.ConnectAsync();
        Assert.Equal(anas, await ana.FlightsAsync(node: deployment.Other));
        Assert.Empty((await deployment.Sandbox.CountRefreshesAsync()).Repeated);
        await deployment.HasEventAsync("RenewalUncertain", "answer-lost");
        await deployment.AssertAuditVerifiesAsync();
    }

    private static async Task<bool> ServesAsync(Person person, Node node)
    {
        using var response = await person.QueryAsync(node: node);
        return response.IsSuccessStatusCode;
    }
}
