using System.Net;
using System.Net.Http.Headers;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;

namespace Postern.Cluster.Tests;

/// <summary>An authorization code in the wrong hands is worth nothing.</summary>
public sealed class StolenCodeTests
{
    [Fact]
    public async Task Code_InWrongHands_GivesNothingAndItsOwnerStillConnects()
    {
        await using var deployment = await Deployment.StartAsync();
        using var ana = new Person(deployment, "ana");
        using var thief = new Person(deployment, "ben");
        await ana.EmbedAsync();
        await thief.EmbedAsync();
        var consented = await ana.ConsentAsync();
        await deployment.Sandbox.ClearLogAsync();

        // Another browser, although it has a session of its own: it lacks the cookie that binds the answer.
        var elsewhere = await thief.CallbackAsync(consented);
        Assert.Equal(("failed", ""), (elsewhere.Outcome, elsewhere.Confirmation));
        await deployment.HasEventAsync("ConnectRefused", "other-browser");

        // The answer of another issuer, the code of another state, no state at all.
        foreach (var forged in Forgeries(consented.Callback))
        {
            var page = await ana.CallbackAsync(new Consented(forged));
            Assert.NotEqual("ready", page.Outcome);
        }
        Assert.Empty(await deployment.Sandbox.TokenRequestsAsync());

        // Its owner's browser was in none of this refused for good, except where its own state came with somebody else's answer.
        var again = await ana.ConsentAsync();
        var own = await ana.CallbackAsync(again);
        Assert.True(own.Outcome == "ready", own.Html);
        Assert.Single(await deployment.Sandbox.TokenRequestsAsync());

        // Delivered twice: refused here, and not spent again at the token endpoint.
        var twice = await ana.CallbackAsync(again);
        Assert.Equal("failed", twice.Outcome);
        Assert.Single(await deployment.Sandbox.TokenRequestsAsync());

        // Sent to the token endpoint by hand, with the client's own secret but without the verifier, or with another.
        var fresh = await ana.ConsentAsync();
        foreach (var verifier in new[] { null, new string('v', 64) })
            await AssertRefusedByServerAsync(deployment, fresh.Callback, verifier);

        // Somebody who saw the confirmation in transit has the wrong session for it.
        using (var stolen = await thief.ConfirmAsync(own))
            Assert.Equal(HttpStatusCode.Forbidden, stolen.StatusCode);
        using (var confirmed = await ana.ConfirmAsync(own))
            Assert.True(confirmed.IsSuccessStatusCode, await confirmed.Content.ReadAsStringAsync(Suite.Token));
        Assert.True(await ana.FlightsAsync() > 0);
        await Canary.AssertNothingLeakedAsync(deployment, ana, thief);
    }

    private static async Task AssertRefusedByServerAsync(Deployment deployment, Uri callback, string? verifier)
    {
        var code = callback.Query.TrimStart('?').Split('&').Single(part => part.StartsWith("code=", StringComparison.Ordinal))[5..];
        var fields = new Dictionary<string, string>
        {
            ["grant_type"] = "authorization_code",
            ["code"] = Uri.UnescapeDataString(code),
            ["redirect_uri"] = new Uri(deployment.PublicOrigin, "/oauth/callback").AbsoluteUri,
        };
        if (verifier is not null)
            fields["code_verifier"] = verifier;
        using var thief = new Browser();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(deployment.SandboxAddress, "/oidc/v1/token")) { Content = new FormUrlEncodedContent(fields) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String("postern:sandbox-secret-postern"u8));
        using var answer = await thief.SendAsync(request);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.DoesNotContain("access_token", await answer.Content.ReadAsStringAsync(Suite.Token), StringComparison.Ordinal);
    }

    private static IEnumerable<Uri> Forgeries(Uri callback)
    {
        var text = callback.AbsoluteUri;
        yield return new Uri(text.Replace("state=", "state=x", StringComparison.Ordinal));
        yield return new Uri(string.Join('&', text.Split('&').Where(part => !part.Contains("state=", StringComparison.Ordinal))));
        yield return new Uri(text.Replace("%2Foidc", "%2Fgeneric", StringComparison.Ordinal));
    }
}
