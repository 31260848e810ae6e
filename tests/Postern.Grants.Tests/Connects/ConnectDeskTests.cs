using System.Net;
using Postern.Grants.Connects;
using Postern.Grants.Renewal;
using Postern.Grants.Revocation;
using Postern.Grants.Sessions;
using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.OAuth;
using Postern.Policy;
using Postern.Store;

namespace Postern.Grants.Tests.Connects;

public sealed class ConnectDeskTests
{
    private const string Shared = "https://acme.test/oauth/callback";

    // The scripted server sends no iss, so the connection has a redirect URI of its own.
    private const string Callback = Shared + "/lake";

    [Fact]
    public async Task Connect_StepByStep_GivesAnActiveGrant()
    {
        await using var rig = await Rig.StartAsync();
        var session = await rig.One.SignInAsync();

        var kept = await KeepAsync(rig, session);
        Assert.Equal(GrantState.Unconfirmed, (await rig.RowAsync(kept.Grant)).State);
        (await rig.One.LeaseAsync(Rig.Lake)).Refused(RefusalKind.ReconnectRequired);
        var confirmed = await ConfirmAsync(rig, session, kept);

        Assert.Equal(GrantState.Active, confirmed.Value().State);
        Assert.Equal(kept.Grant, (await rig.One.LeaseAsync(Rig.Lake)).Value().Grant);
        Assert.Single(rig.One.Events.Of(EventKind.GrantConfirmed));
    }

    [Fact]
    public async Task Callback_ThatComesTwice_IsRefusedAndCallsNobody()
    {
        await using var rig = await Rig.StartAsync();
        var redirect = await RedirectAsync(rig, await rig.One.SignInAsync());
        using (var fresh = (await ExchangeAsync(rig, redirect)).Value())
            Assert.Equal(1, rig.Authority.TokenRequests);

        var replayed = await ExchangeAsync(rig, redirect);

        Assert.Equal("replayed", replayed.Refused(RefusalKind.Untrusted).Code);
        Assert.Equal(1, rig.Authority.TokenRequests);
        Assert.Equal("replayed", Assert.Single(rig.One.Events.Of(EventKind.ConnectRefused)).Code);
    }

