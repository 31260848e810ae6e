using System.Collections.Frozen;

namespace Postern.OAuth;

/// <summary>
/// The registered error codes (IANA OAuth Extensions Error registry) that this client knows. Anything else a server says becomes
/// <see cref="Unregistered"/>, so that no text of a stranger travels into events, logs or pages.
/// </summary>
public static class OAuthErrors
{
    /// <summary>The person or the server denied the request.</summary>
    public const string AccessDenied = "access_denied";
    /// <summary>The grant, code or refresh token is invalid, expired, revoked or another client's.</summary>
    public const string InvalidGrant = "invalid_grant";
    /// <summary>Client authentication failed.</summary>
    public const string InvalidClient = "invalid_client";
    /// <summary>A scope is invalid, unknown or more than was granted.</summary>
    public const string InvalidScope = "invalid_scope";
    /// <summary>The request is malformed.</summary>
    public const string InvalidRequest = "invalid_request";
    /// <summary>This client may not use this grant type.</summary>
    public const string UnauthorizedClient = "unauthorized_client";
    /// <summary>The server failed.</summary>
    public const string ServerError = "server_error";
    /// <summary>The server is overloaded or in maintenance.</summary>
    public const string TemporarilyUnavailable = "temporarily_unavailable";
    /// <summary>Too fast (RFC 8628 section 3.5, used more widely).</summary>
    public const string SlowDown = "slow_down";
    /// <summary>The server cannot revoke tokens of this kind (RFC 7009 section 2.2.1).</summary>
    public const string UnsupportedTokenType = "unsupported_token_type";
    /// <summary>Stands for every code that is not in this list.</summary>
    public const string Unregistered = "unregistered_error";

    private static readonly FrozenSet<string> Registered = new[]
    {
        AccessDenied, InvalidGrant, InvalidClient, InvalidScope, InvalidRequest, UnauthorizedClient, ServerError,
        TemporarilyUnavailable, SlowDown, UnsupportedTokenType, "unsupported_response_type", "unsupported_grant_type", "invalid_target",
        "interaction_required", "login_required", "account_selection_required", "consent_required", "invalid_request_uri",
        "invalid_request_object", "request_not_supported", "request_uri_not_supported", "registration_not_supported",
        "unmet_authentication_requirements", "invalid_dpop_proof", "use_dpop_nonce", "insufficient_user_authentication",
    }.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>The code itself when it is registered, else <see cref="Unregistered"/>.</summary>
    public static string Recognise(string? code) =>
        code is not null && Registered.TryGetValue(code, out var known) ? known : Unregistered;
}
