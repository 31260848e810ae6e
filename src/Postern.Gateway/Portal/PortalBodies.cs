using Postern.Gateway.Connect;

namespace Postern.Gateway.Portal;

/// <summary><c>GET /api/session</c>: who I am and how my connections stand; never a token.</summary>
internal sealed record SessionBody(
    string Kind, SessionBody.Person Subject, SessionBody.TenantPart Tenant, string? Workbook, ConnectionBody[] Connections,
    SessionBody.WorkbookPart[] Workbooks, long ExpiresIn)
{
    internal sealed record Person(string Id, string Name, string? Email);

    internal sealed record TenantPart(string Id, string DisplayName);

    internal sealed record WorkbookPart(string Id, string Title);
}

/// <summary>A connection and where I stand on it.</summary>
internal sealed record ConnectionBody(
    string Id, string DisplayName, string Platform, string Identity, string State, string? Reason, bool CanRevokeAtProvider,
    string? Principal, ScopeBody[]? Scopes, DateTimeOffset? AccessTokenExpiresAt, DateTimeOffset? EndsAt, string? Warning);

/// <summary><c>GET /api/grants</c>.</summary>
internal sealed record GrantsBody(GrantBody[] Grants);

/// <summary>A permission I granted.</summary>
internal sealed record GrantBody(
    Guid Id, GrantBody.GrantedConnection Connection, string State, string Principal, ScopeBody[] Scopes, DateTimeOffset GrantedAt,
    DateTimeOffset? LastUsedAt, DateTimeOffset? AccessTokenExpiresAt, DateTimeOffset? EndsAt, string? Warning, bool CanRevokeAtProvider,
    GrantBody.RevocationPart? Revocation)
{
    internal sealed record GrantedConnection(string Id, string DisplayName, string Platform);

    internal sealed record RevocationPart(string Status, DateTimeOffset? AccessTokenLivesUntil);
}
