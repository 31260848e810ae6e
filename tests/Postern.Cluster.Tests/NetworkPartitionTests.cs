using System.Diagnostics;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;
using Postern.Cluster.Tests.Storm;
using Postern.Store;
using Postern.TestDatabases;

namespace Postern.Cluster.Tests;

/// <summary>
/// A node on a network of its own whose packets are dropped on one side, as a broken switch does it: no connection is refused or reset, nothing
/// arrives. It is cut off in the middle of a renewal of its own, while everybody's tokens are due.
/// </summary>
public sealed class NetworkPartitionTests
{
    private const int People = 8;

    // Half of it is left when it is renewed, so that who is being renewed on a node that stands apart (30 s) is served by the others meanwhile.
    private const int AccessTokenSeconds = 180;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(AccessTokenSeconds);

    // A connection whose packets were dropped for half a minute sends the next one up to a quarter of a minute after the cable is whole again.
    private static readonly TimeSpan Seconds = TimeSpan.FromSeconds(20);

    [Fact]
    public Task Node_WithoutItsDatabaseButWithTheProvider_SpendsNoTokenTwice_AndServesSecondsAfterItHeals() => CutAsync(Cable.Database);

    [Fact]
    public Task Node_WithoutTheProviderButWithItsDatabase_SpendsNoTokenTwice_AndServesSecondsAfterItHeals() => CutAsync(Cable.Provider);

    private static async Task CutAsync(Cable cable)
    {
        var people = Crowd.Of(People);
        await using var space = await NetworkSpace.MakeAsync((await Servers.PostgreSqlAsync()).Folder);
        await using var deployment = await Deployment.StartAsync(store: StoreProvider.PostgreSql, people: people);
        var (host, port) = NetworkSpace.Database;
        var database = new Npgsql.NpgsqlConnectionStringBuilder(deployment.Database.Options.ConnectionString) { Host = host, Port = port, SslMode = Npgsql.SslMode.Disable };
        deployment.Environment["POSTERN__STORE__ALLOWUNPROTECTEDSERVER"] = "true";
        var apart = await deployment.StartNodeAsync(1, database.ConnectionString, space);
        await deployment.Sandbox.LifetimesAsync(AccessTokenSeconds);
        var watching = await Crowd.ConnectAsync(deployment, people, People);
        var watchers = new Watchers(deployment, watching, seed: 1);
        await watchers.BeginAsync();
        await deployment.Sandbox.FaultAsync("token", "delay", delayMs: 1000, times: 1_000_000);

        var cut = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        apart.Process.When("RenewalSending", () =>
        {
            watchers.Leave(apart);
            NetworkSpace.Cut(cable);
            cut.SetResult();
        });
        await cut.Task.WaitAsync(Patience, Suite.Token);
        var moment = watchers.Alarm();

        // Whoever still asks it is told that it cannot serve now; where the platform takes what is sent and says nothing, after the query's own
        // limit. All others are served elsewhere, and renewed there.
        var renewed = (await deployment.Sandbox.CountRefreshesAsync()).Redeemed;
        var refused = (await Task.WhenAll(watching.Take(4).Select(person => AskAsync(person, apart)))).OfType<Problem>().ToList();
        Assert.Equal(4, refused.Count);
        deployment.Note($"Refused: {string.Join(", ", refused.Select(answer => $"{answer.Status} {answer.Code}"))}.");
        Assert.All(refused, answer => Assert.True(answer.Status == 503, answer.Text));
        await Suite.UntilAsync("a token that is due is renewed elsewhere", Patience, async () => (await deployment.Sandbox.CountRefreshesAsync()).Redeemed > renewed);
        await Suite.UntilAsync("everybody is served elsewhere", Seconds, () => watchers.ServedAfter(moment).All(took => took is not null));

        NetworkSpace.Heal(cable);
        var healed = Stopwatch.GetTimestamp();
        await Suite.UntilAsync("it serves again", Seconds, async () => await AskAsync(watching[^1], apart) is null);
        deployment.Note($"Served {Stopwatch.GetElapsedTime(healed).TotalSeconds:0.0} s after the cable was whole, {Stopwatch.GetElapsedTime(moment, healed).TotalSeconds:0.0} s after it was cut.");
        watchers.Return(apart);
        var own = apart.Process.Count("TokensRenewed");
        await Suite.UntilAsync("it renews again", Patience, () => apart.Process.Count("TokensRenewed") > own);
        await watchers.EndAsync();

        // No token was presented twice, and nobody is lost but who was at the provider when the answers stopped; the log names them.
        var refreshes = await deployment.Sandbox.CountRefreshesAsync();
        Assert.Empty(refreshes.Repeated);
        Assert.Empty(watchers.Failures);
        var lost = await deployment.Database.ListAsync<string>("SELECT id FROM grants WHERE state <> 1 OR reason <> 0");
        deployment.Note($"{refreshes.Redeemed} renewals, {lost.Count} lost.");
        Assert.Empty(lost.Except(await deployment.GrantsWithAsync("RenewalUncertain")));
        await deployment.AssertAuditVerifiesAsync();
        foreach (var person in watching)
            person.Dispose();
    }

    /// <summary>Why somebody was not served, or null.</summary>
    private static async Task<Problem?> AskAsync(Person person, Node node)
    {
        using var response = await person.QueryAsync(node: node);
        return response.IsSuccessStatusCode ? null : await Problem.ReadAsync(response);
    }
}
