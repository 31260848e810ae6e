using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;
using Postern.Cluster.Tests.Storm;
using Postern.Store;

namespace Postern.Cluster.Tests;

/// <summary>A revocation on one node is heard on all, also by what runs already.</summary>
public sealed class RevocationTests
{
    // Compares every two flights of an airport: minutes of work.
    private const string Endless = "SELECT count(*) AS pairs FROM flights a JOIN flights b ON a.origin = b.origin WHERE a.delay + b.distance > 10";
    private static readonly TimeSpan Promised = TimeSpan.FromSeconds(1);

    [Theory]
    [InlineData(StoreProvider.Sqlite)]
    [InlineData(StoreProvider.PostgreSql)]
    [InlineData(StoreProvider.MySql)]
    public async Task Revoke_OnOneNode_StopsARunningQueryOnAnotherWithinASecond(StoreProvider store)
    {
        await using var deployment = await Deployment.StartAsync(nodes: 2, store: store);
        using var chloe = new Person(deployment, "chloe");
        await chloe.SignInAsync();
        await chloe.ConnectAsync();
        Assert.True(await FlightsAsync(chloe, deployment.Other) > 0);
        await deployment.Sandbox.ClearLogAsync();

        var running = chloe.SqlAsync(Endless, node: deployment.Other);
        await Suite.UntilAsync("the statement runs", TimeSpan.FromSeconds(20), async () => (await deployment.Sandbox.StatementsAsync()).Any(statement => statement.Sql.Contains("pairs", StringComparison.Ordinal)));
        Assert.False(running.IsCompleted);
        var grant = (await chloe.GrantsAsync()).Single(one => one.GetProperty("state").GetString() == "active").GetProperty("id").GetString();

        using (var revoked = await chloe.Browser.CallAsync(HttpMethod.Delete, chloe.At("/api/grants/" + grant, deployment.Node)))
            Assert.True(revoked.IsSuccessStatusCode);
        var began = Stopwatch.GetTimestamp();
        using (var stopped = await running)
        {
            var took = Stopwatch.GetElapsedTime(began);
            var problem = await Problem.ReadAsync(stopped);
            Assert.Equal((409, "revoked"), (problem.Status, problem.Reason));
            Assert.True(took < Promised, $"It went on for {took.TotalSeconds:0.00} s.");
        }
        await Suite.UntilAsync("the statement is cancelled at the platform", Promised, async () => (await deployment.Sandbox.StatementsAsync()).Any(statement => statement.State == "CANCELED"));

        var before = (await deployment.Sandbox.StatementsAsync()).Count;
        foreach (var node in deployment.Nodes)
        {
            using var refused = await chloe.SqlAsync("SELECT count(*) AS flights FROM flights", node: node);
            var problem = await Problem.ReadAsync(refused);
            Assert.Equal((409, "revoked"), (problem.Status, problem.Reason));
        }
        Assert.Equal(before, (await deployment.Sandbox.StatementsAsync()).Count);
        await deployment.HasEventAsync("QueryCancelled", "revoked");
        Assert.Equal(0L, deployment.Read("SELECT count(*) FROM query_runs WHERE finished_at IS NULL"));
        await deployment.AssertAuditVerifiesAsync();
    }

    [Fact]
    public async Task Revoke_WhereTheServerCan_EndsTheTokensThere()
    {
        await using var deployment = await Deployment.StartAsync();
        using var ana = new Person(deployment, "ana");
        await ana.SignInAsync();
        await ana.ConnectAsync("archive");
        var grant = (await ana.GrantsAsync())[0].GetProperty("id").GetString();
        using (var revoked = await ana.Browser.CallAsync(HttpMethod.Delete, ana.At("/api/grants/" + grant)))
            Assert.True(revoked.IsSuccessStatusCode);

        await Suite.UntilAsync("the provider knows", TimeSpan.FromSeconds(20), async () =>
            (await ana.GrantsAsync())[0].GetProperty("revocation").GetProperty("status").GetString() == "revoked");
        await deployment.HasEventAsync("ProviderRevoked");
        // Nothing sealed stays behind that could be opened later.
        Assert.Equal(0L, deployment.Read("SELECT count(*) FROM grants WHERE access_sealed IS NOT NULL OR refresh_sealed IS NOT NULL"));
        await Canary.AssertNothingLeakedAsync(deployment, ana);
    }

