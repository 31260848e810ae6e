using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Postern.Gateway.Connect;
using Postern.Gateway.Http;
using Postern.Gateway.Pages;
using Postern.Gateway.Sessions;
using Postern.Grants;
using Postern.Grants.Sessions;
using Postern.Model;
using Postern.Store;

namespace Postern.Gateway.Portal;

/// <summary>My connections: what I granted, when it was last used, revoke.</summary>
internal static class PortalEndpoints
{
    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/", StartAsync);
        var api = app.MapGroup("/api").AddEndpointFilter<SameOriginFilter>();
        api.MapGet("/session", SessionAsync);
        api.MapGet("/grants", ListAsync);
        api.MapDelete("/grants/{grant:guid}", RevokeAsync);
    }

    private static async Task<IResult> StartAsync(HttpContext context, SessionGate gate, Shell shell) =>
        (await gate.RequireAsync(context)).TryGet(out var session, out _) && session.Kind == SessionKind.Portal
            ? shell.Portal(context)
            : Results.LocalRedirect("/sign-in?return_to=%2F");

    private static async Task<IResult> SessionAsync(HttpContext context, SessionGate gate, SessionView view) =>
        (await gate.RequireAsync(context)).TryGet(out var session, out var nobody)
            ? NoStore(context, Results.Json(await view.OfAsync(context, session), GatewayJson.Default.SessionBody))
            : Problems.From(nobody);

    private static async Task<IResult> ListAsync(HttpContext context, SessionGate gate, GrantDesk desk)
    {
        if (!(await PortalAsync(context, gate)).TryGet(out var session, out var refused))
            return Problems.From(refused);
        var grants = await desk.ListAsync(session.Subject.Key, context.RequestAborted);
        return NoStore(context, Results.Json(new GrantsBody([.. grants.Select(Body)]), GatewayJson.Default.GrantsBody));
    }

    private static async Task<IResult> RevokeAsync(Guid grant, HttpContext context, SessionGate gate, GrantDesk desk)
    {
        if (!(await PortalAsync(context, gate)).TryGet(out var session, out var refused))
            return Problems.From(refused);
        var revoked = await desk.RevokeAsync(session.Subject.Key, new GrantId(grant), context.RequestAborted);
        return revoked.TryGet(out var after, out var unknown) ? Results.Json(Body(after), GatewayJson.Default.GrantBody) : Problems.From(unknown);
    }

    // Permissions are reviewed in the portal, where nothing of a host's page is around them.
    private static async ValueTask<Outcome<Session>> PortalAsync(HttpContext context, SessionGate gate)
    {
        var found = await gate.RequireAsync(context);
        if (!found.TryGet(out var session, out var nobody))
            return nobody;
        return session.Kind == SessionKind.Portal
            ? session
            : new Refusal(RefusalKind.Forbidden, "Permissions are shown and revoked in the portal, not in an embedded workbook.") { Code = "frame-session" };
    }

    private static GrantBody Body(GrantSummary grant)
    {
        var row = grant.Row;
        var revocation = grant.Revocations.Count > 0 ? grant.Revocations[0] : null;
        var canRevoke = grant.Profile?.CanRevoke ?? false;
        return new(
            row.Id.Value,
            new(row.Connection.Value, grant.Connection?.DisplayName ?? row.Connection.Value, grant.Connection?.Platform ?? ""),
            row.State switch
            {
                GrantState.Active => "active",
                GrantState.Unconfirmed => "unconfirmed",
                GrantState.Reconnect => "reconnect",
                _ => revocation?.Status == RevocationStatus.Pending && canRevoke ? "revoking" : "revoked",
            },
            row.Principal.Shown,
            ScopeBody.Of(grant.Scopes, grant.Profile),
            row.ConfirmedAt ?? row.CreatedAt,
            row.LastUsedAt,
            row.State == GrantState.Active ? row.AccessExpiresAt : null,
            canRevoke,
            row.State != GrantState.Revoked ? null : new(
                !canRevoke ? "provider-cannot-revoke" : revocation?.Status switch
                {
                    RevocationStatus.Done => "revoked",
                    RevocationStatus.Cannot => "provider-cannot-revoke",
                    RevocationStatus.GaveUp => "gave-up",
                    _ => "pending",
                },
                revocation is { Status: not RevocationStatus.Done } ? revocation.AccessLivesUntil : null));
    }

    private static IResult NoStore(HttpContext context, IResult result)
    {
        context.Response.Headers.CacheControl = "no-store";
        return result;
    }
}
