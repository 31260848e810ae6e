using System.Net;

namespace Postern.Sandbox.Tests;

/// <summary>PKCE (RFC 7636) and single use of the code: what a thief of a code gets.</summary>
public sealed class ProofKeyTests(SandboxFixture sandbox) : IClassFixture<SandboxFixture>
{
    [Theory]
    [InlineData("workspace")]
    [InlineData("generic")]
    [InlineData("corp")]
    public async Task Authorize_ChallengeMissingPlainOrMalformed_IsRefused(string issuer)
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = issuer == "corp" ? OAuthClient.Portal(sandbox.Server.Address) : new OAuthClient(sandbox.Server.Address, issuer);
        var good = client.Request(OAuthClient.NewVerifier(), "openid");
        var verifier = OAuthClient.NewVerifier();
        (string Challenge, string Method)[] bad =
        [
            ("", ""), (verifier, "plain"), (verifier, ""), (good["code_challenge"], "S512"), (good["code_challenge"], "s256"), ("abc", "S256"),
            (good["code_challenge"] + "=", "S256"),
        ];
        foreach (var (challenge, method) in bad)
        {
            var request = new Dictionary<string, string>(good) { ["code_challenge"] = challenge, ["code_challenge_method"] = method };

            var page = await browser.GetAsync(client.AuthorizeUrl(request.Where(field => field.Value.Length > 0)));

            var error = page.Location is null ? page.Html : page.Answer["error"];
            Assert.Contains("invalid_request", error, StringComparison.Ordinal);
            Assert.DoesNotContain("Who are you", page.Html, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Redeem_VerifierMissingWrongOrShort_IsRefused()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");
        foreach (var wrong in new[] { null, OAuthClient.NewVerifier(), "abc", new string('a', 42), new string('a', 129), new string('ü', 43) })
        {
            var (code, _) = await client.CodeAsync(browser);

            var answer = await client.RedeemAsync(code, wrong);

            Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
            Assert.Contains(answer.Error, new[] { "invalid_grant", "invalid_request" });
        }
    }

    [Fact]
    public async Task Redeem_ShortVerifierThatMeetsItsChallenge_IsRefusedAllTheSame()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");
        var page = await browser.AuthorizeAsync(client.AuthorizeUrl(client.Request("abc")), "ana");
        var redirect = await browser.ConsentAsync(page);

        var answer = await client.RedeemAsync(redirect.Answer["code"], "abc");

        Assert.Equal("invalid_grant", answer.Error);
    }

    [Fact]
    public async Task Redeem_CodeStolenByAnotherClient_IsRefused()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "generic") { Callback = SandboxFixture.TestCallback };
        using var thief = new OAuthClient(sandbox.Server.Address, "generic", SandboxFixture.StrangerClient, SandboxFixture.StrangerSecret);
        var (code, verifier) = await client.CodeAsync(browser);

        var answer = await thief.RedeemAsync(code, verifier);

        Assert.Equal("invalid_grant", answer.Error);
    }

    [Theory]
    [InlineData("workspace")]
    [InlineData("generic")]
    public async Task Redeem_CodeReplayed_IsRefusedAndEndsTheFamily(string issuer)
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, issuer);
        var (code, verifier) = await client.CodeAsync(browser);
        var tokens = await client.RedeemAsync(code, verifier);
        Assert.True(await sandbox.IsAliveAsync(tokens.AccessToken));

        var replay = await client.RedeemAsync(code, verifier);

        Assert.Equal("invalid_grant", replay.Error);
        Assert.False(await sandbox.IsAliveAsync(tokens.AccessToken));
        Assert.Equal("invalid_grant", (await client.RefreshAsync(tokens.RefreshToken)).Error);
    }

    [Fact]
    public async Task Redeem_SixAtOnce_OneWins()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");
        var (code, verifier) = await client.CodeAsync(browser);

        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => client.RedeemAsync(code, verifier)));

        Assert.Single(answers, answer => answer.Status == HttpStatusCode.OK);
        Assert.All(answers.Where(answer => answer.Status != HttpStatusCode.OK), answer => Assert.Equal("invalid_grant", answer.Error));
    }

    [Fact]
    public async Task Redeem_PublicClient_NeedsTheVerifierOnly()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "generic", SandboxFixture.PublicClient, secret: null);

        var tokens = await client.ConnectAsync(browser);

        Assert.True(await sandbox.IsAliveAsync(tokens.AccessToken));
    }
}
