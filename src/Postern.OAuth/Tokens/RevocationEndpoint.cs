using Postern.Model;

namespace Postern.OAuth;

/// <summary>Revokes tokens (RFC 7009). Sending a revocation again is harmless, so callers may repeat it until it is done.</summary>
public sealed class RevocationEndpoint
{
    private readonly Wire wire;
    private readonly OAuthOptions options;

    internal RevocationEndpoint(Wire wire, OAuthOptions options)
    {
        this.wire = wire;
        this.options = options;
    }

    /// <summary>Revokes one token, once.</summary>
    /// <exception cref="ArgumentException">The metadata is of another issuer.</exception>
    public async Task<RevocationAnswer> RevokeAsync(
        AuthorizationSettings settings, ServerMetadata metadata, SecretBytes token, TokenKind kind, CancellationToken cancellation)
    {
        ClientProof.RequireSameIssuer(settings, metadata);
        if (metadata.RevocationEndpoint is not { } endpoint)
            return new RevocationAnswer.NotSupported();
        using var form = new SecretForm()
            .Add("token", token)
            .Add("token_type_hint", kind == TokenKind.Refresh ? "refresh_token" : "access_token");
        using var request = ClientProof.Post(settings, endpoint, form);
        var outcome = await wire.SendAsync(request, OutboundReach.Of(settings), options.MaxAnswerBytes, cancellation);
        if (outcome.Answer is not { } answer)
            return new RevocationAnswer.Unavailable(outcome.Why, outcome.RetryAfter, outcome.Status);
        using (answer)
            return Read(answer);
    }

    private static RevocationAnswer Read(WireAnswer answer)
    {
        // The body of a 200 means nothing, and 200 is also the answer for a token nobody knows (RFC 7009 section 2.2).
        if (answer.Status == 200)
            return new RevocationAnswer.Revoked();
        if (answer.Status is >= 400 and < 500 and not 429)
        {
            return TokenAnswerReader.ErrorOf(answer) switch
            {
                null => Unavailable(answer.IsJson ? UnavailableKind.Malformed : UnavailableKind.NotJson),
                OAuthErrors.UnsupportedTokenType => new RevocationAnswer.NotSupported(),
                OAuthErrors.ServerError or OAuthErrors.TemporarilyUnavailable => Unavailable(UnavailableKind.ServerError),
                OAuthErrors.SlowDown => Unavailable(UnavailableKind.RateLimited),
                var error => new RevocationAnswer.Rejected(error, answer.Status),
            };
        }
        return Unavailable(answer.Status switch
        {
            429 => UnavailableKind.RateLimited,
            >= 500 => UnavailableKind.ServerError,
            >= 300 => UnavailableKind.Redirected,
            _ => UnavailableKind.Malformed,
        });

        RevocationAnswer.Unavailable Unavailable(UnavailableKind kind) => new(kind, answer.RetryAfter, answer.Status);
    }
}
