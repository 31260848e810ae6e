using System.Data.Common;
using Postern.Grants.Definitions;
using Postern.Grants.Pacing;
using Postern.Grants.Renewal;
using Postern.Grants.Sessions;
using Postern.Model;
using Postern.OAuth;
using Postern.Policy;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Connects;

/// <summary>
/// The steps of a connect that touch secrets: state, nonce, verifier, code and tokens. The journey itself, in order, is the
/// gateway's ConnectFlow. Each step happens once; each refusal is an event.
/// </summary>
public sealed class ConnectDesk
{
    private const int BindingNameLength = 12;
    private readonly PosternStore store;
    private readonly TokenVault vault;
    private readonly RowMacs macs;
    private readonly OAuthClient oauth;
    private readonly IssuerGates gates;
    private readonly DefinitionBook definitions;
    private readonly TokenSealer sealer;
    private readonly HandBack handBack;
    private readonly SteadyClock clock;
    private readonly IChance chance;
    private readonly GrantOptions options;

    internal ConnectDesk(
        PosternStore store, TokenVault vault, RowMacs macs, OAuthClient oauth, IssuerGates gates, DefinitionBook definitions, TokenSealer sealer,
        HandBack handBack, SteadyClock clock, IChance chance, GrantOptions options)
    {
        this.store = store;
        this.vault = vault;
        this.macs = macs;
        this.oauth = oauth;
        this.gates = gates;
        this.definitions = definitions;
        this.sealer = sealer;
        this.handBack = handBack;
        this.clock = clock;
        this.chance = chance;
        this.options = options;
    }

    /// <summary>Writes a pending connect for the session that asks. At most eight at once for one session.</summary>
    /// <param name="redirectUri">The tenant's redirect URI; where the server sends no <c>iss</c>, it becomes the connection's own.</param>
    public async Task<Outcome<BegunConnect>> BeginAsync(
        PermittedConnect permitted, Session session, string? hostDisplay, string redirectUri, CancellationToken cancellation)
    {
        var handle = chance.NewSecret();
        var now = await clock.NowAsync(cancellation);
        var connection = permitted.Connection;
        var row = new PendingConnectRow(
            chance.NewId(), permitted.Subject.Key, AttributesJson.Write(permitted.Subject.Attributes), connection.Id, session.Id, session.Kind,
            session.Origin, hostDisplay, SecretHash.Of(handle.Reveal()), [], connection.Authorization.Issuer, redirectUri, now + options.ConnectWithin);
        row = row with { Mac = await macs.OfAsync(row, cancellation) };
        var result = await store.CommitAsync([ConnectChanges.Begin(row)], Event(EventKind.ConnectBegun, row), null, cancellation);
        return result.Committed
            ? new BegunConnect(row.Id, handle)
            : new Refusal(RefusalKind.RateLimited, "Too many connects are under way. Finish one of them, or wait ten minutes.") { Code = "connects-pending", RetryAfter = TimeSpan.FromMinutes(1) };
    }

    /// <summary>Says who is about to connect what, to whoever holds the handle.</summary>
    public async Task<Outcome<ConnectIntroduction>> IntroduceAsync(TenantId tenant, string handle, CancellationToken cancellation)
    {
        var found = await ByHandleAsync(tenant, handle, cancellation);
        if (!found.TryGet(out var row, out var why))
            return why;
        var connected = await definitions.ConnectionAsync(tenant, row.Connection, cancellation);
        return connected.TryGet(out var connection, out var unknown)
            ? new ConnectIntroduction(connection, SubjectOf(row), row.HostDisplay, row.HostOrigin)
            : unknown;
    }

