using System.Text.Json;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;
using Postern.Store;

namespace Postern.Cluster.Tests;

/// <summary>Many queries find the same token dead at the same moment: one refresh, and every query answers for the right person.</summary>
public sealed class RenewalStormTests
{
    private const int Queries = 64;

    [Theory]
    [InlineData(StoreProvider.Sqlite, 1)]
    [InlineData(StoreProvider.Sqlite, 2)]
    [InlineData(StoreProvider.PostgreSql, 3)]
    [InlineData(StoreProvider.MySql, 3)]
    public async Task Queries_AtTheMomentOfExpiry_CostOneRefreshInTheWholeCluster(StoreProvider store, int nodes)
    {
        await using var deployment = await Deployment.StartAsync(nodes, store: store);
        using var ana = new Person(deployment, "ana");
        using var ben = new Person(deployment, "ben");
        await ana.EmbedAndConnectAsync();
        await ben.EmbedAndConnectAsync();
        var (anas, bens) = (await ana.FlightsAsync(), await ben.FlightsAsync());
        foreach (var node in deployment.Nodes)
            Assert.Equal(anas, await ana.FlightsAsync(node: node));

        await deployment.Sandbox.ClearLogAsync();
        await deployment.Sandbox.ExpireAccessTokensAsync("ana");
        var asked = Enumerable.Range(0, Queries).Select(index => ana.FlightsAsync(node: deployment.Nodes[index % nodes])).ToList();
        // Ben's token lives; his queries among hers must stay his.
        var others = Enumerable.Range(0, 8).Select(index => ben.FlightsAsync(node: deployment.Nodes[index % nodes])).ToList();

        Assert.All(await Task.WhenAll(asked), flights => Assert.Equal(anas, flights));
        Assert.All(await Task.WhenAll(others), flights => Assert.Equal(bens, flights));
        Assert.Equal(1, await deployment.Sandbox.RefreshesAsync());
        Assert.Equal(1, deployment.Processes.Sum(process => process.Count("TokensRenewed")));
        await Canary.AssertNothingLeakedAsync(deployment, ana, ben);
        await deployment.AssertAuditVerifiesAsync();
    }

    [Fact]
    public async Task Stream_TokenDiesBetweenTwoChunks_CompletesWithEveryRow()
    {
        const int rows = 1_000_000;
        await using var deployment = await Deployment.StartAsync();
        using var chloe = new Person(deployment, "chloe");
        await chloe.SignInAsync();
        await chloe.ConnectAsync();
        await deployment.Sandbox.ClearLogAsync();

        using var response = await chloe.SqlAsync($"SELECT date, delay, distance, origin, destination FROM flights LIMIT {rows}");
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}");
        await using var body = await response.Content.ReadAsStreamAsync(Suite.Token);
        using var kept = new MemoryStream();
        var first = new byte[4096];
        await body.ReadExactlyAsync(first, Suite.Token);
        kept.Write(first);
        // Nobody reads on meanwhile, so most chunks are still to be asked for, with a token that is dead by then.
        await deployment.Sandbox.ExpireAccessTokensAsync("chloe");
        await body.CopyToAsync(kept, Suite.Token);

        using var document = JsonDocument.Parse(kept.ToArray());
        Assert.Equal(rows, document.RootElement.GetProperty("rows").GetArrayLength());
        Assert.Equal(1, await deployment.Sandbox.RefreshesAsync());
        Assert.Single(await deployment.Sandbox.StatementsAsync(), statement => statement.State == "PENDING");
        await deployment.HasEventAsync("QueryFinished");
    }

    [Fact]
    public async Task Refresh_AnswerLost_IsNeverSentAgainAndTheAccessTokenGoesOnToItsEnd()
    {
        await using var deployment = await Deployment.StartAsync();
        using var ana = new Person(deployment, "ana");
        await ana.EmbedAsync();
        // Renewal is due after half of the token's life, with ten seconds left.
        await deployment.Sandbox.LifetimesAsync(accessTokenSeconds: 20);
        await ana.ConnectAsync();
        var anas = await ana.FlightsAsync();
        await deployment.Sandbox.FaultAsync("token", "drop-after-commit");
        await deployment.Sandbox.ClearLogAsync();

        // Lost: the row stays in "sending", and the access token serves.
        await deployment.Node.Process.SaysAsync("RenewalUncertain");
        Assert.Equal(anas, await ana.FlightsAsync());

        // The deadline of the sending passes (here by the hands of the clock): said once, and still the token serves.
        deployment.Edit("UPDATE grants SET renewal_deadline = 0 WHERE renewal_deadline IS NOT NULL");
        await deployment.Node.Process.SaysAsync("code=access-token-serves", TimeSpan.FromSeconds(10));
        Assert.Equal(anas, await ana.FlightsAsync());

        await Suite.UntilAsync("the access token ends", TimeSpan.FromSeconds(30), async () =>
        {
            using var response = await ana.QueryAsync();
            if (response.IsSuccessStatusCode)
                return false;
            var problem = await Problem.ReadAsync(response);
            Assert.Equal(("urn:postern:reconnect-required", "uncertain"), (problem.Type, problem.Reason));
            return true;
        });
        Assert.Equal(1, await deployment.Sandbox.RefreshesAsync());

        // Connecting again puts everything right.
        await deployment.Sandbox.LifetimesAsync(accessTokenSeconds: 3600);
        await ana.ConnectAsync();
        Assert.Equal(anas, await ana.FlightsAsync());
        Assert.Equal(1, await deployment.Sandbox.RefreshesAsync());
        await deployment.AssertAuditVerifiesAsync();
    }
}
