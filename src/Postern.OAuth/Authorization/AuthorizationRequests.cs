using System.Buffers.Text;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Model;

namespace Postern.OAuth;

// The authorization request. Facts:
//   response_type=code only (RFC 9700 section 2.1.2); PKCE with S256 always, whatever metadata says (RFC 7636 section 4.2).
//   state, nonce and verifier: 256 fresh bits each, 43 base64url characters, no data inside.
//   Pushed requests (RFC 9126): the front channel then has client_id and request_uri and nothing else; where they are required there
//   is no way around them, and where they were chosen a failure ends the attempt as well.

/// <summary>Begins authorizations: composes the request, pushes it where that is used, and gives the address for the browser.</summary>
public sealed class AuthorizationRequests
{
    private readonly Wire wire;
    private readonly IChance chance;
    private readonly OAuthOptions options;

    internal AuthorizationRequests(Wire wire, IChance chance, OAuthOptions options)
    {
        this.wire = wire;
        this.chance = chance;
        this.options = options;
    }

    /// <summary>
    /// Begins an authorization. Refusals: <c>redirect-uri-invalid</c>, <c>authorization-endpoint-missing</c>,
    /// <c>pkce-s256-unsupported</c>, <c>par-required</c>, <c>par-rejected</c>, <c>par-unavailable</c>, <c>par-malformed</c>.
    /// </summary>
    /// <param name="settings">The client registration.</param>
    /// <param name="metadata">The server's metadata, of the same issuer.</param>
    /// <param name="redirectUri">The registered redirect URI: https, or http on loopback.</param>
    /// <param name="cancellation">Ends a push under way.</param>
    /// <exception cref="ArgumentException">The metadata is of another issuer: a bug.</exception>
    public async Task<Outcome<AuthorizationRequest>> BeginAsync(
        AuthorizationSettings settings, ServerMetadata metadata, string redirectUri, CancellationToken cancellation)
    {
        ClientProof.RequireSameIssuer(settings, metadata);
        if (!IsRedirectUri(redirectUri))
            return No("redirect-uri-invalid", "The redirect URI must be an absolute https address without a fragment; http is for loopback only.");
        if (metadata.AuthorizationEndpoint is not { } endpoint)
            return No("authorization-endpoint-missing", "The authorization server has no authorization endpoint.");
        if (metadata.CodeChallengeMethods is { } methods && !methods.Contains("S256"))
            return No("pkce-s256-unsupported", "The authorization server does not offer PKCE with S256, and nothing weaker is used.");
        var offered = metadata.PushedAuthorizationRequestEndpoint;
        var required = settings.Par == ParUse.Required || metadata.RequiresPushedAuthorizationRequests;
        if (required && (offered is null || settings.Par == ParUse.Never))
            return No("par-required", "Pushed authorization requests are required, but this server does not offer them or the connection forbids them.");

        var openid = settings.Scopes.Contains("openid");
        var pending = new PendingAuthorization(
            chance.NewSecret(), chance.NewSecret(), openid ? chance.NewSecret() : null,
            settings.Issuer, settings.ClientId, redirectUri, metadata.TokenEndpoint, metadata.SendsIss);
        var parameters = Parameters(settings, pending);
        return offered is null || settings.Par == ParUse.Never
            ? new AuthorizationRequest(WithQuery(endpoint, parameters), pending, Pushed: false, ValidFor: null)
            : await PushAsync(settings, offered, endpoint, parameters, pending, cancellation);
    }

