using System.Collections.Immutable;

namespace Postern.OAuth;

/// <summary>
/// What an authorization server says of itself (RFC 8414 section 2), checked: the issuer is the configured one byte for byte, and
/// every endpoint is https, or http on loopback where the connection allows it.
/// </summary>
/// <param name="Issuer">The issuer, byte for byte.</param>
/// <param name="AuthorizationEndpoint">Where browsers are sent; null for a server of machine clients only.</param>
/// <param name="TokenEndpoint">Where codes and refresh tokens go.</param>
public sealed record ServerMetadata(string Issuer, Uri? AuthorizationEndpoint, Uri TokenEndpoint)
{
    /// <summary>Where requests are pushed (RFC 9126), or null.</summary>
    public Uri? PushedAuthorizationRequestEndpoint { get; init; }

    /// <summary>The server accepts pushed requests only (RFC 9126 section 5).</summary>
    public bool RequiresPushedAuthorizationRequests { get; init; }

    /// <summary>Where tokens are revoked (RFC 7009), or null.</summary>
    public Uri? RevocationEndpoint { get; init; }

    /// <summary>Where the keys of ID tokens are, or null.</summary>
    public Uri? JwksUri { get; init; }

    /// <summary>Where a browser ends its session at the server (OIDC RP-Initiated Logout), or null.</summary>
    public Uri? EndSessionEndpoint { get; init; }

    /// <summary>The server sends <c>iss</c> with every authorization response (RFC 9207 section 3).</summary>
    public bool SendsIss { get; init; }

    /// <summary>The PKCE methods it announces; null when it is silent.</summary>
    public ImmutableArray<string>? CodeChallengeMethods { get; init; }

    /// <summary>The scopes it announces; null when it is silent.</summary>
    public ImmutableArray<string>? Scopes { get; init; }

    /// <summary>The grant types it announces; null when it is silent.</summary>
    public ImmutableArray<string>? GrantTypes { get; init; }
}
