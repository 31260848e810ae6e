using Microsoft.IdentityModel.Tokens;
using Postern.Model;

namespace Postern.OAuth;

/// <summary>The public signing keys of one issuer, those that can verify an allowed algorithm and nothing else.</summary>
internal sealed record SigningKeys(IReadOnlyList<JsonWebKey> Keys);

/// <summary>Key sets by address, cached like metadata; an unknown key id asks again, but not more often than the pause allows.</summary>
internal sealed class JwksSource(Wire wire, TimeProvider time, OAuthOptions options)
{
    private const int MaxKeys = 100;
    private readonly DocumentCache<SigningKeys> cache = new(time, options);

    public Task<Outcome<SigningKeys>> GetAsync(Uri place, OutboundReach reach, bool refetch, CancellationToken cancellation) =>
        cache.GetAsync($"{reach}|{place.AbsoluteUri}", c => FetchAsync(place, reach, c), refetch, cancellation);

    private async Task<Outcome<SigningKeys>> FetchAsync(Uri place, OutboundReach reach, CancellationToken cancellation)
    {
        var (answer, failure) = await wire.GetJsonAsync(place, reach, options.MaxDocumentBytes, "jwks", cancellation);
        if (answer is null)
            return failure!;
        using (answer)
            return Read(answer.Body);
    }

    /// <summary>Reads a key set (RFC 7517 section 5). Keys of kinds we do not use are passed over, so that one does not spoil the rest.</summary>
    internal static Outcome<SigningKeys> Read(ReadOnlyMemory<byte> utf8)
    {
        if (!StrictJson.TryParse(utf8, out var document))
            return Malformed;
        using (document)
        {
            if (!document.RootElement.TryGetProperty("keys", out var list) || list.ValueKind != System.Text.Json.JsonValueKind.Array
                || list.GetArrayLength() > MaxKeys)
                return Malformed;
            var keys = new List<JsonWebKey>();
            foreach (var item in list.EnumerateArray())
            {
                if (TryKey(item.GetRawText()) is { } key)
                    keys.Add(key);
            }
            return new SigningKeys(keys);
        }
    }

    private static JsonWebKey? TryKey(string json)
    {
        JsonWebKey key;
        try
        {
            key = new JsonWebKey(json);
        }
        catch (Exception error) when (error is ArgumentException or FormatException or InvalidOperationException)
        {
            return null;
        }
        // A key for encryption verifies nothing (RFC 7517 section 4.2), nor does one whose operations leave verifying out.
        if (key.Use is { Length: > 0 } use && use != "sig" || key.KeyOps.Count > 0 && !key.KeyOps.Contains("verify"))
            return null;
        return key.Kty switch
        {
            "RSA" when Bits(key.N) >= 2048 && Bits(key.E) > 0 => key, // RFC 8725 section 3.5, RFC 7518 section 3.3
            "EC" when key.Crv == "P-256" && Bits(key.X) > 0 && Bits(key.Y) > 0 => key,
            _ => null,
        };
    }

    private static int Bits(string? base64Url)
    {
        try
        {
            if (string.IsNullOrEmpty(base64Url))
                return 0;
            var bytes = Base64UrlEncoder.DecodeBytes(base64Url).AsSpan().TrimStart((byte)0);
            return bytes.IsEmpty ? 0 : bytes.Length * 8 - int.CreateChecked(byte.LeadingZeroCount(bytes[0]));
        }
        catch (FormatException)
        {
            return 0;
        }
    }

    private static Refusal Malformed =>
        new(RefusalKind.Untrusted, "The authorization server's key set cannot be read.") { Code = "jwks-malformed" };
}
