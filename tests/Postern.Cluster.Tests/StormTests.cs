using System.Text.Json.Nodes;
using Postern.Cluster.Tests.Processes;
using Postern.Cluster.Tests.Storm;
using Postern.Store;

namespace Postern.Cluster.Tests;

/// <summary>
/// Thousands of grants with tokens that end soon, four nodes, and one of them dying every ten seconds. No refresh token is used twice, no
/// grant is lost but those that were being renewed on a node as it died, and the log says which. Where the authorization server takes a token
/// again for a while, those are not lost either.
/// </summary>
public sealed class StormTests
{
    private const int Nodes = 4;
    private const int Watching = 12;
    private const int Grants = 2000;

    // Renewed at half of this, so that a claim of a dead node (30 s) ends well before the token does.
    private const int AccessTokenSeconds = 150;

    // What the last person waits at most for another node. A node that stands still in the middle of a commit holds the others up for 4 s
    // (StoreOptions.AbandonedAfter), and the test, the servers and a node that starts share the processors here. Nine of ten must have
    // their second, and the notes of the run say how long it was.
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(8);

    // Longer than a lost sending and a whole take-over (90 s), so that another node may send again.
    private static readonly TimeSpan Grace = TimeSpan.FromMinutes(3);

    [Theory]
    [InlineData(StoreProvider.PostgreSql)]
    [InlineData(StoreProvider.MySql)]
    public async Task Storm_NodesDyingAndStandingStill_SpendsNoTokenTwiceAndLosesOnlyWhatWasBeingSent(StoreProvider store)
    {
        var people = Crowd.Of(Grants);
        await using var deployment = await Deployment.StartAsync(Nodes, Unthrottled, store, people);
        var (weather, refreshes, lost) = await BlowAsync(deployment, people);

        // Each refresh token once; so no family can have ended by reuse.
        Assert.Empty(refreshes.Repeated);
        Assert.Equal(0, refreshes.Reused);
        // Nobody else is lost, and whoever is, is in the log.
        Assert.Empty(lost.Except(weather.Sending));
        Assert.Empty(lost.Except(await deployment.GrantsWithAsync("RenewalUncertain")));
    }

    [Fact]
    public async Task Storm_WhereTheServerHasAGrace_SendsOnceMoreWhatWasBeingSentAndSoLosesNothing()
    {
        var people = Crowd.Of(Grants);
        await using var deployment = await Deployment.StartAsync(Nodes, WithGrace, StoreProvider.PostgreSql, people, Grace);
        var (weather, refreshes, lost) = await BlowAsync(deployment, people);

        // Twice at most, and only the tokens of those who were being sent; so often and so soon that no family ended.
        Assert.All(refreshes.Repeated, token => Assert.Equal(2, token.Presented));
        Assert.Empty(refreshes.Repeated.Select(token => token.Subject).Except(
            await deployment.Database.ListAsync<string>("SELECT principal_id FROM grants WHERE id = ANY(@sending)", new { sending = weather.Sending.ToArray() })));
        Assert.Equal(0, refreshes.Ended);
        // What was being sent when its node died is sent again by another; nothing else is. A node that goes on after it stood still may
        // have had its answer.
        var again = await deployment.GrantsWithAsync("RenewalClaimed", "take-over");
        deployment.Note($"{again.Count} were taken over, {refreshes.Repeated.Count(token => token.Redeemed == 2)} tokens exchanged twice.");
        Assert.NotEmpty(again);
        Assert.Empty(again.Except(weather.Sending));
        // Lost is only who was being sent the second time, too, when a node died, and the log says so.
        Assert.Empty(lost.Except(again));
        Assert.Empty(lost.Except(await deployment.GrantsWithAsync("RenewalUncertain")));
    }

