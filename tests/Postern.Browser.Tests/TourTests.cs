using Microsoft.Playwright;
using Postern.Browser.Tests.Pages;
using Postern.Browser.Tests.Stage;

namespace Postern.Browser.Tests;

/// <summary>Everything an honest person does, with a browser that keeps no third-party cookies and complains about nothing.</summary>
public sealed class TourTests(DemoStage stage)
{
    [Fact]
    public async Task Tour_OfEveryPage_NoPolicyViolationNoConsoleErrorNoThirdPartyCookie()
    {
        await stage.ForgetAsync("ana");
        await stage.ForgetAsync("corp-ana");
        await using var visit = await stage.VisitAsync();

        var skyline = await visit.SkylineAsync("ana");
        var dashboard = skyline.Dashboard;
        await dashboard.ConnectedAsync("ana");
        await dashboard.Tile("By origin state").Locator("pn-chart canvas, pn-chart svg").First.WaitForAsync();
        await dashboard.RowsAsync("By origin state");
        await dashboard.Viewer.GetByRole(AriaRole.Radio, new() { Name = "By week" }).CheckAsync();
        await dashboard.FigureAsync("Flights");
        var download = await skyline.Page.RunAndWaitForDownloadAsync(() =>
            dashboard.Tile("Busiest routes").GetByRole(AriaRole.Button, new() { Name = "Export CSV" }).ClickAsync());
        var csv = await File.ReadAllLinesAsync(await download.PathAsync());
        Assert.True(csv.Length > 100);

        var portal = await visit.PortalAsync("ana");
        await portal.ConnectedAsync("Skyline Lakehouse", "ana");
        await portal.ConnectedAsync("Flight Archive", "ana");
        await portal.Page.GotoAsync(visit.Addresses.Postern + "/workbooks/flight_delays");
        await new Dashboard(portal.Page.Locator("postern-viewer")).FigureAsync("Flights");

        await visit.Recorder.SettleAsync();
        Assert.Empty(visit.Recorder.Violations);
        Assert.Empty(visit.Recorder.Errors);
        var cookies = await visit.Context.CookiesAsync();
        Assert.All(cookies, cookie => Assert.True(cookie.HttpOnly, $"A script can read {cookie.Name}."));
        var frame = Assert.Single(cookies, cookie => cookie.Name == "__Host-postern-frame");
        Assert.NotNull(frame.PartitionKey);
        Assert.All(cookies.Where(cookie => cookie != frame), cookie => Assert.NotEqual(SameSiteAttribute.None, cookie.SameSite));
    }
}