    [Fact]
    public async Task Callback_ThatComesTwiceAtOnce_ExchangesItsCodeOnce()
    {
        await using var rig = await Rig.StartAsync();
        var redirect = await RedirectAsync(rig, await rig.One.SignInAsync());

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => ExchangeAsync(rig, redirect))));

        Assert.Single(outcomes, outcome => outcome.Refusal is null);
        Assert.Equal(1, rig.Authority.TokenRequests);
        foreach (var outcome in outcomes)
        {
            if (outcome.TryGet(out var fresh, out _))
                fresh.Dispose();
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("of-another-browser")]
    public async Task Callback_InAnotherBrowser_IsRefusedAndLeavesTheConnectToItsOwn(string? binding)
    {
        await using var rig = await Rig.StartAsync();
        var redirect = await RedirectAsync(rig, await rig.One.SignInAsync());

        var stolen = await ExchangeAsync(rig, redirect, binding);

        Assert.Equal("other-browser", stolen.Refused(RefusalKind.Untrusted).Code);
        Assert.Equal(0, rig.Authority.TokenRequests);
        using var fresh = (await ExchangeAsync(rig, redirect)).Value();
    }

    [Fact]
    public async Task Callback_OfAnUnknownState_OrLate_IsRefused()
    {
        await using var rig = await Rig.StartAsync();
        var redirect = await RedirectAsync(rig, await rig.One.SignInAsync());

        var invented = await rig.One.Desk.Connects.ExchangeAsync(
            Rig.Acme, CallbackParameters.Parse("code=x&state=invented").Value(), "x", Callback, Rig.Cancellation);
        var elsewhere = await rig.One.Desk.Connects.ExchangeAsync(
            TenantId.Parse("other"), Answer(redirect), redirect.Binding.Reveal(), Callback, Rig.Cancellation);
        rig.Clock.Advance(TimeSpan.FromMinutes(11));
        var late = await ExchangeAsync(rig, redirect);

        Assert.Equal("state-unknown", invented.Refused(RefusalKind.Untrusted).Code);
        Assert.Equal("state-unknown", elsewhere.Refused(RefusalKind.Untrusted).Code);
        Assert.Equal("late", late.Refused(RefusalKind.Untrusted).Code);
        Assert.Equal(0, rig.Authority.TokenRequests);
    }

    [Fact]
    public async Task Handle_IsGoodForOneRedirect()
    {
        await using var rig = await Rig.StartAsync();
        var begun = await BeginAsync(rig, await rig.One.SignInAsync());
        var handle = begun.Handle.Reveal();
        var introduced = (await rig.One.Desk.Connects.IntroduceAsync(Rig.Acme, handle, Rig.Cancellation)).Value();
        Assert.Equal((Rig.Ana.Key, Rig.Lake), (introduced.Subject.Key, introduced.Connection.Id));

        (await rig.One.Desk.Connects.RedirectAsync(Rig.Acme, handle, null, Rig.Cancellation)).Value();

        (await rig.One.Desk.Connects.RedirectAsync(Rig.Acme, handle, null, Rig.Cancellation)).Refused(RefusalKind.NotFound);
        (await rig.One.Desk.Connects.IntroduceAsync(Rig.Acme, handle, Rig.Cancellation)).Refused(RefusalKind.NotFound);
    }

    [Fact]
    public async Task Begin_TheNinthOfOneSession_IsRefused()
    {
        await using var rig = await Rig.StartAsync();
        var session = await rig.One.SignInAsync();
        for (var i = 0; i < 8; i++)
            await BeginAsync(rig, session);

        (await TryBeginAsync(rig, session)).Refused(RefusalKind.RateLimited);
    }

    [Fact]
    public async Task Confirm_ByAnotherSessionOrSecret_IsRefusedAndChangesNothing()
    {
        await using var rig = await Rig.StartAsync();
        var session = await rig.One.SignInAsync();
        var kept = await KeepAsync(rig, session);
        var (before, _) = await rig.GrantAsync(Rig.Lake);

        var otherTab = await rig.One.Desk.Connects.ConfirmAsync(await rig.One.SignInAsync(), kept.Grant, kept.Confirmation.Reveal(), Rig.Cancellation);
        var otherPerson = await rig.One.Desk.Connects.ConfirmAsync(await rig.One.SignInAsync(Rig.Ben), kept.Grant, kept.Confirmation.Reveal(), Rig.Cancellation);
        var guessed = await rig.One.Desk.Connects.ConfirmAsync(session, kept.Grant, "guessed", Rig.Cancellation);

        Assert.All([otherTab, otherPerson, guessed], outcome => outcome.Refused(RefusalKind.Forbidden));
        Assert.Equal(3, rig.One.Events.Of(EventKind.ConnectRefused).Count);
        Assert.Equal(GrantState.Active, (await rig.RowAsync(before)).State);
        Assert.Equal(GrantState.Active, (await ConfirmAsync(rig, session, kept)).Value().State);
    }

    [Fact]
    public async Task Confirm_Again_RevokesNothing()
    {
        await using var rig = await Rig.StartAsync();
        var session = await rig.One.SignInAsync();
        var kept = await KeepAsync(rig, session);
        await ConfirmAsync(rig, session, kept);

        (await ConfirmAsync(rig, session, kept)).Refused(RefusalKind.Forbidden);

        Assert.Equal(GrantState.Active, (await rig.RowAsync(kept.Grant)).State);
    }

    [Fact]
    public async Task Confirm_OfASecondGrant_RevokesTheFirstHereAndAtTheServer()
    {
        await using var rig = await Rig.StartAsync();
        var (old, family) = await rig.GrantAsync(Rig.Lake);
        var session = await rig.One.SignInAsync();
        var kept = await KeepAsync(rig, session);

        await ConfirmAsync(rig, session, kept);
        await rig.One.Get<Revoker>().TellAsync(Rig.Cancellation);

        Assert.Equal((GrantState.Revoked, GrantState.Active), ((await rig.RowAsync(old)).State, (await rig.RowAsync(kept.Grant)).State));
        Assert.Equal([family.Refresh, family.Access], rig.Authority.Revoked);
    }

    [Fact]
    public async Task Grant_ThatNobodyConfirms_IsAbandonedAndRevokedAtTheServer()
    {
        await using var rig = await Rig.StartAsync();
        var session = await rig.One.SignInAsync();
        var kept = await KeepAsync(rig, session);
        var housekeeper = rig.One.Get<Housekeeper>();

        rig.Clock.Advance(TimeSpan.FromMinutes(4.9));
        await housekeeper.TurnAsync(Rig.Cancellation);
        Assert.Equal(GrantState.Unconfirmed, (await rig.RowAsync(kept.Grant)).State);
        rig.Clock.Advance(TimeSpan.FromMinutes(0.2));
        await housekeeper.TurnAsync(Rig.Cancellation);
        await rig.One.Get<Revoker>().TellAsync(Rig.Cancellation);

        Assert.Equal(GrantState.Revoked, (await rig.RowAsync(kept.Grant)).State);
        Assert.Equal("not-confirmed", Assert.Single(rig.One.Events.Of(EventKind.GrantAbandoned)).Code);
        Assert.Equal(["refresh-1-1", "access-1-1"], rig.Authority.Revoked);
        (await ConfirmAsync(rig, session, kept)).Refused(RefusalKind.Forbidden);
    }

    [Fact]
    public async Task Discard_StoresNoGrantAndHandsTheTokensBack()
    {
        await using var rig = await Rig.StartAsync();
        var redirect = await RedirectAsync(rig, await rig.One.SignInAsync());
        using var fresh = (await ExchangeAsync(rig, redirect)).Value();

        await rig.One.Desk.Connects.DiscardAsync(fresh, EventKind.ConnectMismatched, "principal", Principal(rig, "mallory"), Rig.Cancellation);
        await rig.One.Get<Revoker>().TellAsync(Rig.Cancellation);

        Assert.Empty(await rig.One.Desk.ListAsync(Rig.Ana.Key, Rig.Cancellation));
        Assert.Equal(["refresh-1-1", "access-1-1"], rig.Authority.Revoked);
        Assert.Equal("mallory", Assert.Single(rig.One.Events.Of(EventKind.ConnectMismatched)).Principal!.Id);
    }

    [Theory]
    [InlineData("grants", HttpStatusCode.OK, "revoked")]
    [InlineData("grants", HttpStatusCode.ServiceUnavailable, "ServerError")]
    [InlineData("event_leaves", HttpStatusCode.OK, null)]
    public async Task Tokens_ThatTheDatabaseDoesNotTake_AreGivenBackAtOnce(string broken, HttpStatusCode answer, string? told)
    {
        await using var rig = await Rig.StartAsync();
        using var fresh = (await ExchangeAsync(rig, await RedirectAsync(rig, await rig.One.SignInAsync()))).Value();
        await rig.SqlAsync($"ALTER TABLE {broken} RENAME TO broken");
        if (answer != HttpStatusCode.OK)
            rig.Authority.ScriptRevocations((int)answer, (int)answer);

        var kept = await rig.One.Desk.Connects.KeepAsync(fresh, Principal(rig, "ana"), Rig.Cancellation);

        Assert.Equal("not-kept", kept.Refused(RefusalKind.Unavailable).Code);
        Assert.Equal(answer == HttpStatusCode.OK ? 2 : 0, rig.Authority.Revoked.Count);
        // Where not even that can be written, the node's own log has it.
        Assert.Equal(told, rig.One.Events.Of(EventKind.ConnectRefused).SingleOrDefault()?.Facts["provider"]);
    }

    [Fact]
    public async Task Exchange_AfterTheConnectionWasMoved_OpensNothing()
    {
        await using var rig = await Rig.StartAsync();
        var redirect = await RedirectAsync(rig, await rig.One.SignInAsync());
        var seed = rig.Seed();
        await rig.One.Desk.Definitions.SeedAsync(
            seed with { Connections = [seed.Connections[0] with { Endpoint = new Uri("https://elsewhere.test/") }] }, "test", Rig.Cancellation);

        (await ExchangeAsync(rig, redirect)).Refused(RefusalKind.Untrusted);

        Assert.Single(rig.One.Events.Of(EventKind.RecordRefused));
        Assert.Equal(0, rig.Authority.TokenRequests);
    }

    [Fact]
    public async Task Callback_WhoseUseIsTakenBackInTheDatabase_SendsNoSecondCode()
    {
        await using var rig = await Rig.StartAsync();
        var redirect = await RedirectAsync(rig, await rig.One.SignInAsync());
        using (await FirstAsync())
            Assert.Equal(1, await rig.SqlAsync("UPDATE pending_connects SET stage = 1"));

        Assert.Equal("connect-tampered", (await ExchangeAsync(rig, redirect)).Refused(RefusalKind.Untrusted).Code);

        Assert.Equal(1, rig.Authority.TokenRequests);
        Assert.Equal("pending_connects", Assert.Single(rig.One.Events.Of(EventKind.RowTampered)).Facts["table"]);

        async Task<FreshTokens> FirstAsync() => (await ExchangeAsync(rig, redirect)).Value();
    }

    [Fact]
    public async Task Popup_OfAConnectEditedInTheDatabase_SaysNothingAndGoesNoFurther()
    {
        await using var rig = await Rig.StartAsync();
        var handle = (await BeginAsync(rig, await rig.One.SignInAsync())).Handle.Reveal();
        Assert.Equal(1, await rig.SqlAsync("UPDATE pending_connects SET subject_id = 'ben', host_display = 'Somebody else'"));

        (await rig.One.Desk.Connects.IntroduceAsync(Rig.Acme, handle, Rig.Cancellation)).Refused(RefusalKind.Untrusted);
        (await rig.One.Desk.Connects.RedirectAsync(Rig.Acme, handle, null, Rig.Cancellation)).Refused(RefusalKind.Untrusted);

        Assert.Equal(2, rig.One.Events.Of(EventKind.RowTampered).Count);
        Assert.Empty(rig.One.Events.Of(EventKind.ConnectRedirected));
    }

    [Fact]
    public async Task Confirm_OfAGrantMovedToTheThiefsSessionInTheDatabase_IsRefused()
    {
        await using var rig = await Rig.StartAsync();
        var kept = await KeepAsync(rig, await rig.One.SignInAsync());
        var thief = await rig.One.SignInAsync(Rig.Ben);
        Assert.Equal(1, await rig.SqlAsync("UPDATE grants SET subject_id = 'ben', session_hash = @session", new { session = thief.Id.Hex }));

        (await ConfirmAsync(rig, thief, kept)).Refused(RefusalKind.Forbidden);

        Assert.Equal("grants", Assert.Single(rig.One.Events.Of(EventKind.RowTampered)).Facts["table"]);
        Assert.Equal(GrantState.Unconfirmed, (await rig.RowAsync(kept.Grant)).State);
    }

    [Fact]
    public async Task Grant_ConfirmedByEditingTheDatabase_GivesNoLease()
    {
        await using var rig = await Rig.StartAsync();
        var kept = await KeepAsync(rig, await rig.One.SignInAsync());
        Assert.Equal(1, await rig.SqlAsync("UPDATE grants SET state = 1, active_slot = slot, confirmation_hash = NULL"));

        (await rig.One.LeaseAsync(Rig.Lake)).Refused(RefusalKind.ReconnectRequired);

        Assert.Equal(kept.Grant, Assert.Single(rig.One.Events.Of(EventKind.RowTampered)).Grant);
    }

    [Theory]
    [InlineData("https://acme.test/oauth/callback")]
    [InlineData("https://acme.test/oauth/callback/grace")]
    [InlineData("https://acme.test/oauth/callback/LAKE")]
    [InlineData("https://other.test/oauth/callback/lake")]
    public async Task Callback_OfAServerWithoutIss_AtAnotherPath_IsAMixUpAndSendsNoCode(string receivedAt)
    {
        await using var rig = await Rig.StartAsync();
        var redirect = await RedirectAsync(rig, await rig.One.SignInAsync());
        Assert.Contains("redirect_uri=" + Uri.EscapeDataString(Callback) + "&", redirect.Url, StringComparison.Ordinal);

        var mixedUp = await rig.One.Desk.Connects.ExchangeAsync(Rig.Acme, Answer(redirect), redirect.Binding.Reveal(), receivedAt, Rig.Cancellation);

        Assert.Equal("redirect-uri-mismatch", mixedUp.Refused(RefusalKind.Untrusted).Code);
        Assert.Equal("redirect-uri-mismatch", Assert.Single(rig.One.Events.Of(EventKind.ConnectRefused)).Code);
        Assert.Equal(0, rig.Authority.TokenRequests);
    }

    [Fact]
    public async Task Callback_OfAServerWithIss_ComesToTheSharedPathAndNeedsIt()
    {
        await using var rig = await Rig.StartAsync();
        rig.Authority.SendsIss = true;
        var session = await rig.One.SignInAsync();
        var (with, without) = (await RedirectAsync(rig, session), await RedirectAsync(rig, session));
        Assert.Contains("redirect_uri=" + Uri.EscapeDataString(Shared) + "&", with.Url, StringComparison.Ordinal);

        var missing = await rig.One.Desk.Connects.ExchangeAsync(Rig.Acme, Answer(without), without.Binding.Reveal(), Shared, Rig.Cancellation);
        using var fresh = (await rig.One.Desk.Connects.ExchangeAsync(
            Rig.Acme, Answer(with, "&iss=" + Uri.EscapeDataString(rig.Authority.Issuer)), with.Binding.Reveal(), Shared, Rig.Cancellation)).Value();

        Assert.Equal("iss-missing", missing.Refused(RefusalKind.Untrusted).Code);
        Assert.Equal(1, rig.Authority.TokenRequests);
    }

    private static async Task<Outcome<BegunConnect>> TryBeginAsync(Rig rig, Session session)
    {
        var viewer = new Viewer(session.Subject, SessionKind.Portal, null, new HashSet<ConnectionId> { Rig.Lake });
        var permitted = ConnectPolicy.Judge(viewer, await rig.One.ConnectionAsync(Rig.Lake)).Value();
        return await rig.One.Desk.Connects.BeginAsync(permitted, session, null, Shared, Rig.Cancellation);
    }

    private static async Task<BegunConnect> BeginAsync(Rig rig, Session session) => (await TryBeginAsync(rig, session)).Value();

    private static async Task<ConnectRedirect> RedirectAsync(Rig rig, Session session)
    {
        var begun = await BeginAsync(rig, session);
        return (await rig.One.Desk.Connects.RedirectAsync(Rig.Acme, begun.Handle.Reveal(), null, Rig.Cancellation)).Value();
    }

    private static CallbackParameters Answer(ConnectRedirect redirect, string more = "")
    {
        var state = new Uri(redirect.Url).Query.TrimStart('?').Split('&').Single(part => part.StartsWith("state=", StringComparison.Ordinal));
        return CallbackParameters.Parse("code=good&" + state + more).Value();
    }

    private static Task<Outcome<FreshTokens>> ExchangeAsync(Rig rig, ConnectRedirect redirect) => ExchangeAsync(rig, redirect, redirect.Binding.Reveal());

    private static Task<Outcome<FreshTokens>> ExchangeAsync(Rig rig, ConnectRedirect redirect, string? binding) =>
        rig.One.Desk.Connects.ExchangeAsync(Rig.Acme, Answer(redirect), binding, Callback, Rig.Cancellation);

    private static async Task<KeptGrant> KeepAsync(Rig rig, Session session)
    {
        var redirect = await RedirectAsync(rig, session);
        using var fresh = (await ExchangeAsync(rig, redirect)).Value();
        return (await rig.One.Desk.Connects.KeepAsync(fresh, Principal(rig, session.Subject.Key.Id), Rig.Cancellation)).Value();
    }

    private static Task<Outcome<GrantRow>> ConfirmAsync(Rig rig, Session session, KeptGrant kept) =>
        rig.One.Desk.Connects.ConfirmAsync(session, kept.Grant, kept.Confirmation.Reveal(), Rig.Cancellation);

    private static PlatformPrincipal Principal(Rig rig, string name) => new(rig.Authority.Issuer, name, name, $"{name}@acme.test");
}
