using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.IdentityModel.Tokens;
using Postern.Model;

namespace Postern.OAuth;

// ID tokens. Facts (OpenID Connect Core section 3.1.3.7, RFC 8725):
//   RS256, PS256 and ES256 and nothing else: no "none", no HMAC, so a public key is never a shared secret;
//   keys come from the issuer's own jwks_uri; jku, x5u, jwk in a header are never looked at; crit and b64 refuse the token;
//   the library verifies the signature and nothing more; every claim is judged here, by our clock, with a reason of its own.

/// <summary>Validates ID tokens: the signature with the issuer's keys, then every claim that matters.</summary>
public sealed class IdTokenReader
{
    private const int MaxTokenLength = 32 * 1024;

    private static readonly SearchValues<char> Alphabet =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    // No cache: its entries would be chosen by whoever publishes keys.
    private static readonly CryptoProviderFactory Verifiers = new() { CacheSignatureProviders = false };

    private readonly JwksSource jwks;
    private readonly IdTokenClaims claims;

    internal IdTokenReader(Wire wire, TimeProvider time, OAuthOptions options)
    {
        jwks = new JwksSource(wire, time, options);
        claims = new IdTokenClaims(time, options);
    }

    /// <summary>
    /// Validates the ID token of a code exchange. Refusals are <see cref="RefusalKind.Untrusted"/> with a code such as
    /// <c>id-token-missing</c>, <c>id-token-alg</c>, <c>id-token-signature</c>, <c>id-token-nonce</c>, or
    /// <see cref="RefusalKind.AuthorizationServerUnavailable"/> when the keys cannot be had. Nothing of a refused token may be used,
    /// and its access token must not be stored.
    /// </summary>
    /// <param name="tokens">What the exchange issued.</param>
    /// <param name="callback">The callback whose code was exchanged; its nonce must stand in the token.</param>
    /// <param name="settings">The client registration, the token's audience.</param>
    /// <param name="metadata">The issuer's metadata, for its keys.</param>
    /// <param name="cancellation">Ends a fetch of keys.</param>
    /// <exception cref="ArgumentException">The metadata or the callback is of another issuer or client.</exception>
    public async Task<Outcome<IdentityToken>> ReadAsync(
        TokenSet tokens, ValidatedCallback callback, AuthorizationSettings settings, ServerMetadata metadata, CancellationToken cancellation)
    {
        ClientProof.RequireSameIssuer(settings, metadata);
        var pending = callback.Pending;
        if (!string.Equals(pending.Issuer, settings.Issuer, StringComparison.Ordinal))
            throw new ArgumentException("The callback is of another issuer than the connection.", nameof(callback));
        if (pending.Nonce is null)
            return No("id-token-not-requested");
        if (tokens.IdToken is null)
            return No("id-token-missing");
        if (metadata.JwksUri is not { } place)
            return No("jwks-missing");

        var text = tokens.IdToken.Reveal();
        if (!TryReadHeader(text, out var header, out var why))
            return No(why);
        var (verified, refusal) = await VerifyAsync(text, header, place, OutboundReach.Of(settings), cancellation);
        return verified ? claims.Judge(Payload(text), settings, pending.Nonce, header.Alg, tokens.Access) : refusal!;
    }

    /// <summary>Verifies with the keys at hand; when none of them fits, asks the issuer once more, as often as the pause allows.</summary>
    private async Task<(bool Verified, Refusal? Refusal)> VerifyAsync(
        string token, Header header, Uri place, OutboundReach reach, CancellationToken cancellation)
    {
        for (var refetch = false; ; refetch = true)
        {
            var outcome = await jwks.GetAsync(place, reach, refetch, cancellation);
            if (!outcome.TryGet(out var keys, out var refusal))
                return (false, refusal);
            var candidates = Candidates(keys, header);
            if (candidates.Count > 0 && SignatureFits(token, header.Alg, candidates))
                return (true, null);
            if (refetch)
                return (false, No(candidates.Count > 0 ? "id-token-signature" : "id-token-key-unknown"));
        }
    }

