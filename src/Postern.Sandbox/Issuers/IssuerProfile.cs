namespace Postern.Sandbox.Issuers;

/// <summary>
/// What one authorization server is and can do, as data. An endpoint that is <see langword="null"/> does not exist and is not
/// advertised: the workspace issuer is as poor as the real one was recorded to be.
/// </summary>
/// <param name="Id">The short name: <c>workspace</c>, <c>generic</c> or <c>corp</c>.</param>
/// <param name="Title">The name people see.</param>
/// <param name="Path">The path of the issuer below the server's address, which makes the issuer identifier.</param>
/// <param name="SubjectPrefix">What precedes a user's id in <c>sub</c>, so that no two issuers share a subject.</param>
/// <param name="Scopes">The scopes it knows, <c>openid</c> included.</param>
internal sealed record IssuerProfile(string Id, string Title, string Path, string SubjectPrefix, IReadOnlyList<string> Scopes)
{
    private static readonly string[] DataScopes = ["openid", "profile", "email", "sql", "all-apis", "offline_access"];

    public required string Authorize { get; init; }

    public required string Token { get; init; }

    public required string Jwks { get; init; }

    public required IReadOnlyList<string> Metadata { get; init; }

    /// <summary>Pushed authorization requests (RFC 9126).</summary>
    public string? Par { get; init; }

    /// <summary>Revocation (RFC 7009).</summary>
    public string? Revoke { get; init; }

    /// <summary>Introspection (RFC 7662).</summary>
    public string? Introspect { get; init; }

    public string? UserInfo { get; init; }

    public string? Logout { get; init; }

    /// <summary>Whether people are asked what the client may do. They always are, or never; no answer is remembered.</summary>
    public bool AsksConsent { get; init; } = true;

    /// <summary>Whether access tokens are opaque references rather than JWTs (RFC 9068).</summary>
    public bool OpaqueAccessTokens { get; init; }

    /// <summary>Whether refresh tokens exist; they are then single use, but for <see cref="SandboxOptions.RefreshGrace"/>.</summary>
    public bool Refreshes { get; init; } = true;

    /// <summary>Whether a renewal moves the end of the session, instead of inheriting it.</summary>
    public bool SlidingRefresh { get; init; }

    /// <summary>Whether tokens open the platform's data.</summary>
    public bool OpensPlatform { get; init; } = true;

    /// <summary>Where the sign-in form is sent.</summary>
    public string SignIn => Path + "/sign-in";

    /// <summary>The name of the cookie that remembers who is signed in, at this issuer only.</summary>
    public string Cookie => "sandbox-" + Id;

    /// <summary>Databricks-shaped: neither PAR nor revocation nor introspection, and an absolute end of each session.</summary>
    public static IssuerProfile Workspace { get; } = new("workspace", "Skyline Lakehouse", "/oidc", "ws-", DataScopes)
    {
        Authorize = "/oidc/v1/authorize",
        Token = "/oidc/v1/token",
        Jwks = "/oidc/jwks.json",
        Metadata = ["/oidc/.well-known/oauth-authorization-server", "/oidc/.well-known/openid-configuration"],
    };

    /// <summary>A complete server of today: PAR, rotation, revocation with cascade, introspection, opaque access tokens.</summary>
    public static IssuerProfile Generic { get; } = new("generic", "Generic Data Platform", "/generic", "gen-", DataScopes)
    {
        Authorize = "/generic/authorize",
        Token = "/generic/token",
        Jwks = "/generic/jwks.json",
        Metadata = ["/.well-known/oauth-authorization-server/generic", "/generic/.well-known/openid-configuration"],
        Par = "/generic/par",
        Revoke = "/generic/revoke",
        Introspect = "/generic/introspect",
        UserInfo = "/generic/userinfo",
        OpaqueAccessTokens = true,
        SlidingRefresh = true,
    };

    /// <summary>The company's own sign-in (OpenID Connect); it opens no data and asks no consent.</summary>
    public static IssuerProfile Corporate { get; } = new(
        "corp", "Skyline Airlines sign-in", "/corp", "corp-", ["openid", "profile", "email"])
    {
        Authorize = "/corp/authorize",
        Token = "/corp/token",
        Jwks = "/corp/jwks.json",
        Metadata = ["/corp/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/corp"],
        UserInfo = "/corp/userinfo",
        Logout = "/corp/logout",
        AsksConsent = false,
        Refreshes = false,
        OpensPlatform = false,
    };

    /// <summary>All of them, in the order people read them.</summary>
    public static IReadOnlyList<IssuerProfile> All { get; } = [Workspace, Generic, Corporate];

    /// <summary>The back-channel endpoint at this path, by the name the log and the fault script know it.</summary>
    public string? BackChannelAt(string path) =>
        path == Token ? "token" : path == Par ? "par" : path == Revoke ? "revoke" : path == Introspect ? "introspect" : null;

    /// <summary>Whether a request to this path belongs to this issuer.</summary>
    public bool Owns(PathString path) => path.StartsWithSegments(Path, StringComparison.Ordinal) || Metadata.Contains(path.Value);
}
