using Microsoft.Playwright;

namespace Postern.Browser.Tests.Pages;

/// <summary>My connections.</summary>
public sealed class PortalPage(IPage page)
{
    public IPage Page => page;

    public ILocator Card(string connection) =>
        page.Locator("pn-connection article").Filter(new() { Has = page.GetByRole(AriaRole.Heading, new() { Name = connection, Exact = true }) });

    public async Task<ConnectPopup> ConnectAsync(string connection) => new(await page.RunAndWaitForPopupAsync(
        () => Card(connection).GetByRole(AriaRole.Button, new() { Name = "Connect" }).ClickAsync()));

    public async Task ConnectedAsync(string connection, string person)
    {
        await (await ConnectAsync(connection)).AllowAsync(person);
        await Card(connection).GetByText("Connected", new() { Exact = true }).WaitForAsync();
    }

    /// <summary>Asks to revoke and says what the dialog warns of; <see cref="ConfirmRevokeAsync"/> does it.</summary>
    public async Task<string> AskRevokeAsync(string connection)
    {
        await Card(connection).GetByRole(AriaRole.Button, new() { Name = "Revoke" }).ClickAsync();
        return string.Join('\n', await page.Locator("pn-confirm p").AllInnerTextsAsync());
    }

    public Task ConfirmRevokeAsync() => page.Locator("pn-confirm").GetByRole(AriaRole.Button, new() { Name = "Revoke" }).ClickAsync();

    public ILocator Outcome(string connection) => Card(connection).Locator(".notice");
}
