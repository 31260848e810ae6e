using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Postern.Browser.Tests.Pages;
using Postern.Browser.Tests.Stage;

namespace Postern.Browser.Tests;

/// <summary>My connections: what I granted, and how it ends.</summary>
public sealed class PortalTests(DemoStage stage)
{
    [Fact]
    public async Task Revoke_OpenWorkbookInAnotherTab_AsksToReconnectWithinASecond()
    {
        await stage.ForgetAsync("corp-ana");
        await using var visit = await stage.VisitAsync();
        var portal = await visit.PortalAsync("ana");
        await portal.ConnectedAsync("Skyline Lakehouse", "ana");
        var card = await portal.Card("Skyline Lakehouse").InnerTextAsync();
        Assert.Contains("ana@skyline.example", card, StringComparison.Ordinal);
        Assert.Contains("What it reaches", card, StringComparison.Ordinal);
        Assert.Contains("sql", card, StringComparison.Ordinal);

        var workbook = await OpenWorkbookAsync(visit);
        Assert.True(await workbook.FigureAsync("Flights") > 0);
        // Watched from inside the page: the time counts, and asking from outside would take some of it.
        await workbook.Viewer.EvaluateAsync("""
            (viewer) => {
              const look = () => { if (viewer.shadowRoot.querySelector(".gate")) { viewer.dataset.gone ??= String(Date.now()); } };
              new MutationObserver(look).observe(viewer.shadowRoot, { childList: true, subtree: true });
            }
            """);

        var warning = await portal.AskRevokeAsync("Skyline Lakehouse");
        Assert.Contains("no way to take a permission back", warning, StringComparison.Ordinal);
        var asked = await portal.Page.EvaluateAsync<double>("() => Date.now()");
        await portal.ConfirmRevokeAsync();
        await workbook.Heading.WaitForAsync();

        var gone = double.Parse((await workbook.Viewer.GetAttributeAsync("data-gone"))!, CultureInfo.InvariantCulture);
        Assert.True(gone - asked < 1000, $"The workbook went on for {gone - asked} ms.");
        Assert.Contains("was revoked", await workbook.Heading.InnerTextAsync(), StringComparison.Ordinal);
        Assert.Equal(0, await workbook.Viewer.Locator("pn-tile").CountAsync());

        var outcome = await portal.Outcome("Skyline Lakehouse").InnerTextAsync();
        Assert.Matches(new Regex(@"This provider cannot revoke; the last access token lives until .*\d:\d\d"), outcome);
        Assert.Empty(await stage.GrantsAsync("corp-ana"));
    }

    [Fact]
    public async Task Revoke_ProviderWithRevocation_SaysRevokedAtTheProvider()
    {
        await stage.ForgetAsync("corp-ana");
        await using var visit = await stage.VisitAsync();
        var portal = await visit.PortalAsync("ana");
        await portal.ConnectedAsync("Flight Archive", "ana");

        var warning = await portal.AskRevokeAsync("Flight Archive");
        Assert.Contains("also taken back at the provider", warning, StringComparison.Ordinal);
        await portal.ConfirmRevokeAsync();

        await Assertions.Expect(portal.Outcome("Flight Archive")).ToContainTextAsync("Revoked at the provider", new() { Timeout = 15_000 });
        var revocations = (await stage.SandboxLogAsync()).GetProperty("revocations").EnumerateArray()
            .Where(request => request.GetProperty("issuer").GetString() == "generic" && request.GetProperty("outcome").GetString() == "ok");
        Assert.NotEmpty(revocations);
    }

    [Fact]
    public async Task Portal_EmbeddedPersonAndPortalPerson_AreTwoPeople()
    {
        await stage.ForgetAsync("ana");
        await stage.ForgetAsync("corp-ana");
        await using var visit = await stage.VisitAsync();
        await (await visit.SkylineAsync("ana")).Dashboard.ConnectedAsync("ana");

        var portal = await visit.PortalAsync("ana");

        await Assertions.Expect(portal.Card("Skyline Lakehouse")).ToContainTextAsync("Not connected");
        Assert.Single(await stage.GrantsAsync("ana"));
        Assert.Empty(await stage.GrantsAsync("corp-ana"));
    }

    [Fact]
    public async Task SignOut_ThenOpenWorkbook_AsksToSignIn()
    {
        await using var visit = await stage.VisitAsync();
        var portal = await visit.PortalAsync("chloe");

        await portal.Page.GetByRole(AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();

        await portal.Page.GetByRole(AriaRole.Heading, new() { Name = "You are signed out" }).WaitForAsync();
        Assert.Equal(401, await portal.Page.EvaluateAsync<int>(
            "async () => (await fetch('/api/session', { headers: { 'X-Postern-Csrf': '1' } })).status"));
    }

    private static async Task<Dashboard> OpenWorkbookAsync(Visit visit)
    {
        var page = await visit.Context.NewPageAsync();
        await page.GotoAsync(visit.Addresses.Postern + "/workbooks/flight_delays");
        return new(page.Locator("postern-viewer"));
    }
}
