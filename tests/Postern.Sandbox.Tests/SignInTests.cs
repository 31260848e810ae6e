using System.Net;

namespace Postern.Sandbox.Tests;

public sealed class SignInTests(SandboxFixture sandbox) : IClassFixture<SandboxFixture>
{
    [Fact]
    public async Task SignInPage_Always_ListsThePeopleAndWhatTheySee()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");

        var page = await browser.GetAsync(client.AuthorizeUrl(client.Request(OAuthClient.NewVerifier())));

        Assert.All(
            ["Ana Ortega", "Ben Whitfield", "Chloe Laurent", "Avery Admin", "flights of California", "flights of all states"],
            text => Assert.Contains(text, page.Html, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Pages_All_CarryAStrictPolicyAndNoScript()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");
        var signIn = await browser.GetAsync(client.AuthorizeUrl(client.Request(OAuthClient.NewVerifier())));
        var consent = await browser.SignInAsync(signIn, "ana");
        var error = await browser.GetAsync("/oidc/v1/authorize?client_id=nobody");
        var home = await browser.GetAsync("/");

        Assert.All([signIn, consent, error, home], page =>
        {
            var policy = page.Header("Content-Security-Policy");
            Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
            Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
            Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
            Assert.DoesNotContain("<script", page.Html, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain(" style=", page.Html, StringComparison.OrdinalIgnoreCase);
            Assert.Equal("no-store", page.Header("Cache-Control"));
        });
        // Browsers hold form-action against the redirect that follows the form.
        Assert.Contains("form-action 'self' http://localhost:7300;", consent.Header("Content-Security-Policy"), StringComparison.Ordinal);
        Assert.Contains("form-action 'self';", error.Header("Content-Security-Policy"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Page_ParametersWithMarkup_AreEncoded()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");
        var request = client.Request(OAuthClient.NewVerifier());
        request["state"] = "\"><script>alert(1)</script>";

        var signIn = await browser.GetAsync(client.AuthorizeUrl(request));
        var consent = await browser.SignInAsync(signIn, "ana");
        var answer = (await browser.ConsentAsync(consent)).Answer;

        Assert.DoesNotContain("<script", signIn.Html + consent.Html, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(request["state"], answer["state"]);
    }

    [Fact]
    public async Task Cookie_OfOneIssuer_SignsInAtThatIssuerOnly()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var workspace = new OAuthClient(sandbox.Server.Address, "workspace");
        using var generic = new OAuthClient(sandbox.Server.Address, "generic");
        await workspace.ConnectAsync(browser, "ana");

        var elsewhere = await browser.GetAsync(generic.AuthorizeUrl(generic.Request(OAuthClient.NewVerifier())));
        await browser.SignInAsync(elsewhere, "ben");
        var here = await browser.GetAsync(workspace.AuthorizeUrl(workspace.Request(OAuthClient.NewVerifier())));

        Assert.StartsWith("Sign in", elsewhere.Title, StringComparison.Ordinal);
        Assert.Contains("Ana Ortega", here.Html, StringComparison.Ordinal);
        Assert.Equal([("sandbox-generic", "/generic"), ("sandbox-workspace", "/oidc")], browser.Cookies.Keys.Order());
    }

    [Theory]
    [InlineData("login")]
    [InlineData("select_account")]
    public async Task Authorize_PromptThatWantsASignIn_AsksOnceForEachRequest(string prompt)
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = OAuthClient.Portal(sandbox.Server.Address);
        await client.CodeAsync(browser, "ana", "openid");
        var url = client.AuthorizeUrl(new Dictionary<string, string>(client.Request(OAuthClient.NewVerifier(), "openid")) { ["prompt"] = prompt });

        var asked = await browser.GetAsync(url);
        var answered = await browser.SignInAsync(asked, "ben");
        var again = await browser.GetAsync(url);

        Assert.StartsWith("Sign in", asked.Title, StringComparison.Ordinal);
        Assert.True(answered.Answer.ContainsKey("code"));
        Assert.StartsWith("Sign in", again.Title, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Authorize_SignedInAtCorporate_GoesThroughWithoutAPage()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = OAuthClient.Portal(sandbox.Server.Address);
        await client.CodeAsync(browser, "ana", "openid");

        var silent = new Dictionary<string, string>(client.Request(OAuthClient.NewVerifier(), "openid")) { ["prompt"] = "none" };

        Assert.True((await browser.GetAsync(client.AuthorizeUrl(silent))).Answer.ContainsKey("code"));
    }

    [Fact]
    public async Task UseAnotherAccount_OnTheConsentPage_AsksWhoItIs()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");
        var consent = await browser.AuthorizeAsync(client.AuthorizeUrl(client.Request(OAuthClient.NewVerifier())), "ana");

        var signIn = await browser.SignInAsync(consent, "");
        var other = await browser.SignInAsync(signIn, "chloe");

        Assert.StartsWith("Sign in", signIn.Title, StringComparison.Ordinal);
        Assert.Contains("Chloe Laurent", other.Html, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://evil.example/")]
    [InlineData("//evil.example/oidc/v1/authorize?x")]
    [InlineData("/generic/authorize?client_id=postern")]
    [InlineData("/oidc/v1/authorize")]
    [InlineData("/oidc/v1/authorize?x=1\r\nSet-Cookie: a=b")]
    public async Task SignIn_ReturnToElsewhere_IsRefused(string target)
    {
        using var browser = new Browser(sandbox.Server.Address);

        var page = await browser.PostAsync("/oidc/sign-in", [new("return_to", target), new("user", "ana")]);

        Assert.Equal((HttpStatusCode.BadRequest, null), (page.Status, page.Location));
        Assert.Empty(browser.Cookies);
    }

    [Theory]
    [InlineData("http://evil.example")]
    [InlineData("null")]
    public async Task SignIn_FromAnotherSite_IsRefused(string origin)
    {
        using var browser = new Browser(sandbox.Server.Address);

        var page = await browser.PostAsync("/oidc/sign-in", [new("return_to", "/oidc/v1/authorize?x=1"), new("user", "ana")], origin);

        Assert.Equal(HttpStatusCode.BadRequest, page.Status);
        Assert.Empty(browser.Cookies);
    }

    [Fact]
    public async Task Logout_WithTheIdToken_EndsTheSignInAndReturns()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = OAuthClient.Portal(sandbox.Server.Address);
        var tokens = await client.ConnectAsync(browser, "ana", "openid");

        var page = await browser.GetAsync(
            $"/corp/logout?id_token_hint={tokens.Text("id_token")}&post_logout_redirect_uri=http%3A%2F%2Flocalhost%3A7300%2F&client_id=postern-portal");

        Assert.StartsWith("http://localhost:7300/", page.Location, StringComparison.Ordinal);
        Assert.Empty(browser.Cookies);
    }

    [Fact]
    public async Task Logout_WithoutAHint_AsksFirst()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = OAuthClient.Portal(sandbox.Server.Address);
        await client.CodeAsync(browser, "ana", "openid");

        var question = await browser.GetAsync("/corp/logout");
        var forged = await browser.PostAsync("/corp/logout", [new("confirmed", "yes")], "http://evil.example");
        Assert.NotEmpty(browser.Cookies);
        await browser.PostAsync(question.FormAction, [.. question.HiddenFields, new("confirmed", "yes")]);

        Assert.StartsWith("Sign out", question.Title, StringComparison.Ordinal);
        Assert.StartsWith("Sign out", forged.Title, StringComparison.Ordinal);
        Assert.Empty(browser.Cookies);
    }
}
