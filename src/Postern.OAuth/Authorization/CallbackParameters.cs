using System.Text;
using Postern.Model;

namespace Postern.OAuth;

/// <summary>
/// The query of a callback, read strictly and believed in nothing yet. Unknown parameters are ignored; of an error only its
/// registered code is kept, never its description (RFC 6749 sections 3.1, 4.1.2 and 10.14).
/// </summary>
public sealed class CallbackParameters
{
    /// <summary>The longest value of one parameter, in characters as sent.</summary>
    public const int MaxValueLength = 4096;

    /// <summary>The longest query, in characters.</summary>
    public const int MaxQueryLength = 16384;

    private const int MaxParameters = 32;
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private CallbackParameters(SecretText state, SecretText? code, string? issuer, string? error)
    {
        State = state;
        Code = code;
        Issuer = issuer;
        Error = error;
        StateDigest = PendingAuthorization.DigestOf(state);
    }

    /// <summary>The SHA-256 of the state as 43 base64url characters; finds the pending authorization without naming its state.</summary>
    public string StateDigest { get; }

    internal SecretText State { get; }
    internal SecretText? Code { get; }
    internal string? Issuer { get; }
    internal string? Error { get; }

    /// <summary>
    /// Reads the query of a callback, with or without its question mark. Refusals: <c>query-too-large</c>,
    /// <c>parameter-too-large</c>, <c>duplicate-parameter</c>, <c>invalid-character</c>, <c>state-missing</c>,
    /// <c>response-malformed</c> (neither code nor error, or both).
    /// </summary>
    public static Outcome<CallbackParameters> Parse(string query)
    {
        var rest = query.AsSpan();
        if (rest.StartsWith("?"))
            rest = rest[1..];
        if (rest.Length > MaxQueryLength)
            return No("query-too-large");
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var range in rest.Split('&'))
        {
            var pair = rest[range];
            if (pair.IsEmpty)
                continue;
            var equals = pair.IndexOf('=');
            var name = equals < 0 ? pair : pair[..equals];
            var value = equals < 0 ? default : pair[(equals + 1)..];
            if (pair.Length > MaxValueLength)
                return No("parameter-too-large");
            if (!TryDecode(name, out var plainName) || !TryDecode(value, out var plainValue))
                return No("invalid-character");
            if (!values.TryAdd(plainName, plainValue))
                return No("duplicate-parameter");
            if (values.Count > MaxParameters)
                return No("query-too-large");
        }
        var state = NonEmpty("state");
        var code = NonEmpty("code");
        var error = NonEmpty("error");
        if (state is null)
            return No("state-missing");
        if (code is null == error is null)
            return No("response-malformed");
        return new CallbackParameters(
            new SecretText(state),
            code is null ? null : new SecretText(code),
            values.GetValueOrDefault("iss"),
            error is null ? null : OAuthErrors.Recognise(error));

        string? NonEmpty(string name) => values.GetValueOrDefault(name) is { Length: > 0 } value ? value : null;
    }

    /// <summary>The shape only.</summary>
    public override string ToString() => $"CallbackParameters {{ Error = {Error ?? "none"} }}";

    /// <summary>Form decoding; a broken escape, text that is no UTF-8 or a control character makes the whole response untrusted.</summary>
    private static bool TryDecode(ReadOnlySpan<char> text, out string plain)
    {
        plain = "";
        Span<byte> bytes = text.Length <= 512 ? stackalloc byte[512] : new byte[text.Length];
        var length = 0;
        for (var i = 0; i < text.Length; i++)
        {
            int value = text[i] == '+' ? ' ' : text[i];
            if (text[i] == '%')
            {
                if (i + 2 >= text.Length || !char.IsAsciiHexDigit(text[i + 1]) || !char.IsAsciiHexDigit(text[i + 2]))
                    return false;
                value = Convert.FromHexString(text.Slice(i + 1, 2))[0];
                i += 2;
            }
            else if (!char.IsAscii(text[i]))
            {
                return false; // a URL has none; whoever sends it raw hopes for two readings
            }
            if (value is < 0x20 or 0x7F)
                return false;
            bytes[length++] = (byte)value;
        }
        try
        {
            plain = StrictUtf8.GetString(bytes[..length]);
            return true;
        }
        catch (DecoderFallbackException)
        {
            return false;
        }
    }

    private static Refusal No(string code) => new(RefusalKind.Untrusted,
        "The answer that came back is not one that an authorization server sends. Nothing was stored; start again.")
    { Code = code };
}
