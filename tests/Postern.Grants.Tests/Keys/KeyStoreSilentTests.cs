using Postern.Grants.Connects;
using Postern.Grants.Sessions;
using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.OAuth;
using Postern.Policy;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Tests.Keys;

/// <summary>
/// Connects, sign-ins and sessions while the key store is silent and the key is not in memory: a clear "not now" in words for people, nothing
/// used up and nothing told as tampering, and the same step goes on when the key can be had again.
/// </summary>
public sealed class KeyStoreSilentTests : IDisposable
{
    private const string Shared = "https://acme.test/oauth/callback";
    private readonly KeyStoreSwitch keyStore = new();

    public void Dispose() => keyStore.Dispose();

    [Fact]
    public async Task Begin_WhileTheKeyIsUnavailable_TakesNoPlaceAndIsBegunAfterwards()
    {
        await using var rig = await StartAsync();
        var session = await rig.One.SignInAsync();
        var permitted = await PermitAsync(rig);
        Silence(rig);

        // More often than one session may have connects under way.
        for (var i = 0; i <= ConnectChanges.MaxPendingPerSession; i++)
            AssertUnavailable((await Assert.ThrowsAsync<VaultException>(() => BeginAsync(rig, permitted, session))).Refusal);

        Recover(rig);
        (await BeginAsync(rig, permitted, session)).Value();
        AssertNothingTold(rig);
    }

    [Fact]
    public async Task Popup_WhileTheKeyIsUnavailable_KeepsItsHandle()
    {
        await using var rig = await StartAsync();
        var handle = (await BeginAsync(rig, await PermitAsync(rig), await rig.One.SignInAsync())).Value().Handle.Reveal();
        Silence(rig);

        AssertForPeople((await rig.One.Desk.Connects.IntroduceAsync(Rig.Acme, handle, Rig.Cancellation)).Refused(RefusalKind.Unavailable));
        AssertForPeople((await rig.One.Desk.Connects.RedirectAsync(Rig.Acme, handle, null, Rig.Cancellation)).Refused(RefusalKind.Unavailable));

        Recover(rig);
        Assert.Equal(Rig.Ana.Key, (await rig.One.Desk.Connects.IntroduceAsync(Rig.Acme, handle, Rig.Cancellation)).Value().Subject.Key);
        (await rig.One.Desk.Connects.RedirectAsync(Rig.Acme, handle, null, Rig.Cancellation)).Value();
        AssertNothingTold(rig);
    }

    [Fact]
    public async Task Callback_WhileTheKeyIsUnavailable_SendsNoCodeAndTheSameOneFinishesAfterwards()
    {
        await using var rig = await StartAsync();
        var session = await rig.One.SignInAsync();
        var redirect = await RedirectAsync(rig, session);
        Silence(rig);

        AssertForPeople((await ExchangeAsync(rig, redirect)).Refused(RefusalKind.Unavailable));
        Assert.Equal(0, rig.Authority.TokenRequests);

        Recover(rig);
        var kept = await KeepAsync(rig, redirect);
        Silence(rig);
        AssertForPeople((await ConfirmAsync(rig, session, kept)).Refused(RefusalKind.Unavailable));
        Assert.Equal(GrantState.Unconfirmed, (await rig.RowAsync(kept.Grant)).State);

        Recover(rig);
        Assert.Equal(GrantState.Active, (await ConfirmAsync(rig, session, kept)).Value().State);
        Assert.Equal(1, rig.Authority.TokenRequests);
        AssertNothingTold(rig);
    }

    [Fact]
    public async Task Callback_AfterAnOutageLongerThanTheConnectLives_IsTooLate()
    {
        await using var rig = await StartAsync();
        var redirect = await RedirectAsync(rig, await rig.One.SignInAsync());
        Silence(rig);
        (await ExchangeAsync(rig, redirect)).Refused(RefusalKind.Unavailable);
        rig.Clock.Advance(TimeSpan.FromMinutes(11));
        Recover(rig);

        Assert.Equal("late", (await ExchangeAsync(rig, redirect)).Refused(RefusalKind.Untrusted).Code);
        Assert.Equal(0, rig.Authority.TokenRequests);
    }

    [Fact]
    public async Task Tokens_WhoseKeyIsGoneWhenTheyAreToBeKept_AreGivenBackAtOnce()
    {
        await using var rig = await StartAsync();
        using var fresh = (await ExchangeAsync(rig, await RedirectAsync(rig, await rig.One.SignInAsync()))).Value();
        Silence(rig);

        var kept = (await rig.One.Desk.Connects.KeepAsync(fresh, Principal(rig), Rig.Cancellation)).Refused(RefusalKind.Unavailable);

        Assert.Equal(("not-kept", true), (kept.Code, kept.RetryAfter > TimeSpan.Zero));
        Assert.Equal(["refresh-1-1", "access-1-1"], rig.Authority.Revoked);
        var told = Assert.Single(rig.One.Events.Of(EventKind.ConnectRefused));
        Assert.Equal(("not-kept", "revoked"), (told.Code, told.Facts["provider"]));
        Assert.Empty(await rig.One.Desk.ListAsync(Rig.Ana.Key, Rig.Cancellation));
    }

