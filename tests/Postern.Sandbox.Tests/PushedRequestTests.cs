using System.Net;
using Microsoft.Extensions.Time.Testing;

namespace Postern.Sandbox.Tests;

/// <summary>Pushed authorization requests (RFC 9126).</summary>
public sealed class PushedRequestTests(SandboxFixture sandbox) : IClassFixture<SandboxFixture>
{
    [Fact]
    public async Task Push_GoodRequest_GivesAReferenceThatLeadsToTokens()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "generic");
        var verifier = OAuthClient.NewVerifier();
        var request = client.Request(verifier);

        var pushed = await client.PushAsync(request);
        var page = await browser.AuthorizeAsync(Reference(client, pushed), "ana");
        var redirect = await browser.ConsentAsync(page);
        var tokens = await client.RedeemAsync(redirect.Answer["code"], verifier);

        Assert.Equal(HttpStatusCode.Created, pushed.Status);
        Assert.InRange(pushed.Json.GetProperty("expires_in").GetInt32(), 80, 90);
        Assert.Equal(request["state"], redirect.Answer["state"]);
        Assert.Equal(["email", "offline_access", "openid", "profile", "sql"], tokens.Scopes);
    }

    [Fact]
    public async Task Reference_UsedBefore_IsRefused()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "generic");
        var pushed = await client.PushAsync(client.Request(OAuthClient.NewVerifier()));
        var consent = await browser.AuthorizeAsync(Reference(client, pushed), "ana");
        Assert.True((await browser.ConsentAsync(consent)).Answer.ContainsKey("code"));

        var again = await browser.GetAsync(Reference(client, pushed));
        var twice = await browser.ConsentAsync(consent);

        Assert.Equal((HttpStatusCode.BadRequest, null), (again.Status, again.Location));
        Assert.Equal((HttpStatusCode.BadRequest, null), (twice.Status, twice.Location));
    }

    [Fact]
    public async Task Reference_OfAnotherClient_IsRefused()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "generic");
        using var stranger = new OAuthClient(sandbox.Server.Address, "generic", SandboxFixture.StrangerClient, SandboxFixture.StrangerSecret);
        var pushed = await client.PushAsync(client.Request(OAuthClient.NewVerifier()));

        var page = await browser.GetAsync(Reference(stranger, pushed));

        Assert.Equal((HttpStatusCode.BadRequest, null), (page.Status, page.Location));
    }

    [Fact]
    public async Task Push_WithoutChallengeOrSecret_IsRefused()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "generic");
        using var impostor = new OAuthClient(sandbox.Server.Address, "generic", "postern", "wrong");
        var request = client.Request(OAuthClient.NewVerifier());
        var bare = request.Where(field => !field.Key.StartsWith("code_challenge", StringComparison.Ordinal)).ToDictionary();
        var plain = new Dictionary<string, string>(request) { ["code_challenge_method"] = "plain" };
        var malformed = new Dictionary<string, string>(request) { ["code_challenge"] = "abc" };

        Assert.Equal("invalid_request", (await client.PushAsync(bare)).Error);
        Assert.Equal("invalid_request", (await client.PushAsync(plain)).Error);
        Assert.Equal("invalid_request", (await client.PushAsync(malformed)).Error);
        Assert.Equal("invalid_client", (await impostor.PushAsync(request)).Error);
    }

    [Fact]
    public async Task Reference_NotUsedFor91Seconds_IsRefusedButAPersonWhoReadsMayTakeMinutes()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var server = await SandboxServer.StartAsync(new SandboxOptions { Port = 0, Time = time }, TestContext.Current.CancellationToken);
        using var browser = new Browser(server.Address);
        using var client = new OAuthClient(server.Address, "generic");
        var stale = await client.PushAsync(client.Request(OAuthClient.NewVerifier()));
        var read = await client.PushAsync(client.Request(OAuthClient.NewVerifier()));
        var consent = await browser.AuthorizeAsync(Reference(client, read), "ana");

        time.Advance(TimeSpan.FromSeconds(91));

        Assert.Equal(HttpStatusCode.BadRequest, (await browser.GetAsync(Reference(client, stale))).Status);
        Assert.True((await browser.ConsentAsync(consent)).Answer.ContainsKey("code"));
    }

    private static string Reference(OAuthClient client, TokenAnswer pushed) =>
        client.AuthorizeUrl([new("client_id", client.Id), new("request_uri", pushed.Text("request_uri"))]);
}
