using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Postern.Warehouse.Databricks;

/// <summary>
/// A rejected request, read from whatever body came with it: <c>{"error_code":"X" or 403,"message"}</c>, <c>{"error"}</c> (API 1.2), SCIM
/// <c>{"detail","status"}</c>, <c>CODE: message</c>, an HTML page, nothing.
/// </summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Code">The platform's code, cleaned; <c>http-</c> and the status when there is none.</param>
/// <param name="NumericCode">True when the code was a number, as it is for refused tokens.</param>
/// <param name="Message">The platform's words: for decisions in this file and for a digest, never for people or logs.</param>
internal sealed partial record PlatformError(int Status, string Code, bool NumericCode, string Message)
{
    private const int MaxMessage = 4096;

    /// <summary>Never the message.</summary>
    public override string ToString() => $"{Status} {Code}";

    /// <summary>
    /// The token is dead (a renewal helps): 401, or 403 with a numeric code or words about the token. A 403 with a named code such as
    /// <c>PERMISSION_DENIED</c> is about permissions, and no new token changes that.
    /// </summary>
    public bool IsTokenRefused =>
        !IsScopeMissing && (Status == 401
            || Status == 403 && (NumericCode
                || Code == "http-403" && Message.Contains("token", StringComparison.OrdinalIgnoreCase)
                || Message.StartsWith("Invalid access token", StringComparison.OrdinalIgnoreCase)));

    /// <summary>The token lives but was granted too little; only a new consent helps.</summary>
    public bool IsScopeMissing => Status == 403 && Message.Contains("required scope", StringComparison.OrdinalIgnoreCase);

    /// <summary>16 hexadecimal digits of the SHA-256 of a platform message; null for none.</summary>
    public static string? Digest(string? message) =>
        string.IsNullOrEmpty(message) ? null : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(message)).AsSpan(0, 8));

    /// <summary>A code as it may be shown and stored: up to 64 of <c>[A-Za-z0-9_.-]</c>; null when it is anything else.</summary>
    public static string? CleanCode(string? code) => code is not null && CodePattern().IsMatch(code) ? code : null;

    /// <summary>A SQLSTATE, or null when the text is none.</summary>
    public static string? CleanSqlState(string? state) =>
        state is { Length: 5 } && state.All(c => char.IsAsciiDigit(c) || char.IsAsciiLetterUpper(c)) ? state : null;

    /// <summary>The SQLSTATE a message quotes, or null.</summary>
    public static string? SqlStateIn(string? message) =>
        message is not null && SqlStatePattern().Match(message) is { Success: true } match ? match.Groups[1].Value : null;

    /// <summary>Reads a body of any kind.</summary>
    public static PlatformError Read(int status, ReadOnlySpan<byte> body)
    {
        var fallback = "http-" + status.ToString(System.Globalization.CultureInfo.InvariantCulture);
        try
        {
            var reader = new Utf8JsonReader(body);
            if (JsonElement.TryParseValue(ref reader, out var parsed) && parsed is { ValueKind: JsonValueKind.Object } root)
                return ReadJson(status, fallback, root);
        }
        catch (JsonException)
        {
            // Not JSON: text or HTML, below.
        }
        var text = Encoding.UTF8.GetString(body[..Math.Min(body.Length, MaxMessage)]).Trim();
        if (TextPattern().Match(text) is { Success: true } match)
            return new(status, match.Groups[1].Value, false, match.Groups[2].Value);
        return new(status, fallback, false, text);
    }

    private static PlatformError ReadJson(int status, string fallback, JsonElement root)
    {
        var message = root.Text("message") ?? root.Text("detail") ?? root.Text("error_description") ?? root.Text("error") ?? "";
        if (message.Length > MaxMessage)
            message = message[..MaxMessage];
        var code = root.Member("error_code");
        return code.ValueKind switch
        {
            JsonValueKind.Number => new(status, CleanCode(code.GetRawText()) ?? fallback, true, message),
            JsonValueKind.String => new(status, CleanCode(code.GetString()) ?? fallback, false, message),
            _ => new(status, CleanCode(root.Text("error")) ?? fallback, false, message),
        };
    }

    [GeneratedRegex(@"\A[A-Za-z0-9_.-]{1,64}\z", RegexOptions.CultureInvariant)]
    private static partial Regex CodePattern();

    [GeneratedRegex(@"SQLSTATE:\s?([0-9A-Z]{5})\b", RegexOptions.CultureInvariant)]
    private static partial Regex SqlStatePattern();

    [GeneratedRegex(@"\A([A-Z][A-Z_]{2,63}): (.*)\z", RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex TextPattern();
}
