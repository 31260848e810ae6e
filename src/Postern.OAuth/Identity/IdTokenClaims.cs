using System.Buffers.Text;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using Postern.Model;

namespace Postern.OAuth;

/// <summary>The judgement of a verified ID token's claims (OpenID Connect Core section 3.1.3.7), without any sending.</summary>
internal sealed class IdTokenClaims(TimeProvider time, OAuthOptions options)
{
    private const int MaxSubjectLength = 255; // OpenID Connect Core section 2

    /// <summary>Judges, and disposes the payload.</summary>
    public Outcome<IdentityToken> Judge(
        JsonDocument? payload, AuthorizationSettings settings, SecretText nonce, string algorithm, SecretBytes accessToken)
    {
        if (payload is null)
            return IdTokenReader.No("id-token-malformed");
        using (payload)
        {
            var root = payload.RootElement;
            var why = Why(root, settings, nonce, algorithm, accessToken);
            if (why is not null)
                return IdTokenReader.No(why);
            var all = Claims(root);
            root.TryText("sub", out var subject);
            root.TryText("email", out var email);
            root.TryText("name", out var name);
            bool? verified = root.TryGetProperty("email_verified", out var flag) && flag.ValueKind is JsonValueKind.True or JsonValueKind.False
                ? flag.ValueKind == JsonValueKind.True
                : null;
            return new IdentityToken(settings.Issuer, subject!, email, verified, name, all);
        }
    }

    private string? Why(JsonElement root, AuthorizationSettings settings, SecretText nonce, string algorithm, SecretBytes accessToken)
    {
        if (!root.TryText("iss", out var issuer) || !string.Equals(issuer, settings.Issuer, StringComparison.Ordinal))
            return "id-token-issuer";
        if (!AudienceFits(root, settings.ClientId))
            return "id-token-audience";
        var now = time.GetUtcNow();
        if (!TryTime(root, "exp", out var expires) || expires is null || now >= expires + options.ClockSkew)
            return "id-token-expired";
        if (!TryTime(root, "iat", out var issued) || issued is null || issued > now + options.ClockSkew)
            return "id-token-issued-at";
        if (!TryTime(root, "nbf", out var notBefore) || notBefore > now + options.ClockSkew)
            return "id-token-not-yet-valid";
        if (!root.TryText("nonce", out var theirs) || string.IsNullOrEmpty(theirs) || !nonce.Equals(new SecretText(theirs)))
            return "id-token-nonce";
        if (!root.TryText("sub", out var subject) || !IsSubject(subject))
            return "id-token-subject";
        if (!root.TryText("at_hash", out var hash) || hash is not null && !string.Equals(hash, AccessTokenHash(accessToken), StringComparison.Ordinal))
            return "id-token-access-token-hash";
        // Every allowed algorithm ends in 256, so SHA-256 is the hash of at_hash; a new algorithm must think of this.
        return algorithm.EndsWith("256", StringComparison.Ordinal) ? null : "id-token-alg";
    }

    /// <summary>Our client is an audience; with further ones, <c>azp</c> must name us as the party it was issued to (3.1.3.7, 3 to 5).</summary>
    private static bool AudienceFits(JsonElement root, string clientId)
    {
        if (!root.TryText("azp", out var party) || party is not null && !string.Equals(party, clientId, StringComparison.Ordinal))
            return false;
        if (!root.TryGetProperty("aud", out var audience))
            return false;
        if (audience.ValueKind == JsonValueKind.String)
            return audience.ValueEquals(clientId);
        return root.TryTexts("aud", out var list) && list is { } names && names.Contains(clientId) && (names.Length == 1 || party is not null);
    }

    /// <summary>A NumericDate, which may have a fraction (RFC 7519 section 2); null when absent.</summary>
    private static bool TryTime(JsonElement root, string name, out DateTimeOffset? moment)
    {
        moment = null;
        if (!root.TryGetProperty(name, out var value))
            return true;
        // 1e11 seconds is the year 5138: later dates are mistakes in milliseconds.
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out var seconds) || seconds is not (>= 0 and < 1e11))
            return false;
        moment = DateTimeOffset.UnixEpoch.AddSeconds(seconds);
        return true;
    }

    private static bool IsSubject(string? subject) =>
        subject is { Length: > 0 and <= MaxSubjectLength } && !subject.AsSpan().ContainsAnyInRange('\0', '\u001F');

    /// <summary>The left half of the SHA-256 of the access token (OpenID Connect Core section 3.1.3.6).</summary>
    internal static string AccessTokenHash(SecretBytes accessToken)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(accessToken.Reveal(), hash);
        return Base64Url.EncodeToString(hash[..16]);
    }

    private static ImmutableSortedDictionary<string, ImmutableArray<string>> Claims(JsonElement root)
    {
        var all = ImmutableSortedDictionary.CreateBuilder<string, ImmutableArray<string>>(StringComparer.Ordinal);
        foreach (var member in root.EnumerateObject())
        {
            if (member.Name is "nonce" or "at_hash" or "c_hash")
                continue; // of this flow, not of the person
            var values = member.Value.ValueKind == JsonValueKind.Array
                ? [.. member.Value.EnumerateArray().Select(Plain).OfType<string>()]
                : Plain(member.Value) is { } one ? ImmutableArray.Create(one) : [];
            if (!values.IsEmpty)
                all[member.Name] = values;
        }
        return all.ToImmutable();
    }

    private static string? Plain(JsonElement value)
    {
        try
        {
            return value.ValueKind switch
            {
                JsonValueKind.String => value.GetString(),
                JsonValueKind.Number => value.GetRawText(),
                JsonValueKind.True => "true",
                JsonValueKind.False => "false",
                _ => null,
            };
        }
        catch (InvalidOperationException)
        {
            return null; // an escaped lone surrogate
        }
    }
}
