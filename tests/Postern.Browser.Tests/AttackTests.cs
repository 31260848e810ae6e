using System.Net;
using Microsoft.Playwright;
using Postern.Browser.Tests.Stage;

namespace Postern.Browser.Tests;

/// <summary>
/// What must not work. The attacker has an account at the host, speaks HTTP as he likes, owns a web site and can make a victim open
/// any address; he has no code in Postern's or the host's pages.
/// </summary>
public sealed class AttackTests(DemoStage stage)
{
    [Fact]
    public async Task ConnectPopup_OpenedByAnotherSite_TakesNoHandleAndSaysNothing()
    {
        using var attacker = stage.Outside();
        var begun = await BeginAsync(attacker);
        await using var visit = await stage.VisitAsync();
        await using var site = ForeignSite.Open($$"""
            <button onclick="opened = window.open('{{stage.Addresses.Postern}}/connect'); setInterval(() => opened.postMessage({ postern: 'handle', handle: '{{begun.Handle}}' }, '*'), 50)">Win a prize</button>
            <script>heard = []; addEventListener('message', (event) => heard.push(JSON.stringify(event.data)));</script>
            """);
        var page = await visit.Context.NewPageAsync();
        await page.GotoAsync(site.Address);

        var popup = await page.RunAndWaitForPopupAsync(() => page.GetByRole(AriaRole.Button).ClickAsync());

        await popup.GetByRole(AriaRole.Heading, new() { Name = "Open this from the dashboard" }).WaitForAsync();
        Assert.Equal(0, await page.EvaluateAsync<int>("() => heard.length"));
        Assert.DoesNotContain(visit.Recorder.Requests, request => request.Contains("/connect/introduce", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ConnectPopup_HandlePlantedInTheAddress_IsNotRead()
    {
        using var attacker = stage.Outside();
        var (_, handle) = await BeginAsync(attacker);
        await using var visit = await stage.VisitAsync();
        var page = await visit.Context.NewPageAsync();

        await page.GotoAsync($"{stage.Addresses.Postern}/connect?planted={handle[..20]}&handle={handle[20..]}#handle={handle[20..]}");

        await page.GetByRole(AriaRole.Heading, new() { Name = "Open this from the dashboard" }).WaitForAsync();
        Assert.DoesNotContain(visit.Recorder.Requests, request => request.Contains("/connect/introduce", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("/connect", "/connect")]
    [InlineData("/embed/flight_delays", "/embed/flight_delays")]
    [InlineData("/oauth/callback?state=x&code=y", "/oauth/callback?")]
    // Another site's frame brings no portal session, so the way leads to the sign-in, which may not be framed either.
    [InlineData("/workbooks/flight_delays", "/corp/authorize?")]
    public async Task Framing_ByAnotherSite_IsRefused(string path, string refusedAt)
    {
        await using var visit = await stage.VisitAsync();
        await using var site = ForeignSite.Open($"""<iframe src="{stage.Addresses.Postern}{path}" width="800" height="600"></iframe>""");
        var page = await visit.Context.NewPageAsync();
        await page.GotoAsync(site.Address);

        var framed = page.Frames[1];
        Assert.Equal("chrome-error://chromewebdata/", await framed.EvaluateAsync<string>("() => location.href"));
        var refused = Assert.Single(visit.Recorder.Failures);
        Assert.Contains(refusedAt, refused, StringComparison.Ordinal);
        Assert.EndsWith("net::ERR_BLOCKED_BY_RESPONSE", refused, StringComparison.Ordinal);
    }

    [Fact]
    public async Task VictimsConsent_ForTheAttackersConnect_IsRefusedInTheVictimsBrowser()
    {
        // The attacker claims the victim's own address, so that nothing but the browser's binding stands between him and the grant.
        await stage.ForgetAsync("ben");
        var unconfirmed = (await stage.GrantsAsync("ben", "unconfirmed")).Count;
        var before = (await stage.AuditAsync()).Count;
        using var attacker = stage.Outside();
        var (_, handle) = await BeginAsync(attacker);
        var (status, started) = await attacker.PostAsync("/connect/start", new { handle });
        Assert.Equal(HttpStatusCode.OK, status);

        await using var victim = await stage.VisitAsync();
        var page = await victim.Context.NewPageAsync();
        await page.GotoAsync(started.GetProperty("authorizeUrl").GetString()!);
        await page.Locator("button[name=user][value=ben]").ClickAsync();
        await page.Locator("button[value=allow]").ClickAsync();

        var result = page.Locator("#connect-result");
        await Assertions.Expect(result).ToHaveAttributeAsync("data-outcome", "failed");
        Assert.Contains("another browser", await result.InnerTextAsync(), StringComparison.Ordinal);
        Assert.Equal("", await result.GetAttributeAsync("data-confirmation"));
        Assert.Empty(await stage.GrantsAsync("ben"));
        Assert.Equal(unconfirmed, (await stage.GrantsAsync("ben", "unconfirmed")).Count);
        await stage.RecordedAsync("ConnectRefused", "other-browser", before);
    }

    [Fact]
    public async Task StolenAuthorizationCode_DeliveredByAnotherBrowser_IsRefused()
    {
        await stage.ForgetAsync("ben");
        var unconfirmed = (await stage.GrantsAsync("ben", "unconfirmed")).Count;
        var before = (await stage.AuditAsync()).Count;
        await using var victim = await stage.VisitAsync();
        var stolen = new TaskCompletionSource<string>();
        await victim.Context.RouteAsync("**/oidc/v1/authorize", async route =>
        {
            // The platform's answer to the consent, before the victim's browser follows it.
            var answer = await route.FetchAsync(new() { MaxRedirects = 0 });
            stolen.TrySetResult(answer.Headers["location"]);
            await route.AbortAsync();
        });
        var popup = await (await victim.SkylineAsync("ben")).Dashboard.ConnectAsync();
        await popup.SignInAsync("ben");
        await popup.Page.Locator("button[value=allow]").ClickAsync();
        var callback = await stolen.Task.WaitAsync(TimeSpan.FromSeconds(20));

        // With a session of his own and without one.
        using var attacker = stage.Outside();
        var (_, anonymous) = await attacker.OpenAsync(callback);
        await BeginAsync(attacker);
        var (_, signedIn) = await attacker.OpenAsync(callback);

        Assert.Contains("data-outcome=\"failed\"", anonymous, StringComparison.Ordinal);
        Assert.Contains("data-outcome=\"failed\"", signedIn, StringComparison.Ordinal);
        Assert.Empty(await stage.GrantsAsync("ben"));
        Assert.Equal(unconfirmed, (await stage.GrantsAsync("ben", "unconfirmed")).Count);
        await stage.RecordedAsync("ConnectRefused", "other-browser", before);
    }

    [Fact]
    public async Task AuthorizationCode_Replayed_IsRefusedAndTheGrantStands()
    {
        await stage.ForgetAsync("chloe");
        await using var visit = await stage.VisitAsync();
        var dashboard = (await visit.SkylineAsync("chloe")).Dashboard;
        await dashboard.ConnectedAsync("chloe");
        var before = (await stage.AuditAsync()).Count;
        var callback = visit.Recorder.Requests.Single(request => request.Contains("/oauth/callback?", StringComparison.Ordinal))["GET ".Length..];

        var again = await visit.Context.NewPageAsync();
        await again.GotoAsync(callback);

        await Assertions.Expect(again.Locator("#connect-result")).ToHaveAttributeAsync("data-outcome", "failed");
        Assert.Single(await stage.GrantsAsync("chloe"));
        var recorded = (await stage.AuditAsync()).Count;
        Assert.True(recorded > before, "The replay left no event.");
    }

    [Fact]
    public async Task StolenConfirmation_FromAnotherSession_IsRefused()
    {
        await stage.ForgetAsync("ben");
        var before = (await stage.AuditAsync()).Count;
        await using var victim = await stage.VisitAsync();
        var sent = new TaskCompletionSource<(string Path, string Body)>();
        await victim.Context.RouteAsync("**/api/connects/*/confirm", async route =>
        {
            sent.TrySetResult((new Uri(route.Request.Url).AbsolutePath, route.Request.PostData!));
            await route.AbortAsync();
        });
        var popup = await (await victim.SkylineAsync("ben")).Dashboard.ConnectAsync();
        await popup.SignInAsync("ben");
        await popup.Page.Locator("button[value=allow]").ClickAsync();
        var (path, body) = await sent.Task.WaitAsync(TimeSpan.FromSeconds(20));

        // A second session of the very same person: only the session that began may confirm.
        using var attacker = stage.Outside();
        await attacker.OpenFrameAsync("ben", "ben@skyline.example");
        var (status, _) = await attacker.PostAsync(path, System.Text.Json.JsonSerializer.Deserialize<System.Text.Json.JsonElement>(body));

        Assert.Equal(HttpStatusCode.Forbidden, status);
        Assert.Empty(await stage.GrantsAsync("ben"));
        await stage.RecordedAsync("ConnectRefused", "confirm", before);
    }

    [Fact]
    public async Task StolenEmbedCode_RedeemedWithAnotherNonce_IsRefused()
    {
        var before = (await stage.AuditAsync()).Count;
        await using var victim = await stage.VisitAsync();
        var stolen = new TaskCompletionSource<string>();
        await victim.Context.RouteAsync("**/embed/sessions", async route =>
        {
            stolen.TrySetResult(System.Text.Json.JsonDocument.Parse(route.Request.PostData!).RootElement.GetProperty("code").GetString()!);
            await route.AbortAsync();
        });
        await victim.SkylineAsync("ana");
        var code = await stolen.Task.WaitAsync(TimeSpan.FromSeconds(20));

        using var attacker = stage.Outside();
        var (status, body) = await attacker.PostAsync("/embed/sessions", new { code, nonce = OutsideClient.NewNonce() });

        Assert.Equal(HttpStatusCode.Unauthorized, status);
        Assert.False(body.TryGetProperty("subject", out _));
        Assert.NotEmpty(await stage.RecordedAsync("FrameRefused", "", before));
    }

    [Fact]
    public async Task EmbedCode_RedeemedTwice_OpensOneSession()
    {
        var before = (await stage.AuditAsync()).Count;
        using var frame = stage.Outside();
        var nonce = OutsideClient.NewNonce();
        var code = await frame.EmbedCodeAsync("ana", "ana@skyline.example", OutsideClient.ChallengeOf(nonce));

        var (first, _) = await frame.PostAsync("/embed/sessions", new { code, nonce });
        using var other = stage.Outside();
        var (second, _) = await other.PostAsync("/embed/sessions", new { code, nonce });

        Assert.Equal(HttpStatusCode.Created, first);
        Assert.Equal(HttpStatusCode.Unauthorized, second);
        Assert.NotEmpty(await stage.RecordedAsync("FrameRefused", "", before));
    }

    /// <summary>The attacker's own session at the host, and a connect he began there.</summary>
    private static async Task<(string Id, string Handle)> BeginAsync(OutsideClient attacker)
    {
        await attacker.OpenFrameAsync("ben", "ben@skyline.example");
        var (status, begun) = await attacker.PostAsync("/api/connects", new { connection = "lakehouse" });
        Assert.Equal(HttpStatusCode.Created, status);
        return (begun.GetProperty("id").GetString()!, begun.GetProperty("handle").GetString()!);
    }
}