    [Fact]
    public async Task RevokeAll_OfManyGrants_EndsThemAtOnceAndTellsTheProviderAtItsRate()
    {
        // 5 a second on all nodes together, with at most a sixth of a minute's worth at once (pacing).
        const int perMinute = 300;
        var people = Crowd.Of(150);
        await using var deployment = await Deployment.StartAsync(
            nodes: 3,
            tenant =>
            {
                // Consented to at leisure; then the cap counts.
                tenant["Connections"]!["archive"]!.AsObject().Remove("Agreement");
                tenant["Connections"]!["archive"]!["Authorization"]!["Behaviour"] = new JsonObject { ["TokenRequestsPerMinute"] = perMinute };
            },
            StoreProvider.PostgreSql,
            people);
        await Crowd.ConnectAsync(deployment, people, staying: 0, "archive");

        var began = Stopwatch.GetTimestamp();
        var (code, output) = await deployment.RunAsync("grants", "revoke", "--tenant", "skyline", "--all");
        Assert.True(code == 0, output);
        Assert.Equal(0L, deployment.Read("SELECT count(*) FROM grants WHERE state = 1"));
        await Suite.UntilAsync("the provider was told of all", TimeSpan.FromMinutes(3), () =>
            (long)deployment.Read("SELECT count(*) FROM provider_revocations WHERE status = 0")! == 0);
        var took = Stopwatch.GetElapsedTime(began);

        deployment.Note($"{people.Count} grants told within {took.TotalSeconds:0.0} s at {perMinute} a minute.");
        Assert.Equal((long)people.Count, deployment.Read("SELECT count(*) FROM provider_revocations WHERE status = 1"));
        // Faster than this would be over the cap.
        Assert.True(took > TimeSpan.FromMinutes((people.Count - perMinute / 6.0) / perMinute), $"Only {took}.");
        // Two tokens each, at five sixths of the cap, and what waits in turn behind another node.
        Assert.True(took < TimeSpan.FromMinutes(4.0 * people.Count / perMinute) + TimeSpan.FromSeconds(30), $"As long as {took}.");
        await deployment.AssertAuditVerifiesAsync();
    }

    [Fact]
    public async Task Revoke_OfTheServiceAccount_IsShownAndStandsUntilAnAdministratorLiftsIt()
    {
        await using var deployment = await Deployment.StartAsync();
        using var pat = new Person(deployment, "pat");
        await pat.EmbedAsync(how: Embedding.Partner("CA", "NV"));
        Assert.Equal(HttpStatusCode.OK, await AsPartnerAsync(pat));
        Assert.Equal(("connected", null), await StandingAsync(pat));
        var grant = (string)deployment.Read("SELECT id FROM grants WHERE state = 1")!;

        var (code, output) = await deployment.RunAsync("grants", "revoke", grant, "--tenant", "skyline");
        Assert.True(code == 0, output);
        Assert.Equal(HttpStatusCode.Forbidden, await AsPartnerAsync(pat));
        Assert.Equal(("not-connected", "revoked"), await StandingAsync(pat));

        (code, output) = await deployment.RunAsync("grants", "lift", grant, "--tenant", "skyline");
        Assert.True(code == 0, output);
        Assert.Equal(("connected", null), await StandingAsync(pat));
        Assert.Equal(HttpStatusCode.OK, await AsPartnerAsync(pat));

        static async Task<HttpStatusCode> AsPartnerAsync(Person person)
        {
            using var response = await person.QueryAsync(workbook: "partner_delays");
            return response.StatusCode;
        }

        static async Task<(string?, string?)> StandingAsync(Person person)
        {
            var session = await person.Browser.CallJsonAsync(HttpMethod.Get, person.At("/api/session"));
            var connection = Assert.Single(session.GetProperty("connections").EnumerateArray());
            return (connection.GetProperty("state").GetString(), connection.TryGetProperty("reason", out var reason) ? reason.GetString() : null);
        }
    }

    private static async Task<long> FlightsAsync(Person person, Node node)
    {
        using var response = await person.SqlAsync("SELECT count(*) AS flights FROM flights", node: node);
        var text = await response.Content.ReadAsStringAsync(Suite.Token);
        Assert.True(response.StatusCode == HttpStatusCode.OK, text);
        return System.Text.Json.JsonSerializer.Deserialize<System.Text.Json.JsonElement>(text).GetProperty("rows")[0][0].GetInt64();
    }
}