    /// <summary>Makes the authorization request and seals its private part; the handle cannot be used again.</summary>
    /// <param name="agreementVersion">The version of the agreement that the person accepted, where the connection has one.</param>
    public async Task<Outcome<ConnectRedirect>> RedirectAsync(TenantId tenant, string handle, string? agreementVersion, CancellationToken cancellation)
    {
        var found = await ByHandleAsync(tenant, handle, cancellation);
        if (!found.TryGet(out var row, out var why))
            return why;
        var connected = await definitions.ConnectionAsync(tenant, row.Connection, cancellation);
        if (!connected.TryGet(out var connection, out var unknown))
            return unknown;
        if (connection.Agreement is { } agreement && agreement.Version != agreementVersion)
            return new Refusal(RefusalKind.InvalidRequest, $"Accept the data access agreement (version {agreement.Version}) to go on.") { Code = "agreement" };

        var known = await oauth.Metadata.GetAsync(connection.Authorization, cancellation);
        if (!known.TryGet(out var metadata, out var noMetadata))
            return noMetadata;
        var redirectUri = RedirectUriOf(row.RedirectUri, connection.Id, metadata);
        var begun = await oauth.Authorizations.BeginAsync(connection.Authorization, metadata, redirectUri, cancellation);
        if (!begun.TryGet(out var request, out var refused))
            return refused;

        using var secret = request.Pending.ToSecret();
        var state = StateHash(request.Pending.StateDigest);
        var binding = chance.NewSecret();
        var record = await vault.SealAsync(Context(row, connection), secret, cancellation);
        var redirected = row with
        {
            Stage = ConnectStage.Redirected,
            RedirectUri = redirectUri,
            State = state,
            Binding = SecretHash.Of(binding.Reveal()),
            Sealed = record,
        };
        redirected = redirected with { Mac = await macs.OfAsync(redirected, cancellation) };
        List<AuditEvent> accepted = connection.Agreement is null ? [] :
            [Event(EventKind.AgreementAccepted, row).With("version", connection.Agreement.Version)];
        var result = await store.CommitAsync(
            [ConnectChanges.Redirect(redirected)],
            Event(EventKind.ConnectRedirected, row).With("issuer", row.Issuer).With("pushed", request.Pushed ? "yes" : "no"), accepted, cancellation);
        return result.Committed
            ? new ConnectRedirect(request.Url, binding, BindingName(request.Pending.StateDigest))
            : new Refusal(RefusalKind.Conflict, "This connect went on in another window already.") { Code = "connect-used" };
    }

    /// <summary>
    /// The redirect URI of one connection. Servers that announce <c>iss</c> (RFC 9207) share the tenant's; any other connection has its
    /// own, so that an answer cannot be taken for another server's (RFC 9700 section 4.4.2.2).
    /// </summary>
    /// <param name="shared">The tenant's redirect URI.</param>
    /// <param name="connection">The connection.</param>
    /// <param name="metadata">What its authorization server says.</param>
    public static string RedirectUriOf(string shared, ConnectionId connection, ServerMetadata metadata) =>
        metadata.SendsIss ? shared : OwnRedirectUri(shared, connection);

    /// <summary>The redirect URI of a connection whose server sends no <c>iss</c>.</summary>
    public static string OwnRedirectUri(string shared, ConnectionId connection) => $"{shared}/{connection}";

    /// <summary>True when a callback that was refused used nothing up, so that the same address may be loaded again.</summary>
    public static bool MayComeAgain(Refusal refused) => refused is { Kind: RefusalKind.Unavailable, Code: not HandBack.NotKept };

    /// <summary>The name of the binding cookie of a callback's <c>state</c>.</summary>
    public static string BindingName(CallbackParameters callback) => BindingName(callback.StateDigest);