    /// <summary>The storm, and what holds after it whatever the server does with a token that comes again.</summary>
    private static async Task<(Weather Weather, RefreshCount Refreshes, IReadOnlyList<string> Lost)> BlowAsync(Deployment deployment, IReadOnlyList<Crowd.Member> people)
    {
        var seed = Random.Shared.Next();
        deployment.Note($"Seed {seed}.");
        await deployment.Sandbox.LifetimesAsync(AccessTokenSeconds);
        var watching = await Crowd.ConnectAsync(deployment, people, Watching);
        Assert.Equal((long)Grants, deployment.Read("SELECT count(*) FROM grants WHERE state = 1"));
        var watchers = new Watchers(deployment, watching, seed);
        var weather = new Weather(deployment, watchers, seed);

        await watchers.BeginAsync();
        await Suite.UntilAsync("renewal has begun", TimeSpan.FromSeconds(AccessTokenSeconds), async () => (await deployment.Sandbox.CountRefreshesAsync()).Redeemed > 0);
        // A token endpoint as slow as real ones, so that there is something under way whenever a node dies.
        await deployment.Sandbox.FaultAsync("token", "delay", delayMs: 400, times: 1_000_000);
        await weather.BlowAsync(Suite.Full ? TimeSpan.FromMinutes(30) : TimeSpan.FromMinutes(2));
        await watchers.EndAsync();

        var refreshes = await deployment.Sandbox.CountRefreshesAsync();
        var lost = await deployment.Database.ListAsync<string>("SELECT id FROM grants WHERE state <> 1 OR reason <> 0");
        Note(deployment, weather, watchers, refreshes, lost.Count);

        Assert.Equal(refreshes.Presented, refreshes.Redeemed);
        Assert.True(watchers.Lost.Count <= lost.Count);
        // Renewal never paused, and everybody else looked at their dashboards all the while.
        Assert.DoesNotContain(0L, weather.Renewals);
        Assert.Empty(watchers.Failures);
        var waits = weather.Recoveries.SelectMany(served => served).OfType<TimeSpan>().Order().ToList();
        Assert.True(waits[waits.Count * 9 / 10] < TimeSpan.FromSeconds(1) && waits[^1] < Bound, $"Served after a kill: {Spread(waits)}.");
        await deployment.AssertAuditVerifiesAsync();
        foreach (var person in watching)
            person.Dispose();
        return (weather, refreshes, lost);
    }

    // The cap of the provider's profile would spread the renewals over a longer time than a test has.
    private static void Unthrottled(JsonNode tenant) =>
        tenant["Connections"]!["lakehouse"]!["Authorization"]!["Behaviour"] = new JsonObject { ["TokenRequestsPerMinute"] = 100_000 };

    private static void WithGrace(JsonNode tenant)
    {
        Unthrottled(tenant);
        var behaviour = tenant["Connections"]!["lakehouse"]!["Authorization"]!["Behaviour"]!;
        (behaviour["Rotation"], behaviour["Grace"]) = ("grace", Grace.ToString("c"));
    }

    private static void Note(Deployment deployment, Weather weather, Watchers watchers, RefreshCount refreshes, int lost)
    {
        var waits = weather.Recoveries.SelectMany(served => served).OfType<TimeSpan>().Order().ToList();
        var answers = watchers.Answers.Select(answer => answer.Took).Order().ToList();
        deployment.Note($"{weather.Kills} kills, {weather.Pauses} pauses; {refreshes.Redeemed} renewals, by turn {string.Join(' ', weather.Renewals)}.");
        deployment.Note($"{weather.Sending.Count} were sending, {lost} lost, {watchers.Lost.Count} of them watched; {refreshes.Repeated.Count} tokens twice.");
        deployment.Note($"Served after a kill: {Spread(waits)}. {waits.Count(wait => wait < TimeSpan.FromSeconds(1))} of {waits.Count} within 1 s.");
        deployment.Note($"{answers.Count} answers: {Spread(answers)}.");
        foreach (var failure in watchers.Failures)
            deployment.Note(failure);
    }

    private static string Spread(List<TimeSpan> sorted) => string.Join(", ", new[] { 0.5, 0.9, 0.99, 1 }
        .Select(part => $"p{part * 100:0} {sorted[Math.Min(sorted.Count - 1, (int)(part * sorted.Count))].TotalMilliseconds:0} ms"));
}