    /// <summary>Keys by kid, type and algorithm; a decoy with the same kid but another type is not one of them.</summary>
    internal static List<SecurityKey> Candidates(SigningKeys keys, Header header)
    {
        var type = header.Alg == SecurityAlgorithms.EcdsaSha256 ? "EC" : "RSA";
        var candidates = new List<SecurityKey>();
        foreach (var key in keys.Keys)
        {
            if (key.Kty == type
                && (string.IsNullOrEmpty(key.Alg) || key.Alg == header.Alg)
                && (header.Kid is null || string.Equals(key.Kid, header.Kid, StringComparison.Ordinal)))
                candidates.Add(key);
        }
        return candidates;
    }

    /// <summary>The signature alone, over the two parts as they were sent (RFC 7515 section 5.2).</summary>
    internal static bool SignatureFits(string token, string algorithm, List<SecurityKey> candidates)
    {
        var dot = token.LastIndexOf('.');
        if (dot < 0 || !TryBytes(token[(dot + 1)..], out var signature) || signature.Length == 0)
            return false;
        var signed = Encoding.ASCII.GetBytes(token[..dot]);
        foreach (var key in candidates)
        {
            try
            {
                using var verifier = Verifiers.CreateForVerifying(key, algorithm);
                if (verifier.Verify(signed, signature))
                    return true;
            }
            catch (Exception error) when (error is CryptographicException or ArgumentException or InvalidOperationException
                or NotSupportedException or SecurityTokenException)
            {
                // A key that cannot be used, such as a point off its curve, verifies nothing.
            }
        }
        return false;
    }

    /// <summary>What of a header decides.</summary>
    internal sealed record Header(string Alg, string? Kid);

    /// <summary>Reads a compact header strictly: three parts, no member twice, an allowed algorithm, nothing critical.</summary>
    internal static bool TryReadHeader(string token, out Header header, out string why)
    {
        header = new Header("", null);
        why = "id-token-malformed";
        var parts = token.Split('.');
        if (token.Length > MaxTokenLength || parts.Length != 3 || !TryPart(parts[0], out var json))
            return false;
        using (json)
        {
            var root = json.RootElement;
            if (!root.TryText("alg", out var alg) || !root.TryText("kid", out var kid) || !root.TryText("typ", out var typ))
                return false;
            if (alg is not (SecurityAlgorithms.RsaSha256 or SecurityAlgorithms.RsaSsaPssSha256 or SecurityAlgorithms.EcdsaSha256))
            {
                why = "id-token-alg";
                return false;
            }
            // An access token (at+jwt), a logout token or a client assertion is none, however well signed (RFC 8725 section 3.11).
            if (typ is not null && !typ.Equals("JWT", StringComparison.OrdinalIgnoreCase))
            {
                why = "id-token-type";
                return false;
            }
            if (root.TryGetProperty("crit", out _) || root.TryGetProperty("b64", out _))
            {
                why = "id-token-critical-header";
                return false;
            }
            header = new Header(alg, kid);
            return true;
        }
    }

    private static JsonDocument? Payload(string token) => TryPart(token.Split('.')[1], out var json) ? json : null;

    private static bool TryPart(string part, [NotNullWhen(true)] out JsonDocument? json)
    {
        json = null;
        return TryBytes(part, out var bytes) && StrictJson.TryParse(bytes, out json);
    }

    /// <summary>Strict base64url: its alphabet alone, no padding, no white space (RFC 7515 section 2).</summary>
    private static bool TryBytes(string part, out byte[] bytes)
    {
        bytes = [];
        if (part.AsSpan().ContainsAnyExcept(Alphabet))
            return false;
        try
        {
            bytes = Base64Url.DecodeFromChars(part);
            return true;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    internal static Refusal No(string code) => new(RefusalKind.Untrusted,
        "The identity that the authorization server sent cannot be believed. Nothing was stored; start again.")
    { Code = code };
}
