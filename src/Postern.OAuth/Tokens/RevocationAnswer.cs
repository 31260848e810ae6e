namespace Postern.OAuth;

/// <summary>Which token is being revoked (RFC 7009 section 2.1, <c>token_type_hint</c>).</summary>
public enum TokenKind
{
    /// <summary>An access token.</summary>
    Access,
    /// <summary>A refresh token; revoking it ends the grant.</summary>
    Refresh,
}

/// <summary>What came of a revocation (RFC 7009 section 2.2).</summary>
public abstract record RevocationAnswer
{
    private RevocationAnswer()
    {
    }

    /// <summary>The token is dead, or was never alive: 200 for either.</summary>
    public sealed record Revoked : RevocationAnswer;

    /// <summary>There is no revocation endpoint, or it cannot revoke tokens of this kind.</summary>
    public sealed record NotSupported : RevocationAnswer;

    /// <summary>The server refused the request itself, for example the client's authentication.</summary>
    /// <param name="Error">One of <see cref="OAuthErrors"/>.</param>
    /// <param name="Status">The HTTP status.</param>
    public sealed record Rejected(string Error, int Status) : RevocationAnswer;

    /// <summary>Nobody knows; the token is taken to be alive and the revocation is sent again later, which is harmless.</summary>
    public sealed record Unavailable(UnavailableKind Kind, TimeSpan? RetryAfter = null, int? Status = null) : RevocationAnswer;
}
