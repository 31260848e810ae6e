using Microsoft.Playwright;

namespace Postern.Browser.Tests.Pages;

/// <summary>The popup of a connect, from the introduction to the platform's consent.</summary>
public sealed class ConnectPopup(IPage page)
{
    public IPage Page => page;

    /// <summary>Goes on to the platform and signs in there, where nobody is signed in yet.</summary>
    public async Task SignInAsync(string person)
    {
        if (await page.GetByRole(AriaRole.Checkbox, new() { Name = "I have read the agreement" }).IsVisibleAsync())
            await page.GetByRole(AriaRole.Checkbox, new() { Name = "I have read the agreement" }).CheckAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Continue to" }).ClickAsync();
        var people = page.Locator($"button[name=user][value={person}]");
        var consent = page.Locator("button[value=allow]");
        await people.Or(consent).First.WaitForAsync();
        if (await people.IsVisibleAsync())
            await people.ClickAsync();
        await consent.WaitForAsync();
    }

    /// <summary>Leaves a scope out.</summary>
    public Task UntickAsync(string scope) => page.Locator($"#scope-{scope}").UncheckAsync();

    /// <summary>Answers the consent page and returns when the popup has closed itself.</summary>
    public async Task AnswerAsync(bool allow)
    {
        var closed = new TaskCompletionSource();
        page.Close += (_, _) => closed.TrySetResult();
        await page.Locator($"button[value={(allow ? "allow" : "deny")}]").ClickAsync();
        await closed.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    /// <summary>The whole way.</summary>
    public async Task AllowAsync(string person)
    {
        await IntroducedAsync();
        await SignInAsync(person);
        await AnswerAsync(allow: true);
    }

    /// <summary>Returns when the popup says who connects what.</summary>
    public Task IntroducedAsync() => page.GetByRole(AriaRole.Button, new() { Name = "Continue to" }).WaitForAsync();
}