    [Fact]
    public async Task Tokens_WhoseKeyIsGoneWhenTheyAreToBeDiscarded_AreGivenBackAtOnce()
    {
        await using var rig = await StartAsync();
        using var fresh = (await ExchangeAsync(rig, await RedirectAsync(rig, await rig.One.SignInAsync()))).Value();
        Silence(rig);

        await rig.One.Desk.Connects.DiscardAsync(fresh, EventKind.ConnectMismatched, "principal", Principal(rig), Rig.Cancellation);

        Assert.Equal(["refresh-1-1", "access-1-1"], rig.Authority.Revoked);
        Assert.Equal("revoked", Assert.Single(rig.One.Events.Of(EventKind.ConnectMismatched)).Facts["provider"]);
    }

    [Fact]
    public async Task SignIn_WhileTheKeyIsUnavailable_IsNotUsedUp()
    {
        await using var rig = await StartAsync();
        var tenant = (await rig.One.Desk.Definitions.TenantOfHostAsync("acme.test", Rig.Cancellation))!;
        var callback = "https://acme.test/sign-in/callback";
        var begun = (await rig.One.Desk.SignIns.BeginAsync(tenant, callback, "/", Rig.Cancellation)).Value();
        Silence(rig);

        AssertUnavailable((await Assert.ThrowsAsync<VaultException>(() => rig.One.Desk.SignIns.BeginAsync(tenant, callback, "/", Rig.Cancellation))).Refusal);
        AssertForPeople((await CompleteAsync()).Refused(RefusalKind.Unavailable));
        Assert.Equal((0, 0), (rig.Authority.TokenRequests, rig.One.Events.Of(EventKind.SignInRefused).Count));

        // The scripted server issues no ID token, so nobody is signed in here; but the code went out, once.
        Recover(rig);
        await CompleteAsync();
        Assert.Equal(1, rig.Authority.TokenRequests);
        Assert.Equal("replayed", (await CompleteAsync()).Refused(RefusalKind.Untrusted).Code);
        Assert.Equal(1, rig.Authority.TokenRequests);

        Task<Outcome<SignedIn>> CompleteAsync() =>
            rig.One.Desk.SignIns.CompleteAsync(tenant, Answer(begun.Url), begun.Binding.Reveal(), callback, Rig.Cancellation);
    }

    [Fact]
    public async Task Session_WhileTheKeyIsUnavailable_IsNeitherBelievedNorOver()
    {
        await using var rig = await StartAsync();
        var opened = await rig.One.Desk.Sessions.OpenPortalAsync(Rig.Ana, null, Rig.Cancellation);
        Silence(rig);

        AssertForPeople((await Assert.ThrowsAsync<VaultException>(async () => await FindAsync())).Refusal);

        Recover(rig);
        Assert.Equal(Rig.Ana.Key, (await FindAsync())!.Subject.Key);
        AssertNothingTold(rig);

        ValueTask<Session?> FindAsync() => rig.One.Desk.Sessions.FindAsync(Rig.Acme, opened.Cookie.Reveal(), SessionKind.Portal, Rig.Cancellation);
    }

    [Fact]
    public async Task Lease_WhileTheKeyIsUnavailable_EndsNoGrant()
    {
        await using var rig = await StartAsync();
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        Silence(rig);
        var before = keyStore.Unwraps;

        for (var i = 0; i < 50; i++)
            AssertForPeople((await rig.One.LeaseAsync(Rig.Lake)).Refused(RefusalKind.Unavailable));
        // One question for fifty people.
        Assert.Equal(before + 1, keyStore.Unwraps);

        Recover(rig);
        Assert.Equal(id, (await rig.One.LeaseAsync(Rig.Lake)).Value().Grant);
        Assert.Equal((GrantState.Active, 1), ((await rig.RowAsync(id)).State, (await rig.RowAsync(id)).Generation));
        AssertNothingTold(rig);
    }