    /// <summary>
    /// Judges a callback: known state, this browser, not used before, then issuer and parameters; then exchanges the code, once. What is
    /// refused here is an event and has touched no token endpoint.
    /// </summary>
    /// <param name="parameters">What came back.</param>
    /// <param name="binding">The binding cookie's value, or null.</param>
    /// <param name="receivedAt">The redirect URI it came back to.</param>
    public async Task<Outcome<FreshTokens>> ExchangeAsync(
        TenantId tenant, CallbackParameters parameters, string? binding, string receivedAt, CancellationToken cancellation)
    {
        // Known state, this browser, once.
        var hash = StateHash(parameters.StateDigest);
        if (await store.Connects.FindByStateAsync(hash, cancellation) is not { } row || row.Subject.Tenant != tenant)
            return await RefuseAsync(tenant, null, "state-unknown", "This answer belongs to no connect that was started here.", cancellation);
        if (await DistrustAsync(row, cancellation) is { } distrusted)
            return distrusted;
        if (binding is null || row.Binding != SecretHash.Of(binding))
            return await RefuseAsync(tenant, row, "other-browser", "This answer belongs to a connect that was started in another browser.", cancellation);
        if (row.Stage != ConnectStage.Redirected)
            return await RefuseSpentAsync(row, cancellation);

        var connected = await definitions.ConnectionAsync(tenant, row.Connection, cancellation);
        if (!connected.TryGet(out var connection, out var unknown))
            return unknown;
        // Before it counts as used: while the key cannot be had, the same answer may come again.
        var opened = await vault.OpenAsync(Context(row, connection), row.Sealed, cancellation);
        if (!opened.TryGet(out var secret, out var cannotOpen))
        {
            // Nobody moved or edited anything.
            if (cannotOpen.IsKeyUnavailable())
                return KeysUnavailable.Of(cannotOpen);
            await store.RecordAsync(Event(EventKind.RecordRefused, row) with { Code = cannotOpen.Code }, cancellation);
            return new Refusal(RefusalKind.Untrusted, "The settings of this connection changed meanwhile. Start again.") { Code = cannotOpen.Code };
        }

        using (secret)
        {
            // Only as it was read and checked: a row that was used then has no MAC, and must not have become unused since.
            if (!(await store.UpkeepAsync(ConnectChanges.Use(hash, SecretHash.Of(binding)), cancellation)).Committed)
                return await RefuseSpentAsync(row, cancellation);
            if (!PendingAuthorization.TryRead(secret, out var pending))
                return await RefuseAsync(tenant, row, "pending-unreadable", "This connect was started by another version of Postern. Start again.", cancellation);
            var judged = oauth.Callbacks.Judge(parameters, pending, connection.Authorization, receivedAt);
            if (!judged.TryGet(out var callback, out var distrust))
                return await RefuseCallbackAsync(row, distrust, cancellation);

            // The code, once. From here on the caller hanging up must not lose an issued token.
            if (!(await gates.EnterAsync(connection.Authorization, Urgency.Person)).TryGet(out var passage, out var pause))
                return await RefuseExchangeAsync(row, connection, pause.Code, RefusalKind.AuthorizationServerUnavailable, cancellation);
            using var passing = passage;
            var answer = await oauth.Tokens.ExchangeAsync(callback, connection.Authorization, CancellationToken.None);
            passage.Heard(answer);
            if (answer is not TokenAnswer.Issued { Tokens: var tokens })
                return await RefuseExchangeAsync(row, connection, answer, cancellation);
            return await IdentifyAsync(row, connection, callback, tokens);
        }
    }

    /// <summary>The ticket, with the person of the ID token where there is one. An ID token that is not believed takes its tokens with it.</summary>
    private async Task<Outcome<FreshTokens>> IdentifyAsync(PendingConnectRow row, Connection connection, ValidatedCallback callback, TokenSet tokens)
    {
        var grant = new GrantId(chance.NewId());
        if (tokens.IdToken is null || callback.Pending.Nonce is null)
            return new FreshTokens(row, connection, SubjectOf(row), grant, tokens, identity: null);

        var known = await oauth.Metadata.GetAsync(connection.Authorization, CancellationToken.None);
        var read = known.TryGet(out var metadata, out var noMetadata)
            ? await oauth.IdTokens.ReadAsync(tokens, callback, connection.Authorization, metadata, CancellationToken.None)
            : noMetadata;
        if (read.TryGet(out var identity, out var forged))
            return new FreshTokens(row, connection, SubjectOf(row), grant, tokens, identity);

        using var distrusted = new FreshTokens(row, connection, SubjectOf(row), grant, tokens, identity: null);
        await DiscardAsync(distrusted, EventKind.ConnectRefused, forged.Code, null, CancellationToken.None);
        return new Refusal(RefusalKind.Untrusted, "The sign-in service's answer could not be trusted. Nothing was stored.")
        { Code = forged.Code, Connection = connection.Id };
    }

