using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Postern.Sandbox.Tests;

public sealed class CodeFlowTests(SandboxFixture sandbox) : IClassFixture<SandboxFixture>
{
    [Theory]
    [InlineData("workspace", "ws-ana")]
    [InlineData("generic", "gen-ana")]
    public async Task CodeFlow_DataIssuer_GivesTokensThatNameTheCaller(string issuer, string subject)
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, issuer);

        var tokens = await client.ConnectAsync(browser);

        Assert.Equal("Bearer", tokens.Text("token_type"));
        Assert.InRange(tokens.Json.GetProperty("expires_in").GetInt32(), 3590, 3600);
        Assert.Equal(["email", "offline_access", "openid", "profile", "sql"], tokens.Scopes);
        Assert.Equal("no-store", tokens.Headers["Cache-Control"]);
        var caller = await ReadAsync(tokens.AccessToken);
        Assert.NotNull(caller);
        Assert.Equal((issuer, subject, "postern"), (caller.Issuer, caller.Subject, caller.Client));
        Assert.Equal(["CA"], caller.User!.States!);
        Assert.Contains("sql", caller.Scopes);
        Assert.DoesNotContain("all-apis", caller.Scopes);
        Assert.Equal(issuer == "workspace" ? 2 : 0, tokens.AccessToken.Count(character => character == '.'));
    }

    [Fact]
    public async Task CodeFlow_Corporate_GivesAnIdTokenWithoutAskingConsent()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = OAuthClient.Portal(sandbox.Server.Address);
        var verifier = OAuthClient.NewVerifier();
        var request = client.Request(verifier, "openid profile email");

        var redirect = await browser.AuthorizeAsync(client.AuthorizeUrl(request), "ben");
        var tokens = await client.RedeemAsync(redirect.Answer["code"], verifier);

        var keys = new JsonWebKeySet((await client.GetAsync("/corp/jwks.json")).Body);
        var result = await new JsonWebTokenHandler().ValidateTokenAsync(tokens.Text("id_token"), new TokenValidationParameters
        {
            ValidIssuer = client.Issuer,
            ValidAudience = client.Id,
            IssuerSigningKeys = keys.GetSigningKeys(),
            ValidAlgorithms = ["RS256"],
        });
        Assert.True(result.IsValid, result.Exception?.Message);
        Assert.Equal(
            ("corp-ben", "ben@skyline.example", "Ben Whitfield", request["nonce"]),
            (result.Claims["sub"], result.Claims["email"], result.Claims["name"], result.Claims["nonce"]));
        Assert.False(tokens.Json.TryGetProperty("refresh_token", out _));
        Assert.Null(await ReadAsync(tokens.AccessToken));
        var userInfo = await client.GetAsync("/corp/userinfo", tokens.AccessToken);
        Assert.Equal("ben@skyline.example", userInfo.Text("email"));
    }

    [Theory]
    [InlineData("workspace")]
    [InlineData("generic")]
    [InlineData("corp")]
    public async Task AuthorizationResponse_SuccessAndError_CarryTheExactIssuerAndState(string issuer)
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = issuer == "corp" ? OAuthClient.Portal(sandbox.Server.Address) : new OAuthClient(sandbox.Server.Address, issuer);
        var request = client.Request(OAuthClient.NewVerifier(), "openid");
        var silent = new Dictionary<string, string>(request) { ["prompt"] = "none" };

        var error = await browser.GetAsync(client.AuthorizeUrl(silent));
        var page = await browser.AuthorizeAsync(client.AuthorizeUrl(request), "chloe");
        var success = page.Location is null ? await browser.ConsentAsync(page) : page;

        Assert.Equal("login_required", error.Answer["error"]);
        Assert.Equal(client.Issuer, error.Answer["iss"]);
        Assert.Equal(client.Issuer, success.Answer["iss"]);
        Assert.Equal(request["state"], success.Answer["state"]);
    }

    [Fact]
    public async Task Authorize_RedirectUriNotRegistered_ShowsAPageAndRedirectsNowhere()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");
        string[] strays =
        [
            "http://localhost:7300/oauth/callback/", "http://localhost:7300/oauth/callback?x=1", "http://LOCALHOST:7300/oauth/callback",
            "http://evil.example/oauth/callback",
        ];
        foreach (var uri in strays)
        {
            var request = client.Request(OAuthClient.NewVerifier());
            request["redirect_uri"] = uri;

            var page = await browser.GetAsync(client.AuthorizeUrl(request));

            Assert.Equal(HttpStatusCode.BadRequest, page.Status);
            Assert.Null(page.Location);
            Assert.Contains("refused", page.Html, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task ClientCredentials_Service_GivesATokenWithoutAPerson()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "workspace", "postern-service", "sandbox-secret-service");

        var tokens = await client.TokenAsync(new() { ["grant_type"] = "client_credentials", ["scope"] = "sql" });

        Assert.Equal(HttpStatusCode.OK, tokens.Status);
        Assert.False(tokens.Json.TryGetProperty("refresh_token", out _));
        var caller = await ReadAsync(tokens.AccessToken);
        Assert.Equal(("workspace", "postern-service", null), (caller!.Issuer, caller.Subject, caller.User));
        Assert.Equal(["sql"], caller.Scopes);
    }

    [Fact]
    public async Task Token_WrongSecret_IsUnauthorizedWithAChallenge()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "workspace", "postern", "wrong");

        var answer = await client.RefreshAsync("anything");

        Assert.Equal(HttpStatusCode.Unauthorized, answer.Status);
        Assert.Equal("invalid_client", answer.Error);
        Assert.Contains("Basic", answer.Headers["WWW-Authenticate"], StringComparison.Ordinal);
    }

    private ValueTask<Caller?> ReadAsync(string accessToken) =>
        sandbox.Server.Services.GetRequiredService<ITokenReader>().ReadAsync(accessToken, TestContext.Current.CancellationToken);
}
