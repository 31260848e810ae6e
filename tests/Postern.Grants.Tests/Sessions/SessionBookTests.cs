using Postern.Grants.Sessions;
using Postern.Grants.Tests.Support;
using Postern.Model;

namespace Postern.Grants.Tests.Sessions;

public sealed class SessionBookTests
{
    private const string Challenge = "challenge-of-this-frame";
    private static readonly WorkbookId Sales = WorkbookId.Parse("sales");

    [Fact]
    public async Task Session_OfItsCookie_IsFoundOnEveryNode()
    {
        await using var rig = await Rig.StartAsync();
        var two = rig.AddNode("two");
        var opened = await OpenAsync(rig);

        var found = await two.Desk.Sessions.FindAsync(Rig.Acme, opened.Cookie.Reveal(), SessionKind.Portal, Rig.Cancellation);

        Assert.Equal(Rig.Ana.Key, found!.Subject.Key);
        Assert.Equal("ana@acme.test", found.Subject.Email);
        Assert.Null(await two.Desk.Sessions.FindAsync(Rig.Acme, opened.Cookie.Reveal(), SessionKind.Frame, Rig.Cancellation));
        Assert.Null(await two.Desk.Sessions.FindAsync(TenantId.Parse("other"), opened.Cookie.Reveal(), SessionKind.Portal, Rig.Cancellation));
    }

    public static TheoryData<string> Edits() =>
    [
        "subject_id = 'admin'",
        "subject_authority = 'https://other.test'",
        """attributes = '{"email":["admin@acme.test"]}'""",
        "workbook = 'other'",
        "embed_key = 'other'",
        "origin = 'https://evil.test'",
        "absolute_expires_at = absolute_expires_at + 86400000",
        "idle_expires_at = idle_expires_at + 1",
        "created_at = created_at + 1",
        "mac = zeroblob(64)",
    ];

    [Theory]
    [MemberData(nameof(Edits))]
    public async Task SessionRow_EditedInTheDatabase_IsNoSessionButAnEvent(string edit)
    {
        await using var rig = await Rig.StartAsync();
        var opened = await OpenAsync(rig);
        await rig.SqlAsync($"UPDATE sessions SET {edit}");

        Assert.Null(await rig.One.Desk.Sessions.FindAsync(Rig.Acme, opened.Cookie.Reveal(), SessionKind.Portal, Rig.Cancellation));

        Assert.Single(rig.One.Events.Of(EventKind.SessionRefused));
    }

    [Fact]
    public async Task SessionRow_WhoseEndIsTakenBackInTheDatabase_IsNoSessionButAnEvent()
    {
        await using var rig = await Rig.StartAsync();
        var opened = await OpenAsync(rig);
        await rig.One.Desk.Sessions.EndAsync(opened.Session, Rig.Cancellation);
        Assert.Equal(1, await rig.SqlAsync("UPDATE sessions SET ended_at = NULL"));

        Assert.Null(await FindAsync(rig, opened));

        Assert.Single(rig.One.Events.Of(EventKind.SessionRefused));
    }

    [Fact]
    public async Task SessionMac_OfAnotherSession_DoesNotFit()
    {
        await using var rig = await Rig.StartAsync();
        var opened = await OpenAsync(rig);
        var other = await OpenAsync(rig);
        await rig.SqlAsync("UPDATE sessions SET mac = (SELECT mac FROM sessions WHERE id_hash = @other) WHERE id_hash = @mine",
            new { other = other.Session.Id.Hex, mine = opened.Session.Id.Hex });

        Assert.Null(await rig.One.Desk.Sessions.FindAsync(Rig.Acme, opened.Cookie.Reveal(), SessionKind.Portal, Rig.Cancellation));
    }

    [Fact]
    public async Task Session_ThatIsUsed_LastsBeyondItsIdleTimeButNotItsAbsoluteEnd()
    {
        await using var rig = await Rig.StartAsync();
        var used = await OpenAsync(rig);
        var idle = await OpenAsync(rig);
        for (var minutes = 0; minutes < 12 * 60 - 20; minutes += 20)
        {
            rig.Clock.Advance(TimeSpan.FromMinutes(20));
            Assert.NotNull(await FindAsync(rig, used));
        }

        Assert.Null(await FindAsync(rig, idle));
        rig.Clock.Advance(TimeSpan.FromMinutes(20));
        Assert.Null(await FindAsync(rig, used));
    }

