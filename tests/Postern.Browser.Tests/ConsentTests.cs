using Microsoft.Playwright;
using Postern.Browser.Tests.Stage;

namespace Postern.Browser.Tests;

/// <summary>The person decides at the platform, and what they decide is what happens.</summary>
public sealed class ConsentTests(DemoStage stage)
{
    [Fact]
    public async Task Connect_PersonDenies_FrameSaysSoAndNothingIsStored()
    {
        await stage.ForgetAsync("ben");
        var unconfirmed = (await stage.GrantsAsync("ben", "unconfirmed")).Count;
        var before = (await stage.AuditAsync()).Count;
        await using var visit = await stage.VisitAsync();
        var dashboard = (await visit.SkylineAsync("ben")).Dashboard;

        var popup = await dashboard.ConnectAsync();
        await popup.SignInAsync("ben");
        await popup.AnswerAsync(allow: false);

        Assert.Contains("You did not allow it", await dashboard.Problem.InnerTextAsync(), StringComparison.Ordinal);
        Assert.True(await dashboard.ConnectButton.IsEnabledAsync());
        Assert.Empty(await stage.GrantsAsync("ben"));
        Assert.Equal(unconfirmed, (await stage.GrantsAsync("ben", "unconfirmed")).Count);
        await stage.RecordedAsync("ConnectDenied", "access-denied", before);
    }

    [Fact]
    public async Task Connect_PersonUnticksSql_FrameNamesTheMissingPermissionAndNothingIsStored()
    {
        await stage.ForgetAsync("ben");
        var unconfirmed = (await stage.GrantsAsync("ben", "unconfirmed")).Count;
        var before = (await stage.AuditAsync()).Count;
        await using var visit = await stage.VisitAsync();
        var dashboard = (await visit.SkylineAsync("ben")).Dashboard;

        var popup = await dashboard.ConnectAsync();
        await popup.SignInAsync("ben");
        await popup.UntickAsync("sql");
        await popup.AnswerAsync(allow: true);

        var problem = await dashboard.Problem.InnerTextAsync();
        Assert.Contains("A permission is missing", problem, StringComparison.Ordinal);
        Assert.Contains("sql", problem, StringComparison.Ordinal);
        Assert.Empty(await stage.GrantsAsync("ben"));
        Assert.Equal(unconfirmed, (await stage.GrantsAsync("ben", "unconfirmed")).Count);
        await stage.RecordedAsync("ConnectRefused", "scope-missing", before);
    }

    [Fact]
    public async Task Connect_PersonSignsInAsSomebodyElse_RefusedNamingBothAndNothingIsStored()
    {
        await stage.ForgetAsync("ben");
        var unconfirmed = (await stage.GrantsAsync("ben", "unconfirmed")).Count;
        var before = (await stage.AuditAsync()).Count;
        await using var visit = await stage.VisitAsync();
        var dashboard = (await visit.SkylineAsync("ben")).Dashboard;

        await (await dashboard.ConnectAsync()).AllowAsync("ana");

        var problem = await dashboard.Problem.InnerTextAsync();
        Assert.Contains("somebody else", problem, StringComparison.Ordinal);
        Assert.Contains("ana@skyline.example", problem, StringComparison.Ordinal);
        Assert.Contains("ben@skyline.example", problem, StringComparison.Ordinal);
        Assert.Equal(0, await dashboard.Tile("Flights").CountAsync());
        Assert.Empty(await stage.GrantsAsync("ben"));
        Assert.Equal(unconfirmed, (await stage.GrantsAsync("ben", "unconfirmed")).Count);
        await stage.RecordedAsync("ConnectMismatched", "principal-mismatch", before);
    }

    [Fact]
    public async Task Connect_PopupClosed_FrameOffersToConnectAgain()
    {
        await stage.ForgetAsync("ben");
        await using var visit = await stage.VisitAsync();
        var dashboard = (await visit.SkylineAsync("ben")).Dashboard;

        var popup = await dashboard.ConnectAsync();
        await popup.IntroducedAsync();
        await popup.Page.CloseAsync();

        await Assertions.Expect(dashboard.ConnectButton).ToBeVisibleAsync();
        Assert.Empty(await stage.GrantsAsync("ben"));
    }
}
