using Postern.Gateway.Http;
using Postern.Grants;
using Postern.Grants.Connects;
using Postern.Grants.Sessions;
using Postern.Model;
using Postern.OAuth;
using Postern.Policy;
using Postern.Store;
using Postern.Warehouse;

namespace Postern.Gateway.Connect;

/// <summary>What the callback's page hands to the window that asked.</summary>
internal sealed record ConnectResult(Guid Connect, string Confirmation, string Connection, string Principal);

/// <summary>
/// The connect journey. Begin: a window asks; a popup takes the handle from that window and shows who connects what; the person goes
/// on. Complete: the callback, judged before anything is believed. Confirm: only the window that asked makes the grant active. So
/// neither can an attacker plant his grant in a victim's session, nor collect a victim's consent under his own.
/// </summary>
internal sealed class ConnectFlow(GrantDesk desk, DriverRegistry drivers)
{
    /// <summary>
    /// <list type="number">
    /// <item>session gate (the caller's)</item>
    /// <item>policy: <see cref="PermittedConnect"/></item>
    /// <item>pending connect, for this session</item>
    /// </list>
    /// </summary>
    public async Task<Outcome<BegunConnect>> BeginAsync(
        Session session, Viewer viewer, ConnectionId connection, string redirectUri, CancellationToken cancellation)
    {
        // 2
        var found = await desk.Definitions.ConnectionAsync(viewer.Subject.Key.Tenant, connection, cancellation);
        if (!ConnectPolicy.Judge(viewer, found.TryGet(out var known, out var unknown) ? known : null).TryGet(out var permitted, out var refused))
            return unknown is { Kind: RefusalKind.Unavailable } ? unknown : refused;

        // 3
        var host = session.EmbedKey is { } key ? (await desk.Definitions.EmbedKeyAsync(viewer.Subject.Key.Tenant, key, cancellation))?.DisplayName : null;
        return await desk.Connects.BeginAsync(permitted, session, host, redirectUri, cancellation);
    }

    /// <summary>
    /// <list type="number">
    /// <item>state, browser binding, first use; <c>iss</c> and parameters: <see cref="ValidatedCallback"/>; the code, once</item>
    /// <item>the principal, from the ID token or else the platform's who-am-I</item>
    /// <item>matched to the subject; a mismatch stores nothing and names both</item>
    /// <item>the granted scopes suffice</item>
    /// <item>sealed and saved as unconfirmed, with its event, in one transaction</item>
    /// </list>
    /// </summary>
    public async Task<Outcome<ConnectResult>> CompleteAsync(
        Tenant tenant, CallbackParameters parameters, string? binding, string receivedAt, CancellationToken cancellation)
    {
        // 1
        var exchanged = await desk.Connects.ExchangeAsync(tenant.Id, parameters, binding, receivedAt, cancellation);
        if (!exchanged.TryGet(out var fresh, out var refused))
            return refused;

        // Tokens exist from here on: whatever happens, they are kept or handed back, also when the browser goes away.
        cancellation = CancellationToken.None;
        using (fresh)
        {
            // 2
            var asked = await PrincipalAsync(fresh, cancellation);
            if (!asked.TryGet(out var principal, out var unknown))
            {
                await desk.Connects.DiscardAsync(fresh, EventKind.ConnectRefused, "principal-unknown", null, cancellation);
                return unknown;
            }

            // 3
            if (!PrincipalMatch.Judge(fresh.Connection, fresh.Subject, principal).TryGet(out _, out var mismatch))
            {
                await desk.Connects.DiscardAsync(fresh, EventKind.ConnectMismatched, mismatch.Code, principal, cancellation);
                return mismatch with { Connection = fresh.Connection.Id };
            }

            // 4
            if (ProviderProfile.Find(fresh.Connection.Authorization.Profile) is { } profile && !profile.AllowsQueries(fresh.Scopes))
            {
                await desk.Connects.DiscardAsync(fresh, EventKind.ConnectRefused, "scope-missing", principal, cancellation);
                return new Refusal(RefusalKind.ReconnectRequired,
                    $"You did not allow the permission that dashboards need ({string.Join(" or ", profile.QueryScopes)}). Nothing was stored; connect again and leave it ticked.")
                {
                    Reconnect = ReconnectReason.Scope,
                    Connection = fresh.Connection.Id,
                    Code = "scope-missing",
                };
            }

            // 5
            var kept = await desk.Connects.KeepAsync(fresh, principal, cancellation);
            return kept.TryGet(out var grant, out var conflict)
                ? new ConnectResult(grant.Connect, $"{grant.Grant}.{Cookies.Value(grant.Confirmation)}", fresh.Connection.DisplayName, principal.Shown)
                : conflict;
        }
    }

    /// <summary>The window that asked makes the grant active; nobody else can.</summary>
    /// <param name="confirmation">What the callback's page handed over: the grant and its one-time secret.</param>
    public async Task<Outcome<GrantRow>> ConfirmAsync(Session session, string confirmation, CancellationToken cancellation)
    {
        var wrong = new Refusal(RefusalKind.Forbidden, "Only the page that asked for this connection can confirm it. Start again.") { Code = "confirm" };
        if (confirmation.Split('.') is not [var grant, var secret] || !Guid.TryParseExact(grant, "D", out var id))
            return wrong;
        return await desk.Connects.ConfirmAsync(session, new GrantId(id), secret, cancellation);
    }

    private async Task<Outcome<PlatformPrincipal>> PrincipalAsync(FreshTokens fresh, CancellationToken cancellation)
    {
        if (fresh.FromIdToken is { } told)
            return told;
        return drivers.Find(fresh.Connection).TryGet(out var driver, out var none)
            ? await driver.WhoAmIAsync(fresh.Connection, fresh.WhoAmI, cancellation)
            : none;
    }
}