    [Fact]
    public async Task SignIn_OverAnotherSession_EndsThatOne()
    {
        await using var rig = await Rig.StartAsync();
        var before = await OpenAsync(rig);

        var after = await rig.One.Desk.Sessions.OpenPortalAsync(Rig.Ben, before.Session, Rig.Cancellation);

        Assert.Null(await FindAsync(rig, before));
        Assert.Equal(Rig.Ben.Key, (await FindAsync(rig, after))!.Subject.Key);
    }

    [Fact]
    public async Task EmbedCode_WithItsNonce_OpensOneFrameOnce()
    {
        await using var rig = await Rig.StartAsync();
        var code = await IssueAsync(rig);

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => RedeemAsync(rig, code))));

        var opened = Assert.Single(outcomes, outcome => outcome.Refusal is null).Value();
        Assert.Equal((SessionKind.Frame, Sales, "https://host.test"), (opened.Session.Kind, opened.Session.Workbook!.Value, opened.Session.Origin));
        Assert.NotNull(await rig.One.Desk.Sessions.FindAsync(Rig.Acme, opened.Cookie.Reveal(), SessionKind.Frame, Rig.Cancellation));
        (await RedeemAsync(rig, code)).Refused(RefusalKind.Unauthenticated);
        Assert.Contains("used", rig.One.Events.Of(EventKind.FrameRefused).Select(e => e.Code));
    }

    [Fact]
    public async Task EmbedCode_WithAnotherNonce_IsRefusedAndStaysGoodForItsOwn()
    {
        await using var rig = await Rig.StartAsync();
        var code = await IssueAsync(rig);

        (await rig.One.Desk.Sessions.RedeemCodeAsync(Rig.Acme, code, "challenge-of-a-thief", Rig.Cancellation)).Refused(RefusalKind.Unauthenticated);

        Assert.Equal("nonce", Assert.Single(rig.One.Events.Of(EventKind.FrameRefused)).Code);
        (await RedeemAsync(rig, code)).Value();
    }

    [Fact]
    public async Task EmbedCode_AfterAMinute_OrInvented_IsRefusedInTheSameWords()
    {
        await using var rig = await Rig.StartAsync();
        var code = await IssueAsync(rig);
        rig.Clock.Advance(TimeSpan.FromSeconds(61));

        var late = (await RedeemAsync(rig, code)).Refused(RefusalKind.Unauthenticated);
        var invented = (await RedeemAsync(rig, new string('x', 43))).Refused(RefusalKind.Unauthenticated);

        Assert.Equal(late, invented);
        Assert.Equal(["late", "unknown"], rig.One.Events.Of(EventKind.FrameRefused).Select(e => e.Code));
    }

    public static TheoryData<string> CodeEdits() =>
    [
        "subject_id = 'ben'",
        "subject_authority = 'https://idp.test'",
        "embed_key = 'other'",
        """attributes = '{"email":["admin@acme.test"]}'""",
        "workbook = 'other'",
        "origin = 'https://evil.test'",
        "expires_at = expires_at + 86400000",
        "mac = NULL",
        "mac = zeroblob(51)",
    ];

    [Theory]
    [MemberData(nameof(CodeEdits))]
    public async Task EmbedCode_EditedInTheDatabase_OpensNoFrameAndIsAnEvent(string edit)
    {
        await using var rig = await Rig.StartAsync();
        var code = await IssueAsync(rig);
        Assert.Equal(1, await rig.SqlAsync($"UPDATE embed_codes SET {edit}"));

        Assert.Equal("embed-code", (await RedeemAsync(rig, code)).Refused(RefusalKind.Unauthenticated).Code);

        Assert.Equal("embed_codes", Assert.Single(rig.One.Events.Of(EventKind.RowTampered)).Facts["table"]);
        Assert.Equal("tampered", Assert.Single(rig.One.Events.Of(EventKind.FrameRefused)).Code);
        Assert.Empty(rig.One.Events.Of(EventKind.FrameOpened));
    }

    [Fact]
    public async Task EmbedCode_WhoseChallengeIsExchangedInTheDatabase_OpensNoFrameForTheThief()
    {
        await using var rig = await Rig.StartAsync();
        var code = await IssueAsync(rig);
        await rig.SqlAsync("UPDATE embed_codes SET challenge = 'challenge-of-a-thief'");

        (await rig.One.Desk.Sessions.RedeemCodeAsync(Rig.Acme, code, "challenge-of-a-thief", Rig.Cancellation)).Refused(RefusalKind.Unauthenticated);

        Assert.Single(rig.One.Events.Of(EventKind.RowTampered));
    }

    [Fact]
    public async Task EmbedCode_InsertedIntoTheDatabase_OpensNoFrame()
    {
        await using var rig = await Rig.StartAsync();
        await IssueAsync(rig);
        var forged = new string('f', 43);
        Assert.Equal(1, await rig.SqlAsync(
            """
            INSERT INTO embed_codes (code_hash, tenant, subject_authority, subject_id, embed_key, attributes, workbook, origin, challenge, created_at, expires_at, used_at, mac)
            SELECT @hash, tenant, subject_authority, 'ben', embed_key, attributes, workbook, origin, challenge, created_at, expires_at, used_at, mac FROM embed_codes
            """, new { hash = Postern.Store.SecretHash.Of(forged).Hex }));

        (await RedeemAsync(rig, forged)).Refused(RefusalKind.Unauthenticated);

        Assert.Single(rig.One.Events.Of(EventKind.RowTampered));
    }

    [Fact]
    public async Task EmbedCode_WhoseUseIsTakenBackInTheDatabase_OpensNoSecondFrame()
    {
        await using var rig = await Rig.StartAsync();
        var code = await IssueAsync(rig);
        (await RedeemAsync(rig, code)).Value();
        await rig.SqlAsync("UPDATE embed_codes SET used_at = NULL");

        (await RedeemAsync(rig, code)).Refused(RefusalKind.Unauthenticated);

        Assert.Single(rig.One.Events.Of(EventKind.RowTampered));
    }

    [Fact]
    public async Task EndFrames_EndsEveryFrameOfThePersonAndNoPortal()
    {
        await using var rig = await Rig.StartAsync();
        var frame = (await RedeemAsync(rig, await IssueAsync(rig))).Value();
        var portal = await rig.One.Desk.Sessions.OpenPortalAsync(frame.Session.Subject, null, Rig.Cancellation);

        await rig.One.Desk.Sessions.EndFramesAsync(frame.Session.Subject.Key, "host", Rig.Cancellation);

        Assert.Null(await rig.One.Desk.Sessions.FindAsync(Rig.Acme, frame.Cookie.Reveal(), SessionKind.Frame, Rig.Cancellation));
        Assert.NotNull(await FindAsync(rig, portal));
    }

    private static Task<OpenedSession> OpenAsync(Rig rig) => rig.One.Desk.Sessions.OpenPortalAsync(Rig.Ana, null, Rig.Cancellation);

    private static async Task<Session?> FindAsync(Rig rig, OpenedSession opened) =>
        await rig.One.Desk.Sessions.FindAsync(Rig.Acme, opened.Cookie.Reveal(), SessionKind.Portal, Rig.Cancellation);

    private static async Task<string> IssueAsync(Rig rig)
    {
        var key = (await rig.One.Desk.Definitions.EmbedKeyAsync(Rig.Acme, "host", Rig.Cancellation))!;
        var subject = new Subject(new SubjectKey(Rig.Acme, key.Authority, "ana"), Rig.Ana.Attributes);
        return (await rig.One.Desk.Sessions.IssueCodeAsync(key, subject, Sales, "https://host.test", Challenge, Rig.Cancellation)).Reveal();
    }

    private static Task<Outcome<OpenedSession>> RedeemAsync(Rig rig, string code) =>
        rig.One.Desk.Sessions.RedeemCodeAsync(Rig.Acme, code, Challenge, Rig.Cancellation);
}
