using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Model;

namespace Postern.OAuth;

/// <summary>
/// The private part of a begun authorization: what the callback is judged by and what the code exchange proves. It is bound to one
/// browser by whoever stores it, and used once (RFC 9700 sections 2.1.1 and 4.2.4).
/// </summary>
/// <param name="State">The one-time state, 256 bits.</param>
/// <param name="Verifier">The PKCE verifier, 43 characters, 256 bits (RFC 7636 section 4.1).</param>
/// <param name="Nonce">The nonce of the ID token; null when <c>openid</c> was not asked for.</param>
/// <param name="Issuer">The issuer the browser was sent to.</param>
/// <param name="ClientId">The client that asked.</param>
/// <param name="RedirectUri">The redirect URI, exactly as sent.</param>
/// <param name="TokenEndpoint">The issuer's token endpoint at the time of asking; the code goes there and nowhere else.</param>
/// <param name="ExpectsIss">The server announced that it sends <c>iss</c>; a response without it is forged.</param>
public sealed record PendingAuthorization(
    SecretText State,
    SecretText Verifier,
    SecretText? Nonce,
    string Issuer,
    string ClientId,
    string RedirectUri,
    Uri TokenEndpoint,
    bool ExpectsIss)
{
    private const int FormatVersion = 1;

    /// <summary>The SHA-256 of the state as 43 base64url characters: what a store may look the pending row up by.</summary>
    public string StateDigest => DigestOf(State);

    internal static string DigestOf(SecretText state) => Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(state.Reveal())));

    /// <summary>Canonical UTF-8 JSON for the vault to seal; the caller disposes it.</summary>
    public SecretBytes ToSecret()
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteNumber("v", FormatVersion);
            writer.WriteString("state", State.Reveal());
            writer.WriteString("verifier", Verifier.Reveal());
            if (Nonce is not null)
                writer.WriteString("nonce", Nonce.Reveal());
            writer.WriteString("issuer", Issuer);
            writer.WriteString("client_id", ClientId);
            writer.WriteString("redirect_uri", RedirectUri);
            writer.WriteString("token_endpoint", TokenEndpoint.AbsoluteUri);
            writer.WriteBoolean("expects_iss", ExpectsIss);
            writer.WriteEndObject();
        }
        var secret = new SecretBytes(buffer.WrittenSpan);
        buffer.Clear();
        return secret;
    }

    /// <summary>Reads what <see cref="ToSecret"/> wrote; false for anything else, such as a row of another version.</summary>
    public static bool TryRead(SecretBytes secret, [NotNullWhen(true)] out PendingAuthorization? pending)
    {
        pending = null;
        try
        {
            var reader = new Utf8JsonReader(secret.Reveal());
            using var document = JsonDocument.ParseValue(ref reader);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || root.GetProperty("v").GetInt32() != FormatVersion)
                return false;
            pending = new PendingAuthorization(
                new SecretText(root.GetProperty("state").GetString()!),
                new SecretText(root.GetProperty("verifier").GetString()!),
                root.TryGetProperty("nonce", out var nonce) ? new SecretText(nonce.GetString()!) : null,
                root.GetProperty("issuer").GetString()!,
                root.GetProperty("client_id").GetString()!,
                root.GetProperty("redirect_uri").GetString()!,
                new Uri(root.GetProperty("token_endpoint").GetString()!, UriKind.Absolute),
                root.GetProperty("expects_iss").GetBoolean());
            return true;
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentException
            or FormatException)
        {
            return false;
        }
    }
}
