using System.Diagnostics;
using System.Text.Json.Nodes;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;
using Postern.Cluster.Tests.Storm;
using Postern.Store;

namespace Postern.Bench;

/// <summary>What one, two and four processes over one PostgreSQL do in the same time, and how fast they are through a storm of renewals.</summary>
internal static class Clusters
{
    // Not more than the sandbox keeps in memory, 32: else this would measure how fast that loads their rows.
    private const int People = 30;
    private const int AtOnce = 16;

    // What the authorization server takes in a minute, shared by all processes: a sixth of it at once, the rest comes back evenly.
    private const int Cap = 120;
    private const double AtOnceByCap = Cap / 6.0;
    private const double PerSecondByCap = (Cap - AtOnceByCap) / 60;

    /// <param name="Nodes">Processes of Postern.</param>
    /// <param name="PerSecond">Queries a second, of all together.</param>
    /// <param name="Milliseconds">How long each took.</param>
    /// <param name="ProcessorMilliseconds">What each cost the processes of Postern together.</param>
    /// <param name="DrainSeconds">From the moment when everybody's token ended until everybody had their rows again.</param>
    public sealed record Figures(int Nodes, double PerSecond, List<double> Milliseconds, double ProcessorMilliseconds, double DrainSeconds);

    /// <summary>How many renewals a storm is.</summary>
    public static int Renewals => People;

    /// <summary>How long the cap alone makes such a storm, in seconds.</summary>
    public static double Floor => (People - AtOnceByCap) / PerSecondByCap;

    public static async Task<Figures> MeasureAsync(int nodes, TimeSpan length)
    {
        var people = Crowd.Of(People);
        await using var deployment = await Deployment.StartAsync(nodes, Capped, StoreProvider.PostgreSql, people);
        var crowd = await Crowd.ConnectAsync(deployment, people, People);
        await AllAsync(deployment, crowd);

        var (took, gate) = (new List<double>(), new Lock());
        var spent = Spent(deployment);
        var began = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(async worker =>
        {
            for (var turn = 0; Stopwatch.GetElapsedTime(began) < length; turn++)
            {
                var sent = Stopwatch.GetTimestamp();
                await crowd[(worker + turn * AtOnce) % People].FlightsAsync(node: deployment.Nodes[(worker + turn) % nodes]);
                lock (gate)
                    took.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
            }
        }));
        var perSecond = took.Count / Stopwatch.GetElapsedTime(began).TotalSeconds;
        spent = Spent(deployment) - spent;

        foreach (var person in crowd)
            await deployment.Sandbox.ExpireAccessTokensAsync(person.Name);
        // What connecting took of the cap has come back.
        await Task.Delay(TimeSpan.FromSeconds(60 * (People + AtOnceByCap) / (Cap - AtOnceByCap)));
        var storm = Stopwatch.GetTimestamp();
        await AllAsync(deployment, crowd);
        var drained = Stopwatch.GetElapsedTime(storm).TotalSeconds;
        foreach (var person in crowd)
            person.Dispose();
        return new(nodes, perSecond, took, spent.TotalMilliseconds / took.Count, drained);
    }

    private static TimeSpan Spent(Deployment deployment) =>
        deployment.Nodes.Aggregate(TimeSpan.Zero, (sum, node) => sum + node.Process.ProcessorTime);

    private static void Capped(JsonNode tenant) =>
        tenant["Connections"]!["lakehouse"]!["Authorization"]!["Behaviour"] = new JsonObject { ["TokenRequestsPerMinute"] = Cap };

    private static Task AllAsync(Deployment deployment, IReadOnlyList<Person> crowd) =>
        Task.WhenAll(crowd.Select((person, index) => person.FlightsAsync(node: deployment.Nodes[index % deployment.Nodes.Count])));
}