    /// <summary>
    /// Seals and stores the tokens as an unconfirmed grant, with its event, in one transaction; where that fails, they are given back. A commit
    /// of which nobody knows whether it stands left a grant that nobody can confirm.
    /// </summary>
    public async Task<Outcome<KeptGrant>> KeepAsync(FreshTokens fresh, PlatformPrincipal principal, CancellationToken cancellation)
    {
        try
        {
            return await StoreAsync(fresh, principal, cancellation);
        }
        catch (Exception failure)
        {
            await handBack.TellAsync(fresh, Refused(fresh, EventKind.ConnectRefused, HandBack.NotKept, principal), failure);
            if (failure is not (DbException or RefusedException))
                throw;
            return HandBack.Refuse(fresh.Connection);
        }
    }

    private async Task<Outcome<KeptGrant>> StoreAsync(FreshTokens fresh, PlatformPrincipal principal, CancellationToken cancellation)
    {
        var confirmation = chance.NewSecret();
        var connection = fresh.Connection;
        var absoluteEnd = options.Profiles(connection.Authorization)?.AbsoluteSession is { } session ? await clock.NowAsync(cancellation) + session : (DateTimeOffset?)null;
        var pair = await sealer.SealAsync(fresh.Grant, fresh.Subject.Key, connection, 1, fresh.Tokens, fresh.Tokens.Refresh, absoluteEnd);
        var grant = await macs.SignAsync(new NewGrant
        {
            Id = fresh.Grant,
            Subject = fresh.Subject.Key,
            Connection = connection.Id,
            Session = fresh.Pending.Session,
            Pair = pair,
            Scopes = string.Join(' ', fresh.Scopes),
            Principal = principal,
            ConnectionDigest = ConnectionDigest.Of(connection),
            DefinitionRevision = connection.Revision,
            AbsoluteEndAt = absoluteEnd,
        }, SecretHash.Of(confirmation.Reveal()), cancellation);
        var issued = Event(EventKind.TokensIssued, fresh.Pending) with { Grant = fresh.Grant, Generation = 1, Principal = principal };
        var result = await store.CommitAsync(
            [GrantChanges.InsertUnconfirmed(grant, SecretHash.Of(confirmation.Reveal()), connection.Lifetimes.Unconfirmed)],
            issued.With("scopes", grant.Scopes).With("expires", pair.AccessExpiresAt.ToUnixTimeSeconds()), null, cancellation);
        return result.Committed
            ? new KeptGrant(fresh.Connect, fresh.Grant, confirmation)
            : new Refusal(RefusalKind.Conflict, "This connect was stored already.") { Code = "connect-stored" };
    }

    /// <summary>
    /// Keeps nothing: somebody else consented, or a needed scope was not given. The tokens are handed to the outbox, so that the
    /// authorization server is told even when it does not answer now; where the outbox cannot be written, it is told at once.
    /// </summary>
    public async Task DiscardAsync(FreshTokens fresh, EventKind kind, string code, PlatformPrincipal? principal, CancellationToken cancellation)
    {
        var discarded = Refused(fresh, kind, code, principal);
        try
        {
            var pair = await sealer.SealAsync(fresh.Grant, fresh.Subject.Key, fresh.Connection, 1, fresh.Tokens, fresh.Tokens.Refresh);
            await store.CommitAsync(
                [RevocationChanges.Enqueue(new RevocationRow(
                    chance.NewId(), fresh.Subject.Key, fresh.Connection.Id, fresh.Grant, 1, ConnectionDigest.Of(fresh.Connection),
                    pair.Refresh, pair.Access, pair.AccessExpiresAt))],
                discarded, null, cancellation);
        }
        catch (Exception failure)
        {
            // What the person is told is the same: nothing was kept.
            await handBack.TellAsync(fresh, discarded, failure);
        }
    }

