using System.Net;

namespace Postern.Sandbox.Tests;

public sealed class ConsentTests(SandboxFixture sandbox) : IClassFixture<SandboxFixture>
{
    [Theory]
    [InlineData("workspace")]
    [InlineData("generic")]
    public async Task Consent_Denied_AnswersAccessDenied(string issuer)
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, issuer);
        var page = await browser.AuthorizeAsync(client.AuthorizeUrl(client.Request(OAuthClient.NewVerifier())), "ana");

        var answer = (await browser.ConsentAsync(page, "deny")).Answer;

        Assert.Equal("access_denied", answer["error"]);
        Assert.Equal(client.Issuer, answer["iss"]);
        Assert.False(answer.ContainsKey("code"));
    }

    [Theory]
    [InlineData("workspace")]
    [InlineData("generic")]
    public async Task Consent_SqlUnticked_GrantsTheRestAndSaysSo(string issuer)
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, issuer);
        var verifier = OAuthClient.NewVerifier();
        var page = await browser.AuthorizeAsync(client.AuthorizeUrl(client.Request(verifier)), "ana");

        var redirect = await browser.ConsentAsync(page, "allow", "sql", "profile");
        var tokens = await client.RedeemAsync(redirect.Answer["code"], verifier);
        var renewed = await client.RefreshAsync(tokens.RefreshToken);

        Assert.Equal(["email", "offline_access", "openid"], tokens.Scopes);
        Assert.Equal(["email", "offline_access", "openid"], renewed.Scopes);
    }

    [Fact]
    public async Task Consent_OfflineAccessUnticked_GivesNoRefreshToken()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");
        var verifier = OAuthClient.NewVerifier();
        var page = await browser.AuthorizeAsync(client.AuthorizeUrl(client.Request(verifier)), "ana");

        var redirect = await browser.ConsentAsync(page, "allow", "offline_access");
        var tokens = await client.RedeemAsync(redirect.Answer["code"], verifier);

        Assert.False(tokens.Json.TryGetProperty("refresh_token", out _));
    }

    [Fact]
    public async Task Consent_ScopeTickedThatWasNotAsked_IsNotGranted()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");
        var verifier = OAuthClient.NewVerifier();
        var page = await browser.AuthorizeAsync(client.AuthorizeUrl(client.Request(verifier, "openid sql")), "ana");

        var redirect = await browser.PostAsync(
            page.LastFormAction,
            [.. page.LastFormFields, new("consent_scope", "sql"), new("consent_scope", "all-apis"), new("consent_decision", "allow")]);
        var tokens = await client.RedeemAsync(redirect.Answer["code"], verifier);

        Assert.Equal(["openid", "sql"], tokens.Scopes);
    }

    [Fact]
    public async Task Consent_GivenBefore_IsAskedAgain()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");
        await client.ConnectAsync(browser);

        var page = await browser.GetAsync(client.AuthorizeUrl(client.Request(OAuthClient.NewVerifier())));

        Assert.Equal("Allow Postern?", page.Title);
    }

    [Fact]
    public async Task Consent_TicketMissingForeignOrFromAnotherSite_IsAskedAgain()
    {
        using var victim = new Browser(sandbox.Server.Address);
        using var attacker = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");
        var url = client.AuthorizeUrl(client.Request(OAuthClient.NewVerifier()));
        var theirs = await attacker.AuthorizeAsync(url, "ana");
        var ours = await victim.AuthorizeAsync(url, "ana");
        KeyValuePair<string, string>[] yes = [new("consent_scope", "sql"), new("consent_decision", "allow")];

        Page[] refused =
        [
            await victim.PostAsync(ours.LastFormAction, ours.LastFormFields.Where(input => input.Key != "consent_ticket").Concat(yes)),
            await victim.PostAsync(ours.LastFormAction, theirs.LastFormFields.Concat(yes)),
            await victim.PostAsync(ours.LastFormAction, ours.LastFormFields.Concat(yes), origin: "http://evil.example"),
        ];

        Assert.All(refused, page => Assert.Equal((HttpStatusCode.OK, "Allow Postern?"), (page.Status, page.Title)));
        Assert.NotNull((await victim.PostAsync(ours.LastFormAction, ours.LastFormFields.Concat(yes))).Location);
    }

    [Fact]
    public async Task ConsentPage_Always_SaysWhatEachScopeReachesForThisPerson()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");

        var page = await browser.AuthorizeAsync(
            client.AuthorizeUrl(client.Request(OAuthClient.NewVerifier(), "openid profile email sql all-apis offline_access")), "ben");

        Assert.Equal(["openid", "profile", "email", "sql", "all-apis", "offline_access"], page.Scopes);
        Assert.Contains("flights of Texas", page.Html, StringComparison.Ordinal);
        Assert.Contains("ben@skyline.example", page.Html, StringComparison.Ordinal);
        Assert.Contains("localhost:7300", page.Html, StringComparison.Ordinal);
        Assert.Contains("Use another account", page.Html, StringComparison.Ordinal);
    }
}
