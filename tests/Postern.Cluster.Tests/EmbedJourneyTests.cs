using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;

namespace Postern.Cluster.Tests;

/// <summary>The journey that everything is for: embed, connect, see one's own rows and nobody else's.</summary>
public sealed class EmbedJourneyTests
{
    [Fact]
    public async Task Embed_ThreePeopleConnect_EachSeesTheirOwnRowsInEveryFormat()
    {
        await using var deployment = await Deployment.StartAsync();
        using var ana = new Person(deployment, "ana");
        using var ben = new Person(deployment, "ben");
        using var chloe = new Person(deployment, "chloe");

        var session = await ana.EmbedAsync();
        Assert.Equal("frame", session.GetProperty("kind").GetString());
        Assert.Equal("not-connected", session.GetProperty("connections")[0].GetProperty("state").GetString());
        using (var early = await ana.QueryAsync())
        {
            Assert.Equal(HttpStatusCode.Conflict, early.StatusCode);
            var problem = await Problem.ReadAsync(early);
            Assert.Equal(("urn:postern:reconnect-required", "none"), (problem.Type, problem.Reason));
        }
        await ana.ConnectAsync();
        await ben.EmbedAndConnectAsync();
        await chloe.EmbedAndConnectAsync();

        var (anas, bens, all) = (await ana.FlightsAsync(), await ben.FlightsAsync(), await chloe.FlightsAsync());
        Assert.True(anas > 0 && bens > 0 && anas != bens && anas + bens < all, $"{anas} {bens} {all}");
        // What California's person sees is exactly California's part of everything; likewise Texas.
        Assert.Equal(anas, await chloe.FlightsAsync(States("CA")));
        Assert.Equal(bens, await chloe.FlightsAsync(States("TX")));
        Assert.Equal(0, await ana.FlightsAsync(States("TX")));

        Assert.Equal(anas, await ArrowCountAsync(ana));
        Assert.Equal(anas, await CsvCountAsync(ana));
        await deployment.AssertAuditVerifiesAsync();
        await Canary.AssertNothingLeakedAsync(deployment, ana, ben, chloe);
    }

    [Fact]
    public async Task Connect_OtherPersonConsents_StoresNothing()
    {
        await using var deployment = await Deployment.StartAsync();
        using var ana = new Person(deployment, "ana");
        using var ben = new Person(deployment, "ben");
        await ana.EmbedAsync();
        await ben.EmbedAsync();

        // Ana's browser is signed in at the platform as Ben.
        var handle = (await ana.Browser.CallJsonAsync(HttpMethod.Post, ana.At("/api/connects"), new JsonObject { ["connection"] = "lakehouse" })).GetProperty("handle").GetString()!;
        var start = await ana.Browser.CallJsonAsync(HttpMethod.Post, ana.At("/connect/start"), new JsonObject { ["handle"] = handle });
        using var bensHands = new Person(deployment, "ben", ana.Browser);
        var callback = await bensHands.AtSandboxAsync(new Uri(start.GetProperty("authorizeUrl").GetString()!), allow: true);
        var page = await ana.CallbackAsync(new Consented(callback));

        Assert.Equal(("mismatch", ""), (page.Outcome, page.Confirmation));
        Assert.Equal(0L, deployment.Read("SELECT count(*) FROM grants"));
        await deployment.HasEventAsync("ConnectMismatched");
    }

    private static JsonObject States(params string[] states) => new() { ["states"] = new JsonArray([.. states.Select(state => JsonValue.Create(state))]) };

    private static async Task<long> ArrowCountAsync(Person person)
    {
        using var response = await person.QueryAsync(accept: "application/vnd.apache.arrow.stream");
        Assert.Equal("application/vnd.apache.arrow.stream", response.Content.Headers.ContentType!.MediaType);
        using var reader = new ArrowStreamReader(await response.Content.ReadAsStreamAsync(Suite.Token));
        using var batch = await reader.ReadNextRecordBatchAsync(Suite.Token);
        Assert.Equal(1, batch.Length);
        return ((Int64Array)batch.Column("flights")).GetValue(0)!.Value;
    }

    private static async Task<long> CsvCountAsync(Person person)
    {
        using var response = await person.QueryAsync(accept: "text/csv");
        var lines = (await response.Content.ReadAsStringAsync(Suite.Token)).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("flights,avg_delay,share_delayed", lines[0].TrimStart('\uFEFF'));
        return long.Parse(lines[1].Split(',')[0], CultureInfo.InvariantCulture);
    }
}