    /// <summary>
    /// The page that asked confirms, with the secret that only it was given. The grant it replaces is revoked in the same transaction.
    /// </summary>
    public async Task<Outcome<GrantRow>> ConfirmAsync(Session session, GrantId id, string confirmation, CancellationToken cancellation)
    {
        var tenant = session.Subject.Key.Tenant;
        var waiting = await store.Grants.FindAsync(tenant, id, cancellation);
        if (waiting is { State: GrantState.Unconfirmed } && !(await macs.CheckAsync(waiting, cancellation)).TryGet(out _, out var edited))
        {
            if (edited.IsKeyUnavailable())
                return KeysUnavailable.Of(edited);
            await store.RecordAsync(GrantFacts.Event(EventKind.RowTampered, waiting, edited.Code).With("table", "grants"), cancellation);
            waiting = null;
        }
        // Only as it was read and checked: one in another state has no MAC to go by.
        for (var tries = 0; waiting is { State: GrantState.Unconfirmed } && tries < 3; tries++)
        {
            List<Change> changes = [];
            var mac = await macs.OfAsync(waiting with { State = GrantState.Active, Confirmation = null }, cancellation);
            var old = await store.Grants.FindActiveAsync(session.Subject.Key, waiting.Connection, cancellation);
            if (old is not null)
            {
                changes.Add(RevocationChanges.EnqueueFromGrant(chance.NewId(), tenant, old.Id));
                changes.Add(GrantChanges.Replace(tenant, old.Id));
            }
            changes.Add(GrantChanges.Confirm(tenant, id, session.Id, SecretHash.Of(confirmation), mac));
            var confirmed = new AuditEvent(EventKind.GrantConfirmed, tenant)
            { Subject = session.Subject.Key, Connection = waiting.Connection, Grant = id, Generation = 1, Principal = waiting.Principal };
            var result = await store.CommitAsync(changes, confirmed.With("replaced", old?.Id.ToString()), null, cancellation);
            if (result.Committed)
                return (await store.Grants.FindAsync(tenant, id, cancellation))!;
        }
        await store.RecordAsync(
            new AuditEvent(EventKind.ConnectRefused, tenant) { Subject = session.Subject.Key, Connection = waiting?.Connection, Grant = id, Code = "confirm" }, cancellation);
        return new Refusal(RefusalKind.Forbidden, "Only the page that asked for this connection can confirm it, once, within five minutes. Start again.") { Code = "confirm" };
    }

    private async Task<Outcome<PendingConnectRow>> ByHandleAsync(TenantId tenant, string handle, CancellationToken cancellation)
    {
        var row = await store.Connects.FindByHandleAsync(SecretHash.Of(handle), cancellation);
        var now = await clock.NowAsync(cancellation);
        if (row is { Stage: ConnectStage.Begun } && row.Subject.Tenant == tenant && row.ExpiresAt > now)
            return await DistrustAsync(row, cancellation) is { } distrusted ? distrusted : row;
        return new Refusal(RefusalKind.NotFound, "This window belongs to no connect that can still go on. Close it and start again.") { Code = "handle-unknown" };
    }

    /// <summary>Null when nobody edited the row. A used one has no MAC any more and is refused as such by what follows.</summary>
    private async Task<Refusal?> DistrustAsync(PendingConnectRow row, CancellationToken cancellation)
    {
        if (row.Stage is ConnectStage.Used or ConnectStage.Failed || (await macs.CheckAsync(row, cancellation)).TryGet(out _, out var why))
            return null;
        if (why.IsKeyUnavailable())
            return KeysUnavailable.Of(why);
        await store.RecordAsync(Event(EventKind.RowTampered, row).With("table", "pending_connects") with { Code = why.Code }, cancellation);
        return new Refusal(RefusalKind.Untrusted, "This connect cannot go on. Close this window and start again.") { Code = "connect-tampered", Connection = row.Connection };
    }

