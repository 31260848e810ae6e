namespace Postern.OAuth;

/// <summary>
/// What came of a token request. Closed: <see cref="Issued"/>, <see cref="Rejected"/> or <see cref="Unavailable"/>. Holds no text
/// of the server's but a registered error code.
/// </summary>
public abstract record TokenAnswer
{
    private TokenAnswer()
    {
    }

    /// <summary>The server issued tokens.</summary>
    public sealed record Issued(TokenSet Tokens) : TokenAnswer;

    /// <summary>The server answered with an OAuth error (RFC 6749 section 5.2) and a status of 4xx.</summary>
    /// <param name="Error">One of <see cref="OAuthErrors"/>; <see cref="OAuthErrors.Unregistered"/> for anything else.</param>
    /// <param name="Status">The HTTP status.</param>
    public sealed record Rejected(string Error, int Status) : TokenAnswer
    {
        /// <summary>
        /// The grant is over: a parsed JSON <c>invalid_grant</c> with status 400, and nothing else. Every other rejection is about
        /// the client or the request, and the grant may outlive it (RFC 6749 section 5.2).
        /// </summary>
        public bool EndsGrant => Status == 400 && string.Equals(Error, OAuthErrors.InvalidGrant, StringComparison.Ordinal);
    }

    /// <summary>No usable answer; the grant stands.</summary>
    /// <param name="Kind">What went wrong.</param>
    /// <param name="MayHaveBeenReceived">
    /// True when the server may have acted on the request without our learning the result, so that a single-use credential may be
    /// spent: the connection dropped or the time ran out after the body began to be sent, a gateway reported 504, or a success could
    /// not be read. False when nothing was sent, or when the server itself said that it did not do it (429, 5xx but 504, 3xx, 4xx).
    /// </param>
    /// <param name="RetryAfter">The server's Retry-After, if it sent one.</param>
    /// <param name="Status">The HTTP status, if there was one.</param>
    public sealed record Unavailable(UnavailableKind Kind, bool MayHaveBeenReceived, TimeSpan? RetryAfter = null, int? Status = null)
        : TokenAnswer;
}

/// <summary>Why an authorization server gave no usable answer.</summary>
public enum UnavailableKind
{
    /// <summary>No connection, or it broke.</summary>
    Network,
    /// <summary>The host's address is private, loopback, link-local or reserved, and not allowed here.</summary>
    AddressRefused,
    /// <summary>The time ran out.</summary>
    Timeout,
    /// <summary>The caller cancelled.</summary>
    Cancelled,
    /// <summary>5xx, or <c>server_error</c> or <c>temporarily_unavailable</c>.</summary>
    ServerError,
    /// <summary>429, or <c>slow_down</c>.</summary>
    RateLimited,
    /// <summary>3xx, which is never followed.</summary>
    Redirected,
    /// <summary>Another content type than JSON.</summary>
    NotJson,
    /// <summary>JSON, but not what the standard says: a member of the wrong type, missing, twice, or an unknown token type.</summary>
    Malformed,
    /// <summary>A body over the limit.</summary>
    TooLarge,
}
