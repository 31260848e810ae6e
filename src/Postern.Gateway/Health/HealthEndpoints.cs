using System.Data.Common;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Postern.Grants;
using Postern.Store;

namespace Postern.Gateway.Health;

/// <summary><c>GET /healthz/ready</c>: whether requests should come here, and what is degraded. Counts only: anybody may ask.</summary>
/// <param name="Status"><c>ready</c> or <c>unready</c>.</param>
/// <param name="Unready">What keeps the node from serving: <c>store</c>, <c>feed</c>.</param>
/// <param name="Degraded">What is not as it should be while the node serves.</param>
internal sealed record ReadinessBody(string Status, string[] Unready, ReadinessBody.Part[] Degraded)
{
    /// <param name="Name"><c>authorization-servers</c> or <c>spool</c>.</param>
    /// <param name="Count">How many.</param>
    internal sealed record Part(string Name, int Count);
}

/// <summary>Health for load balancers and people. A provider that fails makes no node unready: the others would fail with it.</summary>
internal static class HealthEndpoints
{
    private static readonly TimeSpan FeedSilence = TimeSpan.FromSeconds(5);

    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/healthz/live", () => Results.Text("live"));
        app.MapGet("/healthz/ready", ReadyAsync);
    }

    private static async Task<IResult> ReadyAsync(PosternStore store, ChangeFeed feed, GrantDesk desk, CancellationToken cancellation)
    {
        List<string> unready = [];
        try
        {
            await store.Clock.NowAsync(cancellation);
        }
        catch (DbException)
        {
            unready.Add("store");
        }
        if (feed.SinceLastRead >= FeedSilence)
            unready.Add("feed");
        var body = new ReadinessBody(unready.Count == 0 ? "ready" : "unready", [.. unready], Degraded(desk.Health));
        return Results.Json(body, GatewayJson.Default.ReadinessBody, statusCode: unready.Count == 0 ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
    }

    private static ReadinessBody.Part[] Degraded(GrantHealth health)
    {
        ReadinessBody.Part[] parts = [new("authorization-servers", health.RestingServers), new("spool", health.SpooledPairs)];
        return [.. parts.Where(part => part.Count > 0)];
    }
}
