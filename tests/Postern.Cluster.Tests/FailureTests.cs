using System.Net;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;

namespace Postern.Cluster.Tests;

/// <summary>What people are told when something of Postern's own is broken, and that everything goes on when it is mended.</summary>
public sealed class FailureTests
{
    [Fact]
    public async Task Request_WhileTheStoreIsBroken_IsToldSoAndNothingIsLost()
    {
        await using var deployment = await Deployment.StartAsync();
        using var ana = new Person(deployment, "ana");
        await ana.EmbedAndConnectAsync();
        var flights = await ana.FlightsAsync();

        deployment.Edit("ALTER TABLE sessions RENAME TO gone");
        using (var refused = await ana.QueryAsync())
        {
            var problem = await Problem.ReadAsync(refused);
            Assert.Equal(("urn:postern:unavailable", 503, "store-unavailable"), (problem.Type, problem.Status, problem.Code));
            Assert.NotNull(refused.Headers.RetryAfter);
            Assert.DoesNotContain("sessions", problem.Text, StringComparison.Ordinal);
        }
        using (var navigation = new HttpRequestMessage(HttpMethod.Get, ana.At("/")))
        {
            navigation.Headers.Accept.ParseAdd("text/html");
            using var page = await ana.Browser.SendAsync(navigation);
            Assert.Equal((HttpStatusCode.ServiceUnavailable, "text/html"), (page.StatusCode, page.Content.Headers.ContentType?.MediaType));
            Assert.Contains("Nothing is lost", await page.Content.ReadAsStringAsync(Suite.Token), StringComparison.Ordinal);
        }
        deployment.Edit("ALTER TABLE gone RENAME TO sessions");

        Assert.Equal(flights, await ana.FlightsAsync());
    }
}
