using Microsoft.Playwright;
using Postern.Browser.Tests.Evidence;
using Postern.Browser.Tests.Pages;

namespace Postern.Browser.Tests.Stage;

/// <summary>One person's browser: a context with its own cookies, recorded from the first request to the last.</summary>
public sealed class Visit : IAsyncDisposable
{
    private Visit(IBrowserContext context, Recorder recorder, DemoStage stage)
    {
        Context = context;
        Recorder = recorder;
        Stage = stage;
    }

    public IBrowserContext Context { get; }

    public Recorder Recorder { get; }

    public DemoStage Stage { get; }

    public DemoConfiguration Addresses => Stage.Addresses;

    public static async Task<Visit> BeginAsync(IBrowserContext context, DemoStage stage)
    {
        context.SetDefaultTimeout(30_000);
        return new(context, await Recorder.AttachAsync(context, stage.Seen), stage);
    }

    /// <summary>Signs in at Skyline and opens the person's report.</summary>
    public async Task<SkylinePage> SkylineAsync(string person)
    {
        var page = await Context.NewPageAsync();
        await page.GotoAsync(Addresses.Skyline + "/");
        await page.Locator($"button[name=person][value={person}]").ClickAsync();
        return new(page);
    }

    /// <summary>Signs in to the portal.</summary>
    public async Task<PortalPage> PortalAsync(string person)
    {
        var page = await Context.NewPageAsync();
        await page.GotoAsync(Addresses.Postern + "/");
        await page.Locator($"button[name=user][value={person}]").ClickAsync();
        await page.GetByRole(AriaRole.Heading, new() { Name = "My connections" }).WaitForAsync();
        return new(page);
    }

    /// <summary>What scripts of this browser could read of what it keeps.</summary>
    private async Task KeepStorageAsync()
    {
        foreach (var page in Context.Pages)
        {
            foreach (var frame in page.Frames)
            {
                try
                {
                    Stage.Seen.Add(Place.Storage, frame.Url, await frame.EvaluateAsync<string>(
                        "() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, window.name, history.state])"));
                }
                catch (PlaywrightException)
                {
                    // An error page of the browser keeps nothing.
                }
            }
        }
        Stage.Seen.Add(Place.Storage, "storage state", string.Join('\n', (await Context.CookiesAsync())
            .Where(cookie => !cookie.HttpOnly).Select(cookie => $"{cookie.Domain} {cookie.Name}={cookie.Value}")));
    }

    /// <summary>How every page looked at the end, next to the logs: what a failed journey saw.</summary>
    private async Task KeepPicturesAsync()
    {
        var journey = string.Concat((TestContext.Current.Test?.TestDisplayName ?? "journey").Select(letter => char.IsLetterOrDigit(letter) ? letter : '-'));
        for (var number = 0; number < Context.Pages.Count; number++)
        {
            try
            {
                await Context.Pages[number].ScreenshotAsync(new() { Path = Checkout.At("artifacts", "test-logs", "pages", $"{journey}-{number}.png"), Timeout = 5_000 });
            }
            catch (Exception error) when (error is PlaywrightException or TimeoutException)
            {
                // A page that is closing has no picture.
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await KeepStorageAsync();
        await KeepPicturesAsync();
        await Recorder.SettleAsync();
        await Context.DisposeAsync();
        Assert.Empty(Recorder.Violations);
    }
}