    private async Task<Refusal> RefuseAsync(TenantId tenant, PendingConnectRow? row, string code, string detail, CancellationToken cancellation)
    {
        var refused = row is null ? new AuditEvent(EventKind.ConnectRefused, tenant) : Event(EventKind.ConnectRefused, row);
        await store.RecordAsync(refused with { Code = code }, cancellation);
        return new Refusal(RefusalKind.Untrusted, detail) { Code = code, Connection = row?.Connection };
    }

    private Task<Refusal> RefuseSpentAsync(PendingConnectRow row, CancellationToken cancellation) => RefuseAsync(
        row.Subject.Tenant, row, row.Stage == ConnectStage.Used ? "replayed" : "late", "This connect was finished already, or took too long. Start again.", cancellation);

    private async Task<Refusal> RefuseCallbackAsync(PendingConnectRow row, Refusal distrust, CancellationToken cancellation)
    {
        var denied = distrust.Code == "access-denied";
        await store.RecordAsync(Event(denied ? EventKind.ConnectDenied : EventKind.ConnectRefused, row) with { Code = distrust.Code }, cancellation);
        return denied
            ? new Refusal(RefusalKind.ReconnectRequired, "You did not allow the connection. Nothing was stored.") { Code = distrust.Code, Reconnect = ReconnectReason.Denied, Connection = row.Connection }
            : distrust with { Connection = row.Connection };
    }

    private Task<Refusal> RefuseExchangeAsync(PendingConnectRow row, Connection connection, TokenAnswer answer, CancellationToken cancellation) => answer switch
    {
        TokenAnswer.Rejected rejected => RefuseExchangeAsync(row, connection, rejected.Error, RefusalKind.Untrusted, cancellation),
        TokenAnswer.Unavailable unavailable =>
            RefuseExchangeAsync(row, connection, unavailable.Kind.ToString(), RefusalKind.AuthorizationServerUnavailable, cancellation),
        _ => RefuseExchangeAsync(row, connection, "unknown", RefusalKind.Untrusted, cancellation),
    };

    private async Task<Refusal> RefuseExchangeAsync(PendingConnectRow row, Connection connection, string code, RefusalKind kind, CancellationToken cancellation)
    {
        await store.RecordAsync(Event(EventKind.ConnectRefused, row) with { Code = "exchange-" + code }, cancellation);
        return new Refusal(kind, $"The sign-in service of {connection.DisplayName} did not finish the connection. Nothing was stored; start again.")
        { Code = "exchange-" + code, Connection = connection.Id };
    }

    private static AuditEvent Refused(FreshTokens fresh, EventKind kind, string code, PlatformPrincipal? principal) =>
        Event(kind, fresh.Pending) with { Code = code, Grant = fresh.Grant, Generation = 1, Principal = principal };

    private static Subject SubjectOf(PendingConnectRow row) => new(row.Subject, AttributesJson.Read(row.Attributes));

    internal static string BindingName(string stateDigest) => stateDigest[..BindingNameLength];

    /// <summary>The state's digest as the store keeps hashes.</summary>
    internal static SecretHash StateHash(string stateDigest) => SecretHash.FromBytes(System.Buffers.Text.Base64Url.DecodeFromChars(stateDigest));

    private static RecordContext Context(PendingConnectRow row, Connection connection) =>
        RecordContexts.PendingConnect(row.Id.ToString("D"), row.Subject, row.Connection, ConnectionDigest.Of(connection));

    private static AuditEvent Event(EventKind kind, PendingConnectRow row) => new AuditEvent(kind, row.Subject.Tenant)
    {
        Subject = row.Subject,
        Connection = row.Connection,
    }.With("connect", row.Id.ToString("D")).With("origin", row.HostOrigin);
}