    /// <summary>The S256 challenge of a verifier (RFC 7636 section 4.2).</summary>
    internal static string Challenge(SecretText verifier) =>
        Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(verifier.Reveal())));

    private static ImmutableArray<(string Name, string Value)> Parameters(AuthorizationSettings settings, PendingAuthorization pending)
    {
        var list = ImmutableArray.CreateBuilder<(string, string)>(9);
        list.Add(("response_type", "code"));
        list.Add(("client_id", pending.ClientId));
        list.Add(("redirect_uri", pending.RedirectUri));
        if (settings.Scopes.Length > 0)
            list.Add(("scope", string.Join(' ', settings.Scopes)));
        list.Add(("state", pending.State.Reveal()));
        if (pending.Nonce is not null)
            list.Add(("nonce", pending.Nonce.Reveal()));
        list.Add(("code_challenge", Challenge(pending.Verifier)));
        list.Add(("code_challenge_method", "S256"));
        return list.ToImmutable();
    }

    private async Task<Outcome<AuthorizationRequest>> PushAsync(
        AuthorizationSettings settings, Uri par, Uri endpoint, ImmutableArray<(string Name, string Value)> parameters,
        PendingAuthorization pending, CancellationToken cancellation)
    {
        using var form = new SecretForm();
        foreach (var (name, value) in parameters)
        {
            // client_id is part of the pushed request (RFC 9126 section 2.1); the proof must not add it a second time.
            form.Add(name, value);
        }
        using var request = ClientProof.Post(settings, par, form, withClientId: false);
        var outcome = await wire.SendAsync(request, OutboundReach.Of(settings), options.MaxAnswerBytes, cancellation);
        if (outcome.Answer is not { } answer)
            return Unavailable(outcome.RetryAfter);
        using (answer)
        {
            if (answer.Status is >= 500 or 429 or (>= 300 and < 400))
                return Unavailable(answer.RetryAfter);
            if (answer.Status is >= 400)
            {
                var error = TokenAnswerReader.ErrorOf(answer) ?? OAuthErrors.Unregistered;
                return No("par-rejected",
                    $"The authorization server refused the request ({error}). An administrator has to compare the connection with its registration there.");
            }
            if (!TryReadReference(answer, out var reference, out var validFor))
                return No("par-malformed", "The authorization server's answer to the pushed request cannot be read.") with { Kind = RefusalKind.Untrusted };
            var url = WithQuery(endpoint, [("client_id", pending.ClientId), ("request_uri", reference)]);
            return new AuthorizationRequest(url, pending, Pushed: true, validFor);
        }
    }

    private static bool TryReadReference(WireAnswer answer, out string reference, out TimeSpan validFor)
    {
        reference = "";
        validFor = default;
        // 201 by the standard (RFC 9126 section 2.2); 200 is seen and means the same.
        if (answer.Status is not (200 or 201) || !answer.IsJson || !StrictJson.TryParse(answer.Body, out var document))
            return false;
        using (document)
        {
            if (!document.RootElement.TryText("request_uri", out var text) || text is not { Length: > 0 and <= 2048 })
                return false;
            if (!document.RootElement.TryGetProperty("expires_in", out var seconds) || seconds.ValueKind != JsonValueKind.Number
                || !seconds.TryGetInt64(out var number) || number <= 0)
                return false;
            reference = text;
            validFor = TimeSpan.FromSeconds(Math.Min(number, 3600));
            return true;
        }
    }

    private static string WithQuery(Uri endpoint, ImmutableArray<(string Name, string Value)> parameters)
    {
        // An endpoint may have a query of its own, which is kept (RFC 6749 section 3.1).
        var url = new StringBuilder(endpoint.AbsoluteUri);
        var separator = endpoint.Query.Length == 0 ? '?' : '&';
        foreach (var (name, value) in parameters)
        {
            url.Append(separator).Append(name).Append('=').Append(Uri.EscapeDataString(value));
            separator = '&';
        }
        return url.ToString();
    }

    private static bool IsRedirectUri(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri)
        && (uri.Scheme == Uri.UriSchemeHttps || uri.Scheme == Uri.UriSchemeHttp && uri.IsLoopback)
        && uri.UserInfo.Length == 0 && !text.Contains('#', StringComparison.Ordinal);

    private static Refusal No(string code, string detail) => new(RefusalKind.InvalidRequest, detail) { Code = code };

    private static Refusal Unavailable(TimeSpan? retryAfter) =>
        new(RefusalKind.AuthorizationServerUnavailable, "The authorization server does not accept requests at the moment. Try again shortly.")
        {
            Code = "par-unavailable",
            RetryAfter = retryAfter,
        };
}
