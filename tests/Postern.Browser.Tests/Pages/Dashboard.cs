using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace Postern.Browser.Tests.Pages;

/// <summary>
/// <c>&lt;postern-viewer&gt;</c>, wherever it is: in Skyline's frame or at top level in the portal. Playwright's selectors look through
/// open shadow roots.
/// </summary>
public sealed class Dashboard(ILocator viewer)
{
    public ILocator Viewer => viewer;

    public ILocator ConnectButton => viewer.GetByRole(AriaRole.Button, new() { NameRegex = new Regex("^(Connect|Reconnect) to ") });

    public ILocator Problem => viewer.Locator(".notice.bad");

    public ILocator Heading => viewer.Locator(".gate h2");

    public ILocator Tile(string title) => viewer.Locator("pn-tile").Filter(new() { Has = viewer.Page.GetByRole(AriaRole.Heading, new() { Name = title, Exact = true }) });

    /// <summary>The number of a value tile, when it has one and nothing loads any more.</summary>
    public async Task<double> FigureAsync(string title)
    {
        var figure = Tile(title).Locator("article[aria-busy=false] pn-value .figure");
        await figure.WaitForAsync();
        return double.Parse((await figure.InnerTextAsync()).Trim('%'), NumberStyles.Number, CultureInfo.InvariantCulture);
    }

    /// <summary>Chooses the period; both ends are dates, the second one as the control shows it.</summary>
    public async Task ChooseAsync(string label, string value)
    {
        var field = viewer.GetByLabel(label, new() { Exact = true });
        await field.FillAsync(value);
        await field.BlurAsync();
    }

    /// <summary>All rows of a tile's table; a chart is turned into one first. Scrolls, because only what is in view is in the page.</summary>
    public async Task<IReadOnlyList<IReadOnlyList<string>>> RowsAsync(string title)
    {
        var tile = Tile(title);
        var asTable = tile.GetByRole(AriaRole.Button, new() { Name = "Show as table" });
        await tile.Locator("article[aria-busy=false]").WaitForAsync();
        await tile.Locator("pn-table, pn-chart").First.WaitForAsync();
        if (await asTable.CountAsync() > 0 && await asTable.GetAttributeAsync("aria-pressed") == "false")
            await asTable.ClickAsync();
        var table = tile.Locator("pn-table");
        await table.Locator("tbody tr[aria-rowindex]").First.WaitForAsync();
        return await table.EvaluateAsync<string[][]>("""
            async (table) => {
              const scroller = table.shadowRoot.querySelector(".scroll");
              const rows = new Map();
              for (let top = 0; ; top += Math.max(40, scroller.clientHeight / 2)) {
                scroller.scrollTop = top;
                for (let frames = 0; frames < 3; frames++) await new Promise(requestAnimationFrame);
                await table.updateComplete;
                for (const row of table.shadowRoot.querySelectorAll("tbody tr[aria-rowindex]"))
                  rows.set(Number(row.getAttribute("aria-rowindex")), [...row.cells].map((cell) => cell.textContent.trim()));
                if (top + scroller.clientHeight >= scroller.scrollHeight) break;
              }
              return [...rows].sort(([a], [b]) => a - b).map(([, cells]) => cells);
            }
            """);
    }

    /// <summary>Opens the popup of a connect.</summary>
    public async Task<ConnectPopup> ConnectAsync() => new(await viewer.Page.RunAndWaitForPopupAsync(() => ConnectButton.ClickAsync()));

    /// <summary>Connects as this person and returns when the first figure is there.</summary>
    public async Task ConnectedAsync(string person, string tile = "Flights")
    {
        await (await ConnectAsync()).AllowAsync(person);
        await FigureAsync(tile);
    }
}
