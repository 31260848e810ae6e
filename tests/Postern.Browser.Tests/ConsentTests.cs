using Microsoft.Playwright;
using Postern.Browser.Tests.Pages;
using Postern.Browser.Tests.Stage;

namespace Postern.Browser.Tests;

/// <summary>The person decides at the platform, and what they decide is what happens.</summary>
public sealed class ConsentTests(DemoStage stage)
{
    [Fact]
    public async Task Connect_PersonDenies_FrameSaysSoAndNothingIsStored()
    {
        await using var attempt = await Attempt.BeginAsync(stage);
        var dashboard = attempt.Dashboard;

        var popup = await dashboard.ConnectAsync();
        await popup.SignInAsync("ben");
        await popup.AnswerAsync(allow: false);

        Assert.Contains("You did not allow it", await dashboard.Problem.InnerTextAsync(), StringComparison.Ordinal);
        Assert.True(await dashboard.ConnectButton.IsEnabledAsync());
        await attempt.StoredNothingAsync("ConnectDenied", "access-denied");
    }

    [Fact]
    public async Task Connect_PersonUnticksSql_FrameNamesTheMissingPermissionAndNothingIsStored()
    {
        await using var attempt = await Attempt.BeginAsync(stage);
        var dashboard = attempt.Dashboard;

        var popup = await dashboard.ConnectAsync();
        await popup.SignInAsync("ben");
        await popup.UntickAsync("sql");
        await popup.AnswerAsync(allow: true);

        var problem = await dashboard.Problem.InnerTextAsync();
        Assert.Contains("A permission is missing", problem, StringComparison.Ordinal);
        Assert.Contains("sql", problem, StringComparison.Ordinal);
        await attempt.StoredNothingAsync("ConnectRefused", "scope-missing");
    }

    [Fact]
    public async Task Connect_PersonSignsInAsSomebodyElse_RefusedNamingBothAndNothingIsStored()
    {
        await using var attempt = await Attempt.BeginAsync(stage);
        var dashboard = attempt.Dashboard;

        await (await dashboard.ConnectAsync()).AllowAsync("ana");

        var problem = await dashboard.Problem.InnerTextAsync();
        Assert.Contains("somebody else", problem, StringComparison.Ordinal);
        Assert.Contains("ana@skyline.example", problem, StringComparison.Ordinal);
        Assert.Contains("ben@skyline.example", problem, StringComparison.Ordinal);
        Assert.Equal(0, await dashboard.Tile("Flights").CountAsync());
        await attempt.StoredNothingAsync("ConnectMismatched", "principal-mismatch");
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

    /// <summary>Ben, unconnected, before his dashboard; and what stood in the store before he began.</summary>
    private sealed class Attempt(DemoStage stage, Visit visit, Dashboard dashboard, int unconfirmed, int events) : IAsyncDisposable
    {
        public Dashboard Dashboard => dashboard;

        public static async Task<Attempt> BeginAsync(DemoStage stage)
        {
            await stage.ForgetAsync("ben");
            var unconfirmed = (await stage.GrantsAsync("ben", "unconfirmed")).Count;
            var events = (await stage.AuditAsync()).Count;
            var visit = await stage.VisitAsync();
            return new(stage, visit, (await visit.SkylineAsync("ben")).Dashboard, unconfirmed, events);
        }

        /// <summary>There is no grant, not even one that waits for its confirmation, and the refusal is an event.</summary>
        public async Task StoredNothingAsync(string kind, string code)
        {
            Assert.Empty(await stage.GrantsAsync("ben"));
            Assert.Equal(unconfirmed, (await stage.GrantsAsync("ben", "unconfirmed")).Count);
            await stage.RecordedAsync(kind, code, events);
        }

        public ValueTask DisposeAsync() => visit.DisposeAsync();
    }
}
