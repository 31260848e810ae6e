using System.Collections.Immutable;
using System.Net;

namespace Postern.Model;

/// <summary>Whose identity a connection's queries carry.</summary>
public enum IdentityMode
{
    /// <summary>Each person's own, with their consent (pattern 1).</summary>
    User,
    /// <summary>One service principal; row policies are then required (pattern 2).</summary>
    Service,
    /// <summary>The person's corporate identity, exchanged for a platform token (pattern 3).</summary>
    Federated,
}

/// <summary>How the platform principal that consented is matched to the subject (R3).</summary>
/// <param name="Attribute">The subject attribute that must equal the principal's name or e-mail; null only for the unsafe opt-out.</param>
public sealed record IdentityMatch(string? Attribute)
{
    /// <summary>By e-mail, the default.</summary>
    public static IdentityMatch Email { get; } = new("email");

    /// <summary>No match at all: anybody's consent may be stored under anybody. The name carries the danger.</summary>
    public static IdentityMatch UnsafeAny { get; } = new((string?)null);
}

/// <summary>How the client proves itself at the authorization server (RFC 6749 section 2.3).</summary>
public enum ClientAuthentication
{
    /// <summary>HTTP Basic, form-encoded first (RFC 6749 section 2.3.1).</summary>
    SecretBasic,
    /// <summary>In the form body.</summary>
    SecretPost,
    /// <summary>A public client: PKCE alone.</summary>
    None,
}

/// <summary>Whether pushed authorization requests (RFC 9126) are used.</summary>
public enum ParUse
{
    /// <summary>When the metadata offers it.</summary>
    WhenOffered,
    /// <summary>Always; a server without it is refused.</summary>
    Required,
    /// <summary>Never.</summary>
    Never,
}

/// <summary>The client registration of a connection at its authorization server.</summary>
/// <param name="Profile">The provider profile's name, such as <c>databricks</c> or <c>generic</c>.</param>
/// <param name="Issuer">The issuer, compared byte for byte (RFC 8414 section 3.3, RFC 9207 section 2.4).</param>
/// <param name="ClientId">The registered client.</param>
/// <param name="ClientSecret">Its secret, or null for a public client. Never part of <see cref="ConnectionDigest"/>: it may rotate.</param>
/// <param name="ClientAuthentication">How the client authenticates.</param>
/// <param name="Scopes">What is asked for; what was granted decides (R18).</param>
/// <param name="Par">Whether requests are pushed.</param>
public sealed record AuthorizationSettings(
    string Profile,
    string Issuer,
    string ClientId,
    SecretText? ClientSecret,
    ClientAuthentication ClientAuthentication,
    ImmutableArray<string> Scopes,
    ParUse Par = ParUse.WhenOffered)
{
    /// <summary>Plain http is accepted for an issuer on the loopback interface; for sandboxes only.</summary>
    public bool AllowPlainHttpIssuerOnLoopback { get; init; }

    /// <summary>Private networks in which this authorization server may be reached; for this client alone, and none by default.</summary>
    public ImmutableArray<IPNetwork> AllowedNetworks { get; init; } = [];
}

/// <summary>Where and how statements run.</summary>
/// <param name="Warehouse">The platform's compute, such as a Databricks SQL warehouse id.</param>
/// <param name="Catalog">Default catalog or database.</param>
/// <param name="Schema">Default schema.</param>
/// <param name="MaxConcurrency">Statements at once per person on this connection and node; default 8.</param>
/// <param name="MaxRows">Rows one result may have; default 1,000,000.</param>
public sealed record ExecutionSettings(string? Warehouse, string? Catalog, string? Schema, int MaxConcurrency = 8, long MaxRows = 1_000_000);

/// <summary>A data access agreement that must be accepted before connecting (R20).</summary>
public sealed record Agreement(string Version, string Text);

/// <summary>Bounds on token and grant lifetimes (R16).</summary>
public sealed record Lifetimes
{
    /// <value>How long an access token without <c>expires_in</c> is believed; 5 minutes.</value>
    public TimeSpan AssumedAccessToken { get; init; } = TimeSpan.FromMinutes(5);

    /// <value>Renewal starts when this much is left, at the latest; 5 minutes.</value>
    public TimeSpan RenewBeforeLatest { get; init; } = TimeSpan.FromMinutes(5);

    /// <value>Renewal starts when this much is left, at the earliest (jitter lies between); 10 minutes.</value>
    public TimeSpan RenewBeforeEarliest { get; init; } = TimeSpan.FromMinutes(10);

    /// <value>A grant not used for this long is no longer renewed in the background; 1 hour.</value>
    public TimeSpan KeepFreshAfterUse { get; init; } = TimeSpan.FromHours(1);

    /// <value>An unconfirmed connect is revoked after this; 5 minutes.</value>
    public TimeSpan Unconfirmed { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>A data platform of a tenant.</summary>
public sealed record Connection(
    TenantId Tenant,
    ConnectionId Id,
    string DisplayName,
    string Platform,
    Uri Endpoint,
    IdentityMode Identity,
    IdentityMatch IdentityMatch,
    AuthorizationSettings Authorization,
    ExecutionSettings Execution)
{
    /// <summary>Whether people may send SQL of their own.</summary>
    public bool FreeSql { get; init; }

    /// <summary>Private networks in which this platform and its result links may be reached; for this connection alone, and none by default.</summary>
    public ImmutableArray<IPNetwork> AllowedNetworks { get; init; } = [];

    /// <summary>The agreement to accept before connecting, if any.</summary>
    public Agreement? Agreement { get; init; }

    /// <summary>Token and grant lifetimes.</summary>
    public Lifetimes Lifetimes { get; init; } = new();

    /// <summary>The revision of the row this was read from; events name it.</summary>
    public long Revision { get; init; }
}
