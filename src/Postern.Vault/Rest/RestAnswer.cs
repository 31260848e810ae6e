using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;

namespace Postern.Vault;

/// <summary>
/// A service's answer in one pinned buffer, wiped on <see cref="Dispose"/>. Its JSON is read where it lies: one object, no member twice,
/// little depth; a wrong type is "not there", never an exception.
/// </summary>
internal sealed class RestAnswer : IDisposable
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

    private readonly byte[] buffer;
    private readonly int length;
    private readonly JsonDocument? document;

    private RestAnswer(int status, TimeSpan? retryAfter, byte[] buffer, int length)
    {
        Status = status;
        RetryAfter = retryAfter;
        this.buffer = buffer;
        this.length = length;
        document = Parse(buffer.AsMemory(0, length));
    }

    /// <summary>The status code.</summary>
    public int Status { get; }

    /// <summary>What the service asks to wait, in whole seconds; null when it does not say.</summary>
    public TimeSpan? RetryAfter { get; }

    public bool IsSuccess => Status is >= 200 and < 300;

    public bool IsTransient => Status is 429 or >= 500;

    /// <summary>The body as it came.</summary>
    public ReadOnlySpan<byte> Body => buffer.AsSpan(0, length);

    /// <summary>The body's object; empty when it is none.</summary>
    public JsonElement? Json => document?.RootElement;

    /// <summary>For tests and fuzzing: an answer of these bytes.</summary>
    public static RestAnswer Of(int status, ReadOnlySpan<byte> body)
    {
        var buffer = GC.AllocateUninitializedArray<byte>(body.Length, pinned: true);
        body.CopyTo(buffer);
        return new(status, null, buffer, body.Length);
    }

    /// <summary>Reads a whole answer; null when it is longer than allowed.</summary>
    public static async Task<RestAnswer?> ReadAsync(HttpResponseMessage response, int limit, CancellationToken cancellation)
    {
        if (response.Content.Headers.ContentLength > limit)
            return null;
        var buffer = GC.AllocateUninitializedArray<byte>(limit + 1, pinned: true);
        var length = 0;
        try
        {
            await using var stream = await response.Content.ReadAsStreamAsync(cancellation);
            int read;
            while (length < buffer.Length && (read = await stream.ReadAsync(buffer.AsMemory(length), cancellation)) > 0)
                length += read;
        }
        catch
        {
            CryptographicOperations.ZeroMemory(buffer);
            throw;
        }
        if (length <= limit)
            return new((int)response.StatusCode, response.Headers.RetryAfter?.Delta, buffer, length);
        CryptographicOperations.ZeroMemory(buffer);
        return null;
    }

    /// <summary>A text of the body's object, by its path of members; null when there is none.</summary>
    public string? Text(params ReadOnlySpan<string> path) => Json is { } json ? TextOf(json, path) : null;

    /// <summary>A whole number, also where it is written as a text (as Google does with 64 bits); null when there is none.</summary>
    public long? Number(params ReadOnlySpan<string> path) => Json is { } json ? NumberOf(json, path) : null;

    /// <summary>The entries of a list; none when there is no list.</summary>
    public IEnumerable<JsonElement> List(string name) => Find(name) is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray() : [];

    /// <summary>As <see cref="Text"/>, inside an element.</summary>
    public static string? TextOf(JsonElement element, params ReadOnlySpan<string> path)
    {
        try
        {
            return Find(element, path) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null; // an escaped lone surrogate
        }
    }

    /// <summary>As <see cref="Number"/>, inside an element.</summary>
    public static long? NumberOf(JsonElement element, params ReadOnlySpan<string> path) => Find(element, path) switch
    {
        { ValueKind: JsonValueKind.Number } number => number.TryGetInt64(out var value) ? value : null,
        { ValueKind: JsonValueKind.String } => long.TryParse(TextOf(element, path), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null,
        _ => null,
    };

    /// <summary>The time of so many seconds since 1970; 1970 when there is none or it lies outside of what can be written.</summary>
    public static DateTimeOffset TimeOf(long? seconds) =>
        seconds is > 0 and < 253_402_300_800 ? DateTimeOffset.FromUnixTimeSeconds(seconds.Value) : DateTimeOffset.UnixEpoch;

    /// <summary>True only where the member is there and true.</summary>
    public bool IsTrue(params ReadOnlySpan<string> path) => Find(path) is { ValueKind: JsonValueKind.True };

    /// <summary>Bytes that are no secret, written as base64; null when there are none.</summary>
    public byte[]? Bytes(params ReadOnlySpan<string> path)
    {
        if (Text(path) is not { } text)
            return null;
        var bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(text.Length + 3)];
        return Convert.TryFromBase64String(text, bytes, out var length) ? bytes[..length] : null;
    }

    /// <summary>
    /// Secret bytes written as base64 (or, with <paramref name="url"/>, base64url), without a copy in a string: false when they
    /// are not exactly as many as the destination holds, which is zero then.
    /// </summary>
    public bool TrySecret(Span<byte> destination, bool url, params ReadOnlySpan<string> path)
    {
        CryptographicOperations.ZeroMemory(destination);
        if (Find(path) is not { ValueKind: JsonValueKind.String } element)
            return false;
        var text = JsonMarshal.GetRawUtf8Value(element)[1..^1];
        if (text.Contains((byte)'\\'))
            return TryEscaped(text, destination, url); // some services escape '=' or '/'
        if (TryDecode(text, destination, url))
            return true;
        CryptographicOperations.ZeroMemory(destination);
        return false;
    }

    private static bool TryEscaped(ReadOnlySpan<byte> escaped, Span<byte> destination, bool url)
    {
        Span<byte> plain = stackalloc byte[Base64.GetMaxEncodedToUtf8Length(destination.Length)];
        var length = 0;
        for (var i = 0; i < escaped.Length; i++)
        {
            var one = escaped[i];
            if (one == '\\')
            {
                var code = escaped.Length - i >= 6 && escaped[i + 1] == 'u' && Utf8Parser.TryParse(escaped.Slice(i + 2, 4), out ushort point, out var used, 'x') && used == 4
                    ? point
                    : escaped[i + 1];
                i += escaped[i + 1] == 'u' ? 5 : 1;
                one = code <= 0x7F ? (byte)code : (byte)0;
            }
            if (length == plain.Length)
            {
                length = 0;
                break;
            }
            plain[length++] = one;
        }
        var decoded = TryDecode(plain[..length], destination, url);
        CryptographicOperations.ZeroMemory(plain);
        if (!decoded)
            CryptographicOperations.ZeroMemory(destination);
        return decoded;
    }

    private static bool TryDecode(ReadOnlySpan<byte> text, Span<byte> destination, bool url)
    {
        var written = 0;
        var status = url
            ? Base64Url.DecodeFromUtf8(text, destination, out _, out written)
            : Base64.DecodeFromUtf8(text, destination, out _, out written);
        return status == OperationStatus.Done && written == destination.Length;
    }

    /// <summary>A member of the object by its path; null when it is not there.</summary>
    public JsonElement? Find(params ReadOnlySpan<string> path) => Json is { } json ? Find(json, path) : null;

    /// <summary>A member of an element by its path; null when it is not there.</summary>
    public static JsonElement? Find(JsonElement element, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(name, out element))
                return null;
        }
        return element;
    }

    /// <summary>Wipes the answer.</summary>
    public void Dispose()
    {
        document?.Dispose();
        CryptographicOperations.ZeroMemory(buffer);
    }

    private static JsonDocument? Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            var parsed = JsonDocument.Parse(body, Strict);
            if (parsed.RootElement.ValueKind == JsonValueKind.Object)
                return parsed;
            parsed.Dispose();
        }
        catch (Exception broken) when (broken is JsonException or ArgumentException or InvalidOperationException)
        {
            // The exception quotes the body, so it ends here.
        }
        return null;
    }
}
