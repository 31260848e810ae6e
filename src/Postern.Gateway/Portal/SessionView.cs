using Microsoft.AspNetCore.Http;
using Postern.Gateway.Connect;
using Postern.Gateway.Http;
using Postern.Gateway.Sessions;
using Postern.Gateway.Tenants;
using Postern.Gateway.Workbooks;
using Postern.Grants;
using Postern.Grants.Sessions;
using Postern.Model;
using Postern.Policy;

namespace Postern.Gateway.Portal;

/// <summary>What a session may know of itself.</summary>
internal sealed class SessionView(GrantDesk desk, PublishedWorkbooks workbooks, TimeProvider time)
{
    public async Task<SessionBody> OfAsync(HttpContext context, Session session)
    {
        var tenant = TenantGate.Of(context);
        var catalog = await workbooks.CatalogAsync(tenant.Id, context.RequestAborted);
        var frame = session.Workbook is { } workbook ? catalog.Find(tenant.Id, workbook) : null;

        // A frame knows of the one connection its workbook uses.
        var ids = session.Kind == SessionKind.Frame ? frame is null ? [] : [frame.Connection] : tenant.Connections;
        var connections = new List<ConnectionBody>();
        foreach (var id in ids)
        {
            if ((await desk.Definitions.ConnectionAsync(tenant.Id, id, context.RequestAborted)).TryGet(out var connection, out _))
                connections.Add(await OfAsync(session.Subject.Key, connection, context.RequestAborted));
        }
        var expires = session.AbsoluteExpiresAt - time.GetUtcNow();
        return new(
            session.Kind == SessionKind.Frame ? "frame" : "portal",
            new(session.Subject.Key.Id, session.Subject.DisplayName, session.Subject.Email),
            new(tenant.Id.Value, tenant.DisplayName),
            session.Workbook?.Value,
            [.. connections],
            session.Kind == SessionKind.Frame ? [] : await WorkbooksAsync(context, session, catalog),
            (long)Math.Max(0, expires.TotalSeconds));
    }

    /// <summary>Those that can show this person something: reachable, still published rightly, and not filtered to nothing for want of an attribute.</summary>
    private async Task<SessionBody.WorkbookPart[]> WorkbooksAsync(HttpContext context, Session session, WorkbookCatalog catalog)
    {
        var (tenant, viewer) = (TenantGate.Of(context).Id, SessionGate.ViewerOf(context, session));
        var policies = await PolicyRows.CurrentAsync(desk.Definitions, tenant, context.RequestAborted);
        var listed = new List<SessionBody.WorkbookPart>();
        foreach (var workbook in catalog.Of(tenant))
        {
            if ((await desk.Definitions.ConnectionAsync(tenant, workbook.Connection, context.RequestAborted)).TryGet(out var connection, out _)
                && workbook.Queries.Any(query => QueryPolicy.CanShowRows(viewer, workbook.ForPolicy(query.Name), connection, policies)))
                listed.Add(new(workbook.Id.Value, workbook.Title));
        }
        return [.. listed];
    }

    private async Task<ConnectionBody> OfAsync(SubjectKey subject, Connection connection, CancellationToken cancellation)
    {
        var profile = ProviderProfile.Of(connection.Authorization);
        if (connection.Identity == IdentityMode.Service)
        {
            // Postern makes its grant when it is needed, so only an administrator's revocation makes it unavailable.
            var service = await desk.StandingAsync(SubjectKey.Service(subject.Tenant), connection.Id, cancellation);
            var revoked = service is { Row.State: GrantState.Revoked };
            return new(
                connection.Id.Value, connection.DisplayName, connection.Platform, "service", revoked ? "not-connected" : "connected",
                revoked ? Problems.Reason(ReconnectReason.Revoked) : null, profile?.CanRevoke ?? false, null, null, null, null, null);
        }

        var grant = await desk.StandingAsync(subject, connection.Id, cancellation);
        var active = grant?.Row.State == GrantState.Active;
        return new(
            connection.Id.Value,
            connection.DisplayName,
            connection.Platform,
            "user",
            // A permission that was taken back is none; one that ended by itself asks to be renewed.
            active ? "connected" : grant is null or { Row.State: GrantState.Revoked } ? "not-connected" : "reconnect",
            active || grant is null ? null : Problems.Reason(grant.Row.State == GrantState.Revoked ? ReconnectReason.Revoked : grant.Row.Reason),
            profile?.CanRevoke ?? false,
            active ? grant!.Row.Principal.Shown : null,
            active ? ScopeBody.Of(grant!.Scopes, profile) : null,
            active ? grant!.Row.AccessExpiresAt : null,
            active ? grant!.EndsAt : null,
            active ? grant!.WarningAt(time.GetUtcNow()) : null);
    }
}
