using Postern.Model;

namespace Postern.OAuth;

// The token endpoint. Facts:
//   Plain HTTP requests of our own, not a library's: a library's request takes its refresh token, and gives its answer, as strings,
//   buffers a body without limit, and cannot say whether a request that failed had been sent. Here tokens go from bytes to bytes,
//   and "may have been received" is known from the moment the body began to leave (SecretForm.Sent).
//   One request, one attempt: no redirect is followed, nothing is repeated (RFC 9700 section 4.12, RFC 6749 section 4.1.2).

/// <summary>Sends codes, refresh tokens and client credentials to a token endpoint, each request once.</summary>
public sealed class TokenEndpoint
{
    private readonly Wire wire;
    private readonly OAuthOptions options;

    internal TokenEndpoint(Wire wire, OAuthOptions options)
    {
        this.wire = wire;
        this.options = options;
    }

    /// <summary>Exchanges the code of a callback (RFC 6749 section 4.1.3), with its verifier, at the endpoint recorded when it began.</summary>
    /// <exception cref="InvalidOperationException">This callback's code was sent before, whatever came of it.</exception>
    /// <exception cref="ArgumentException">The settings are another connection's.</exception>
    public Task<TokenAnswer> ExchangeAsync(ValidatedCallback callback, AuthorizationSettings settings, CancellationToken cancellation)
    {
        var pending = callback.Pending;
        if (!string.Equals(settings.Issuer, pending.Issuer, StringComparison.Ordinal)
            || !string.Equals(settings.ClientId, pending.ClientId, StringComparison.Ordinal))
            throw new ArgumentException("The callback belongs to another connection.", nameof(settings));
        var form = new SecretForm()
            .Add("grant_type", "authorization_code")
            .Add("code", callback.TakeCode())
            .Add("redirect_uri", pending.RedirectUri)
            .Add("code_verifier", pending.Verifier);
        return SendAsync(settings, pending.TokenEndpoint, form, keepIdToken: true, cancellation);
    }

    /// <summary>
    /// Renews (RFC 6749 section 6). The scope is left out, which means "as granted". An ID token in the answer is dropped unread:
    /// identity is established at connect.
    /// </summary>
    /// <exception cref="ArgumentException">The metadata is of another issuer.</exception>
    public Task<TokenAnswer> RefreshAsync(
        AuthorizationSettings settings, ServerMetadata metadata, SecretBytes refreshToken, CancellationToken cancellation)
    {
        ClientProof.RequireSameIssuer(settings, metadata);
        var form = new SecretForm().Add("grant_type", "refresh_token").Add("refresh_token", refreshToken);
        return SendAsync(settings, metadata.TokenEndpoint, form, keepIdToken: false, cancellation);
    }

    /// <summary>Gets a token for the client itself (RFC 6749 section 4.4). A refresh token in the answer is for the caller to ignore.</summary>
    /// <exception cref="ArgumentException">The metadata is of another issuer, or the client is a public one.</exception>
    public Task<TokenAnswer> ClientCredentialsAsync(AuthorizationSettings settings, ServerMetadata metadata, CancellationToken cancellation)
    {
        ClientProof.RequireSameIssuer(settings, metadata);
        if (settings.ClientAuthentication == ClientAuthentication.None)
            throw new ArgumentException("A public client has no credentials of its own.", nameof(settings));
        var form = new SecretForm().Add("grant_type", "client_credentials");
        if (settings.Scopes.Length > 0)
            form.Add("scope", string.Join(' ', settings.Scopes));
        return SendAsync(settings, metadata.TokenEndpoint, form, keepIdToken: false, cancellation);
    }

    private async Task<TokenAnswer> SendAsync(
        AuthorizationSettings settings, Uri endpoint, SecretForm form, bool keepIdToken, CancellationToken cancellation)
    {
        using (form)
        {
            using var request = ClientProof.Post(settings, endpoint, form);
            var outcome = await wire.SendAsync(request, OutboundReach.Of(settings), options.MaxAnswerBytes, cancellation);
            if (outcome.Answer is not { } answer)
                return TokenAnswerReader.NoAnswer(outcome, form.Sent);
            using (answer)
                return TokenAnswerReader.Read(answer, keepIdToken);
        }
    }
}