    [Fact]
    public async Task Definitions_WhileTheyAreLookedAtAgain_HoldUpNobody()
    {
        await using var rig = await StartAsync();
        var definitions = rig.One.Desk.Definitions;
        Assert.NotNull(await definitions.TenantOfHostAsync("acme.test", Rig.Cancellation));
        Silence(rig);
        // The node heard nothing for a while, so that everything is judged anew; what was believed stays.
        definitions.OnMissed();
        Assert.NotNull(await definitions.TenantOfHostAsync("acme.test", Rig.Cancellation));

        var slow = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        keyStore.Held = slow.Task;
        rig.Clock.Advance(TimeSpan.FromSeconds(5));
        for (var i = 0; i < 50; i++)
            Assert.NotNull(await definitions.TenantOfHostAsync("acme.test", Rig.Cancellation).AsTask().WaitAsync(TimeSpan.FromSeconds(30), Rig.Cancellation));

        // And when the key is there, it is over.
        keyStore.Silent = false;
        slow.SetResult();
        await rig.UntilAsync(async () => (await definitions.TenantOfHostAsync("acme.test", Rig.Cancellation), definitions.Version) is (not null, >= 3), TimeSpan.FromMilliseconds(100));
        var version = definitions.Version;
        rig.Clock.Advance(TimeSpan.FromSeconds(5));
        Assert.NotNull(await definitions.TenantOfHostAsync("acme.test", Rig.Cancellation));
        Assert.Equal(version, definitions.Version);
        AssertNothingTold(rig);
    }

    private Task<Rig> StartAsync() => Rig.StartAsync(keyStore: keyStore);

    /// <summary>The key store says nothing from now on, and no key is in memory.</summary>
    private void Silence(Rig rig)
    {
        keyStore.Silent = true;
        rig.One.Get<TokenVault>().ForgetAll();
    }

    /// <summary>It speaks again, and whoever was refused has waited as long as the vault may ask.</summary>
    private void Recover(Rig rig)
    {
        keyStore.Silent = false;
        rig.Clock.Advance(TimeSpan.FromSeconds(5));
    }

    private static void AssertUnavailable(Refusal why) => Assert.Equal((RefusalKind.Unavailable, "vault-key-store-unavailable", true), (why.Kind, why.Code, why.RetryAfter > TimeSpan.Zero));

    /// <summary>In words for people: where the key store is and what it said is the operator's.</summary>
    private static void AssertForPeople(Refusal why)
    {
        AssertUnavailable(why);
        Assert.DoesNotContain("vault.internal", why.Detail, StringComparison.Ordinal);
    }

    private static void AssertNothingTold(Rig rig)
    {
        foreach (var kind in new[] { EventKind.RowTampered, EventKind.RecordRefused, EventKind.SessionRefused, EventKind.ConnectRefused, EventKind.SignInRefused })
            Assert.Empty(rig.One.Events.Of(kind));
    }

    private static async Task<PermittedConnect> PermitAsync(Rig rig)
    {
        var viewer = new Viewer(Rig.Ana, SessionKind.Portal, null, new HashSet<ConnectionId> { Rig.Lake });
        return ConnectPolicy.Judge(viewer, await rig.One.ConnectionAsync(Rig.Lake)).Value();
    }

    private static Task<Outcome<BegunConnect>> BeginAsync(Rig rig, PermittedConnect permitted, Session session) =>
        rig.One.Desk.Connects.BeginAsync(permitted, session, null, Shared, Rig.Cancellation);

    private static async Task<ConnectRedirect> RedirectAsync(Rig rig, Session session)
    {
        var begun = (await BeginAsync(rig, await PermitAsync(rig), session)).Value();
        return (await rig.One.Desk.Connects.RedirectAsync(Rig.Acme, begun.Handle.Reveal(), null, Rig.Cancellation)).Value();
    }

    private static CallbackParameters Answer(string url)
    {
        var state = new Uri(url).Query.TrimStart('?').Split('&').Single(part => part.StartsWith("state=", StringComparison.Ordinal));
        return CallbackParameters.Parse("code=good&" + state).Value();
    }

    private static Task<Outcome<FreshTokens>> ExchangeAsync(Rig rig, ConnectRedirect redirect) =>
        rig.One.Desk.Connects.ExchangeAsync(Rig.Acme, Answer(redirect.Url), redirect.Binding.Reveal(), Shared + "/lake", Rig.Cancellation);

    private static async Task<KeptGrant> KeepAsync(Rig rig, ConnectRedirect redirect)
    {
        using var fresh = (await ExchangeAsync(rig, redirect)).Value();
        return (await rig.One.Desk.Connects.KeepAsync(fresh, Principal(rig), Rig.Cancellation)).Value();
    }

    private static PlatformPrincipal Principal(Rig rig) => new(rig.Authority.Issuer, "ana", "ana", "ana@acme.test");

    private static Task<Outcome<GrantRow>> ConfirmAsync(Rig rig, Session session, KeptGrant kept) =>
        rig.One.Desk.Connects.ConfirmAsync(session, kept.Grant, kept.Confirmation.Reveal(), Rig.Cancellation);
}
