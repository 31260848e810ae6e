using System.Buffers;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using Postern.Model;

namespace Postern.OAuth;

// The judgement of a token answer. Facts (RFC 6749 sections 5.1 and 5.2, appendix A):
//   access_token and refresh_token are printable ASCII (A.12, A.17) and go from the body into SecretBytes without becoming strings;
//   token_type is compared without case and must be Bearer; expires_in is a number of seconds, 0 or more;
//   scope: absent means "as requested", present decides, also when empty; unknown members are ignored; no member may stand twice.

/// <summary>Turns an answer of a token endpoint into one of the closed outcomes, without any sending.</summary>
internal static class TokenAnswerReader
{
    private static readonly TimeSpan LongestLife = TimeSpan.FromDays(365);

    public static TokenAnswer NoAnswer(WireOutcome outcome, bool sent)
    {
        // Headers that say "no" are an answer even when the body after them broke off.
        var spent = sent && outcome.Status is not (429 or (>= 300 and < 504) or > 504);
        return new TokenAnswer.Unavailable(outcome.Why, spent, outcome.RetryAfter, outcome.Status);
    }

    public static TokenAnswer Read(WireAnswer answer, bool keepIdToken)
    {
        switch (answer.Status)
        {
            case 200:
                return Success(answer, keepIdToken);
            case 429:
                return Unavailable(answer, UnavailableKind.RateLimited);
            case >= 500:
                // 504: the gateway in front lost the answer, so the token may be spent. Other failures the server itself reports.
                return Unavailable(answer, UnavailableKind.ServerError, mayHaveBeenReceived: answer.Status == 504);
            case >= 300 and < 400:
                return Unavailable(answer, UnavailableKind.Redirected);
            case >= 400:
                return Error(answer);
            default:
                return Unavailable(answer, UnavailableKind.Malformed, mayHaveBeenReceived: true);
        }
    }

    /// <summary>The registered error code of an error answer, or null when it is not one.</summary>
    public static string? ErrorOf(WireAnswer answer)
    {
        if (!answer.IsJson || !StrictJson.TryParse(answer.Body, out var document))
            return null;
        using (document)
        {
            return document.RootElement.TryText("error", out var error) && error is { Length: > 0 }
                ? OAuthErrors.Recognise(error)
                : null;
        }
    }

    private static TokenAnswer Error(WireAnswer answer) => ErrorOf(answer) switch
    {
        null => Unavailable(answer, answer.IsJson ? UnavailableKind.Malformed : UnavailableKind.NotJson),
        OAuthErrors.ServerError or OAuthErrors.TemporarilyUnavailable => Unavailable(answer, UnavailableKind.ServerError),
        OAuthErrors.SlowDown => Unavailable(answer, UnavailableKind.RateLimited),
        var error => new TokenAnswer.Rejected(error, answer.Status),
    };

    private static TokenAnswer Success(WireAnswer answer, bool keepIdToken)
    {
        // A success that cannot be read: the server did what was asked, and its result is lost.
        if (!answer.IsJson)
            return Unavailable(answer, UnavailableKind.NotJson, mayHaveBeenReceived: true);
        var fields = new Fields();
        try
        {
            if (fields.Read(answer.Body.Span) && fields.ToTokens(keepIdToken) is { } tokens)
                return new TokenAnswer.Issued(tokens);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // Falls through: the exception may quote the body, so it ends here.
        }
        fields.Wipe();
        return Unavailable(answer, UnavailableKind.Malformed, mayHaveBeenReceived: true);
    }

    private static TokenAnswer.Unavailable Unavailable(WireAnswer answer, UnavailableKind kind, bool mayHaveBeenReceived = false) =>
        new(kind, mayHaveBeenReceived, answer.RetryAfter, answer.Status);

    private sealed class Fields
    {
        private readonly HashSet<string> seen = new(StringComparer.Ordinal);
        private SecretBytes? access;
        private SecretBytes? refresh;
        private bool bearer;
        private long? seconds;
        private string? scope;
        private SecretText? idToken;

        /// <summary>Reads the one object; false when a member that matters has the wrong type or any stands twice.</summary>
        public bool Read(ReadOnlySpan<byte> body)
        {
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 16 });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return false;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var name = reader.GetString()!;
                if (!seen.Add(name) || !reader.Read())
                    return false;
                var good = name switch
                {
                    "access_token" => TrySecret(ref reader, out access),
                    // null is how some servers say "none"
                    "refresh_token" => reader.TokenType == JsonTokenType.Null || TrySecret(ref reader, out refresh),
                    "token_type" => TryText(ref reader, out var type) && (bearer = "bearer".Equals(type, StringComparison.OrdinalIgnoreCase)),
                    "expires_in" => TrySeconds(ref reader),
                    "scope" => TryText(ref reader, out scope),
                    "id_token" => TryText(ref reader, out var token) && token!.Length > 0 && (idToken = new(token)) is not null,
                    _ => reader.TrySkip(),
                };
                if (!good)
                    return false;
            }
            return reader.TokenType == JsonTokenType.EndObject && !reader.Read();
        }

        public TokenSet? ToTokens(bool keepIdToken)
        {
            if (access is null || !bearer)
                return null;
            TimeSpan? life = seconds is { } s ? TimeSpan.FromSeconds(Math.Min(s, (long)LongestLife.TotalSeconds)) : null;
            ImmutableArray<string>? scopes = scope is null
                ? null
                : [.. scope.Split(' ', StringSplitOptions.RemoveEmptyEntries).Distinct(StringComparer.Ordinal)];
            return new(access, refresh, life, scopes, keepIdToken ? idToken : null);
        }

        public void Wipe()
        {
            access?.Dispose();
            refresh?.Dispose();
        }

        private bool TrySeconds(ref Utf8JsonReader reader)
        {
            if (reader.TokenType != JsonTokenType.Number)
                return false;
            // More digits than a long has is "very long", which is then cut to the longest life believed.
            if (!reader.TryGetInt64(out var value))
                value = reader.TryGetDouble(out var large) && large >= 0 ? large < long.MaxValue ? (long)large : long.MaxValue : -1;
            seconds = value;
            return value >= 0;
        }

        private static bool TryText(ref Utf8JsonReader reader, out string? text)
        {
            text = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
            return text is not null;
        }

        private static bool TrySecret(ref Utf8JsonReader reader, out SecretBytes? secret)
        {
            secret = null;
            if (reader.TokenType != JsonTokenType.String)
                return false;
            var buffer = ArrayPool<byte>.Shared.Rent(reader.ValueSpan.Length);
            try
            {
                var length = reader.CopyString(buffer);
                var token = buffer.AsSpan(0, length);
                // No space either: a token with one cannot stand in an Authorization header.
                if (length == 0 || token.ContainsAnyExceptInRange((byte)0x21, (byte)0x7E))
                    return false;
                secret = new SecretBytes(token);
                return true;
            }
            finally
            {
                CryptographicOperations.ZeroMemory(buffer);
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }
}
