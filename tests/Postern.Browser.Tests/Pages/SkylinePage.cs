using Microsoft.Playwright;

namespace Postern.Browser.Tests.Pages;

/// <summary>A report of Skyline with the embedded workbook.</summary>
public sealed class SkylinePage(IPage page)
{
    public IPage Page => page;

    public Dashboard Dashboard { get; } = new(page.FrameLocator("postern-workbook iframe").Locator("postern-viewer"));

    /// <summary>The frame's document.</summary>
    public async Task<IFrame> FrameAsync() =>
        (await (await page.Locator("postern-workbook iframe").ElementHandleAsync()).ContentFrameAsync())!;
}
