using Microsoft.Playwright;
using Postern.Browser.Tests.Pages;
using Postern.Browser.Tests.Stage;

namespace Postern.Browser.Tests;

/// <summary>
/// Pictures of every page (<c>artifacts/screenshots</c>), and what can be judged of them without eyes: nothing sticks out sideways,
/// and assistive technology finds its way (axe-core, WCAG 2.2 AA).
/// </summary>
public sealed class AppearanceTests(DemoStage stage)
{
    private static readonly string Axe = File.ReadAllText(Checkout.At("web", "node_modules", "axe-core", "axe.min.js"));

    [Theory]
    [InlineData(ColorScheme.Light, 1280)]
    [InlineData(ColorScheme.Light, 390)]
    [InlineData(ColorScheme.Dark, 1280)]
    [InlineData(ColorScheme.Dark, 390)]
    public async Task EveryPage_SchemeAndWidth_FitsAndIsAccessible(ColorScheme scheme, int width)
    {
        await stage.ForgetAsync("chloe");
        await stage.ForgetAsync("corp-chloe");
        await using var visit = await stage.VisitAsync(scheme, width);
        var album = new Album(scheme, width);

        var host = await visit.Context.NewPageAsync();
        await host.GotoAsync(visit.Addresses.Skyline);
        await album.TakeAsync(host, "skyline-sign-in", judge: false);
        await host.CloseAsync();

        var skyline = await visit.SkylineAsync("chloe");
        await skyline.Dashboard.ConnectButton.WaitForAsync();
        await album.TakeAsync(skyline.Page, "dashboard-connect", await skyline.FrameAsync());
        var popup = await skyline.Dashboard.ConnectAsync();
        await popup.IntroducedAsync();
        await album.TakeAsync(popup.Page, "connect-popup");
        await popup.Page.GetByRole(AriaRole.Button, new() { Name = "Continue to" }).ClickAsync();
        await popup.Page.Locator("button[name=user]").First.WaitForAsync();
        await album.TakeAsync(popup.Page, "platform-sign-in", judge: false);
        await popup.Page.Locator("button[name=user][value=chloe]").ClickAsync();
        await popup.Page.Locator("button[value=allow]").WaitForAsync();
        await album.TakeAsync(popup.Page, "platform-consent", judge: false);
        await popup.AnswerAsync(allow: true);
        await DrawnAsync(skyline.Dashboard);
        await album.TakeAsync(skyline.Page, "dashboard", await skyline.FrameAsync());
        await skyline.Page.CloseAsync();

        var portal = await visit.PortalAsync("chloe");
        await portal.ConnectedAsync("Skyline Lakehouse", "chloe");
        await album.TakeAsync(portal.Page, "portal");
        var archive = await portal.ConnectAsync("Flight Archive");
        await archive.IntroducedAsync();
        await album.TakeAsync(archive.Page, "connect-popup-agreement");
        await archive.Page.CloseAsync();
        await portal.AskRevokeAsync("Skyline Lakehouse");
        await album.TakeAsync(portal.Page, "portal-revoke");
        await portal.ConfirmRevokeAsync();
        await portal.Outcome("Skyline Lakehouse").WaitForAsync();
        await album.TakeAsync(portal.Page, "portal-revoked");

        await album.OpenAsync(portal.Page, visit.Addresses.Postern + "/workbooks/flight_delays", "workbook-revoked", portal.Page.Locator(".gate h2"));
        await album.OpenAsync(portal.Page, visit.Addresses.Postern + "/connect", "connect-without-opener", portal.Page.Locator("h1"));
        await album.OpenAsync(portal.Page, visit.Addresses.Postern + "/oauth/callback?state=unknown&code=unknown", "callback-refused", portal.Page.Locator("h1"));
        await album.OpenAsync(portal.Page, visit.Addresses.Postern + "/embed/flight_delays", "embed-on-its-own", portal.Page.Locator("h1"));

        await using var partner = await stage.VisitAsync(scheme, width);
        var partners = await partner.SkylineAsync("pat");
        await partners.Dashboard.FigureAsync("Departures");
        await partners.Dashboard.Tile("Average delay by airport").Locator("pn-chart canvas, pn-chart svg").First.WaitForAsync();
        await album.TakeAsync(partners.Page, "dashboard-partner", await partners.FrameAsync());

        Assert.Empty(album.Findings);
    }

    private static async Task DrawnAsync(Dashboard dashboard)
    {
        await dashboard.FigureAsync("Flights");
        await dashboard.Tile("By origin state").Locator("pn-chart canvas, pn-chart svg").First.WaitForAsync();
        await dashboard.Tile("Busiest routes").Locator("pn-table").WaitForAsync();
        await dashboard.Tile("Average delay over time").Locator("pn-chart canvas, pn-chart svg").First.WaitForAsync();
    }

    /// <summary>Takes the pictures of one combination and keeps what is wrong with them.</summary>
    private sealed class Album(ColorScheme scheme, int width)
    {
        private readonly List<string> findings = [];

        public IReadOnlyList<string> Findings => findings;

        public async Task OpenAsync(IPage page, string url, string name, ILocator shown)
        {
            await page.GotoAsync(url);
            await shown.First.WaitForAsync();
            await TakeAsync(page, name);
        }

        /// <param name="frame">The document to judge, when it is not the page's own.</param>
        /// <param name="judge">False for pages that are not Postern's.</param>
        public async Task TakeAsync(IPage page, string name, IFrame? frame = null, bool judge = true)
        {
            // As high as the page: what a frame has below the window's edge is not painted, whatever the picture's height.
            await page.SetViewportSizeAsync(width, Math.Max(900, await page.EvaluateAsync<int>("() => document.documentElement.scrollHeight")));
            await page.ScreenshotAsync(new()
            {
                Path = Checkout.At("artifacts", "screenshots", $"{name}-{scheme.ToString().ToUpperInvariant()}-{width}.png"),
                FullPage = true,
                Animations = ScreenshotAnimations.Disabled,
            });
            await page.SetViewportSizeAsync(width, 900);
            if (!judge)
                return;
            var document = frame ?? page.MainFrame;
            var wide = await document.EvaluateAsync<int>("() => document.documentElement.scrollWidth - innerWidth");
            if (wide > 0)
                findings.Add($"{name} {scheme} {width}: {wide} pixels too wide");
            await document.EvaluateAsync(Axe);
            findings.AddRange((await document.EvaluateAsync<string[]>("""
                async () => {
                  const { violations } = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
                  return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
                    .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ target, failureSummary }) => `${JSON.stringify(target)} ${failureSummary}`).join(" | ")}`);
                }
                """)).Select(finding => $"{name} {scheme} {width}: {finding}"));
        }
    }
}
