using Postern.Grants.Definitions;
using Postern.Grants.Leases;
using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Tests.Definitions;

/// <summary>What was taken out of the configuration is out of force at once, on every node, also on one that has not heard of it.</summary>
public sealed class RetirementTests
{
    private const string Challenge = "challenge-of-the-frame";
    private static readonly WorkbookId Sales = WorkbookId.Parse("sales");

    [Fact]
    public async Task RetiredConnection_StartsNoQuery_OnANodeThatHasNotHeard()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        var session = await rig.One.SignInAsync();
        var lease = (await rig.One.LeaseAsync(Rig.Lake)).Value();

        Assert.Equal(["connection/lake"], await RetireAsync(rig, rig.AddNode("two"), DefinitionKind.Connection, "grace", "steady", "service"));

        var refused = (await rig.One.Desk.StartAsync(lease, session, new byte[32], Rig.Cancellation)).Refused(RefusalKind.Conflict);
        Assert.Equal("connection-changed", refused.Code);
        Assert.Empty(rig.One.Events.Of(EventKind.QueryStarted));
    }

    [Fact]
    public async Task RetiredConnection_StopsItsRunningQueriesAndNoOthers_WithinASecond()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        await rig.GrantAsync(Rig.Grace);
        var session = await rig.One.SignInAsync();
        await rig.One.StartFeedAsync();
        await rig.One.StartAsync(rig.One.Get<OpenRuns>());
        await using var run = await rig.One.RunAsync(Rig.Lake, session);
        await using var other = await rig.One.RunAsync(Rig.Grace, session);

        await RetireAsync(rig, rig.AddNode("two"), DefinitionKind.Connection, "grace", "steady", "service");
        var retired = rig.Now;
        await rig.UntilAsync(() => Task.FromResult(run.Stopped.IsCancellationRequested));

        Assert.Equal("retired", run.StopReason);
        Assert.True(rig.Now - retired < TimeSpan.FromSeconds(1), $"{rig.Now - retired}");
        Assert.False(other.Stopped.IsCancellationRequested);
    }

    [Fact]
    public async Task RetiredConnection_IsUnknownAndItsEventNamesWho()
    {
        await using var rig = await Rig.StartAsync();

        await RetireAsync(rig, rig.One, DefinitionKind.Connection, "grace", "steady", "service");

        var found = await rig.One.Desk.Definitions.ConnectionAsync(Rig.Acme, Rig.Lake, Rig.Cancellation);
        Assert.Equal("connection-unknown", found.Refused(RefusalKind.NotFound).Code);
        var told = rig.One.Events.Of(EventKind.DefinitionChanged)[^1];
        Assert.Equal(("test", "connection/lake", "2", "yes"), (told.Actor, told.Facts["definition"], told.Facts["revision"], told.Facts["retired"]));
    }

    [Fact]
    public async Task RetiredEmbedKey_EndsItsFrames_AndAnUnusedCodeBuysNothing()
    {
        await using var rig = await Rig.StartAsync();
        var used = await CodeAsync(rig);
        var unused = await CodeAsync(rig);
        var opened = (await rig.One.Desk.Sessions.RedeemCodeAsync(Rig.Acme, used.Reveal(), Challenge, Rig.Cancellation)).Value();
        var portal = await rig.One.SignInAsync();

        Assert.Equal(["embed-key/host"], await RetireAsync(rig, rig.AddNode("two"), DefinitionKind.EmbedKey));

        Assert.Null(await rig.One.Desk.Sessions.FindAsync(Rig.Acme, opened.Cookie.Reveal(), SessionKind.Frame, Rig.Cancellation));
        (await rig.One.Desk.Sessions.RedeemCodeAsync(Rig.Acme, unused.Reveal(), Challenge, Rig.Cancellation)).Refused(RefusalKind.Unauthenticated);
        Assert.Equal("retired", rig.One.Events.Of(EventKind.FrameRefused)[^1].Code);
        Assert.True((await rig.One.Store.Sessions.FindAsync(Rig.Acme, portal.Id, Rig.Cancellation))!.EndedAt is null, "the portal's session rests on no key");
    }

    [Fact]
    public async Task RetiredWorkbook_EndsItsFrames_AndStartsNoQuery()
    {
        await using var rig = await Rig.StartAsync();
        await rig.One.Desk.Definitions.PutAsync(Rig.Acme, new(DefinitionKind.Workbook, "sales", "{}"), "test", Rig.Cancellation);
        await rig.GrantAsync(Rig.Service);
        var opened = (await rig.One.Desk.Sessions.RedeemCodeAsync(Rig.Acme, (await CodeAsync(rig)).Reveal(), Challenge, Rig.Cancellation)).Value();
        var portal = await rig.One.SignInAsync();
        await (await rig.One.RunAsync(Rig.Service, portal)).DisposeAsync();
        var lease = (await rig.One.LeaseAsync(Rig.Service)).Value();

        Assert.Equal(["workbook/sales"], await RetireAsync(rig, rig.AddNode("two"), DefinitionKind.Workbook));

        Assert.Null(await rig.One.Desk.Sessions.FindAsync(Rig.Acme, opened.Cookie.Reveal(), SessionKind.Frame, Rig.Cancellation));
        (await rig.One.Desk.StartAsync(lease, portal, new byte[32], Rig.Cancellation)).Refused(RefusalKind.Conflict);
    }

    [Fact]
    public async Task RetiredTenant_HasNoHostAndNoSession()
    {
        await using var rig = await Rig.StartAsync();
        var opened = await rig.One.Desk.Sessions.OpenPortalAsync(Rig.Ana, null, Rig.Cancellation);

        await RetireAsync(rig, rig.AddNode("two"), DefinitionKind.Tenant);

        Assert.Null(await rig.One.Desk.Sessions.FindAsync(Rig.Acme, opened.Cookie.Reveal(), SessionKind.Portal, Rig.Cancellation));
        rig.One.Desk.Definitions.OnMissed();
        Assert.Null(await rig.One.Desk.Definitions.TenantOfHostAsync("acme.test", Rig.Cancellation));
        Assert.Empty(await rig.One.Desk.Definitions.TenantsOfMakerAsync("test", Rig.Cancellation));
    }

    [Fact]
    public async Task Retire_LeavesWhatSomebodyElseMade()
    {
        await using var rig = await Rig.StartAsync();
        var book = rig.One.Desk.Definitions;
        await book.PutAsync(Rig.Acme, new(DefinitionKind.Workbook, "by_hand", "{}"), "operator:olga", Rig.Cancellation);
        await book.PutAsync(Rig.Acme, new(DefinitionKind.Workbook, "by_file", "{}"), "test", Rig.Cancellation);

        Assert.Equal(["workbook/by_file"], await RetireAsync(rig, rig.One, DefinitionKind.Workbook));

        var left = Assert.Single(await book.RowsAsync(Rig.Acme, DefinitionKind.Workbook, Rig.Cancellation));
        Assert.Equal(("by_hand", "operator:olga"), (left.Name, left.MadeBy));
    }

    [Fact]
    public async Task Seed_OfWhatWasRetired_BringsItBackAsANewRevision()
    {
        await using var rig = await Rig.StartAsync();
        await RetireAsync(rig, rig.One, DefinitionKind.Connection, "grace", "steady", "service");

        Assert.Equal(["connection/lake"], await rig.One.Desk.Definitions.SeedAsync(rig.Seed(), "test", Rig.Cancellation));

        Assert.Equal(3, (await rig.One.ConnectionAsync(Rig.Lake)).Revision);
        Assert.Empty(await RetireAsync(rig, rig.One, DefinitionKind.Connection, "lake", "grace", "steady", "service"));
    }

    [Theory]
    [InlineData("UPDATE definitions SET body = '' WHERE kind = 2 AND name = 'lake'")]
    [InlineData("UPDATE definitions SET made_by = 'operator:olga' WHERE kind = 2 AND name = 'lake'")]
    public async Task RetirementOrMaker_EditedInTheDatabase_IsNotBelieved(string edit)
    {
        await using var rig = await Rig.StartAsync();
        Assert.Equal(1, await rig.SqlAsync(edit));

        var found = await rig.AddNode("two").Desk.Definitions.ConnectionAsync(Rig.Acme, Rig.Lake, Rig.Cancellation);

        Assert.Equal("definition-tampered", found.Refused(RefusalKind.Unavailable).Code);
    }

    private static Task<IReadOnlyList<string>> RetireAsync(Rig rig, TestNode node, DefinitionKind kind, params string[] kept) =>
        node.Desk.Definitions.RetireOthersAsync(
            rig.Seed().Tenant.Id, new Dictionary<DefinitionKind, IReadOnlySet<string>> { [kind] = kept.ToHashSet() }, "test", Rig.Cancellation);

    private static Task<SecretText> CodeAsync(Rig rig) => rig.One.Desk.Sessions.IssueCodeAsync(
        rig.Seed().EmbedKeys[0], Rig.Ana, Sales, "https://host.test", Challenge, Rig.Cancellation);
}
