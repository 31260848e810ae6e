using System.Globalization;
using System.Net;
using System.Text.Json;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;
using Postern.Cluster.Tests.Storm;
using Postern.Store;

namespace Postern.Cluster.Tests;

/// <summary>One node after another is told to end and started again, under load, as every update does it.</summary>
public sealed class RollingRestartTests
{
    private const int Rows = 1_000_000;

    [Theory]
    [InlineData(StoreProvider.PostgreSql)]
    [InlineData(StoreProvider.MySql)]
    public async Task Restart_OfEachNodeInTurn_FailsNoRequestAndBreaksNoStream(StoreProvider store)
    {
        var people = Crowd.Of(6);
        await using var deployment = await Deployment.StartAsync(nodes: 3, store: store, people: people);
        var watchers = new Watchers(deployment, await Crowd.ConnectAsync(deployment, people, people.Count), seed: 1);
        using var chloe = new Person(deployment, "chloe");
        await chloe.SignInAsync();
        await chloe.ConnectAsync();
        await watchers.BeginAsync();

        foreach (var node in deployment.Nodes.OrderBy(node => node.Name, StringComparer.Ordinal).ToList())
        {
            // A long answer that somebody is in the middle of.
            using var streaming = await chloe.SqlAsync($"SELECT date, delay, distance, origin, destination FROM flights LIMIT {Rows}", node: node);
            Assert.Equal(HttpStatusCode.OK, streaming.StatusCode);
            await using var body = await streaming.Content.ReadAsStreamAsync(Suite.Token);
            using var kept = new MemoryStream();
            var first = new byte[4096];
            await body.ReadExactlyAsync(first, Suite.Token);
            kept.Write(first);

            // The balancer first, then the node: what was on its way when the balancer turned arrives.
            watchers.Drain(node);
            await Task.Delay(TimeSpan.FromMilliseconds(500), Suite.Token);
            node.Process.Terminate();
            await body.CopyToAsync(kept, Suite.Token);

            Assert.Equal(0, await node.Process.EndedAsync(TimeSpan.FromSeconds(60)));
            using var document = JsonDocument.Parse(kept.ToArray());
            Assert.Equal(Rows, document.RootElement.GetProperty("rows").GetArrayLength());
            watchers.Return(await deployment.StartNodeAsync(int.Parse(node.Name["node-".Length..], CultureInfo.InvariantCulture)));
        }
        var moment = watchers.Alarm();
        await Suite.UntilAsync("everybody is served", TimeSpan.FromSeconds(20), () => watchers.ServedAfter(moment).All(took => took is not null));
        await watchers.EndAsync();

        Assert.Empty(watchers.Failures);
        Assert.Empty(watchers.Lost);
        Assert.Equal(0L, deployment.Read("SELECT count(*) FROM query_runs WHERE finished_at IS NULL"));
        await deployment.AssertAuditVerifiesAsync();
    }

    [Fact]
    public async Task Node_OfTheVersionBefore_GoesOnServing_AfterANewerOneMigrated()
    {
        await using var deployment = await Deployment.StartAsync(nodes: 2, store: StoreProvider.PostgreSql);
        using var ana = new Person(deployment, "ana");
        await ana.EmbedAndConnectAsync();
        var anas = await ana.FlightsAsync();

        // All that the next version's migration may do, while this version runs: a row of its own, columns that may be null, tables.
        await deployment.Database.SqlAsync("""INSERT INTO "VersionInfo" ("Version", "AppliedOn", "Description") VALUES (209901010000, now(), 'next')""");
        foreach (var table in (string[])["grants", "sessions", "definitions", "query_runs", "embed_codes", "event_leaves"])
            await deployment.Database.SqlAsync($"ALTER TABLE {table} ADD COLUMN of_the_next_version VARCHAR(10)");

        Assert.Equal((anas, anas), (await ana.FlightsAsync(), await ana.FlightsAsync(node: deployment.Other)));
        await deployment.Sandbox.ExpireAccessTokensAsync("ana");
        Assert.Equal(anas, await ana.FlightsAsync());
        // And one of this version may still be started, as a roll-back does it.
        await Deployment.StopAsync(deployment.Other);
        Assert.Equal(anas, await ana.FlightsAsync(node: await deployment.StartNodeAsync(1)));
        await ana.ConnectAsync();
        Assert.Equal(anas, await ana.FlightsAsync(node: deployment.Other));
        await deployment.AssertAuditVerifiesAsync();
    }
}
