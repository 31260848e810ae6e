using System.Buffers;
using System.Buffers.Text;
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
    public string? Text(params ReadOnlySpan<string> path)
    {
        try
        {
            return Find(path) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null; // an escaped lone surrogate
        }
    }

    /// <summary>A whole number, also where it is written as a text (as Google does with 64 bits); null when there is none.</summary>
    public long? Number(params ReadOnlySpan<string> path) => Find(path) switch
    {
        { ValueKind: JsonValueKind.Number } number when number.TryGetInt64(out var value) => value,
        { ValueKind: JsonValueKind.String } => long.TryParse(
            Text(path), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var value) ? value : null,
        _ => null,
    };

    /// <summary>True only where the member is there and true.</summary>
    public bool IsTrue(params ReadOnlySpan<string> path) => Find(path) is { ValueKind: JsonValueKind.True };

    /// <summary>Bytes written as base64; null when there are none.</summary>
    public byte[]? Bytes(params ReadOnlySpan<string> path) =>
        Find(path) is { ValueKind: JsonValueKind.String } text && text.TryGetBytesFromBase64(out var bytes) ? bytes : null;

    /// <summary>
    /// Secret bytes written as base64 (or, with <paramref name="url"/>, base64url), without a copy in a string: false when they
    /// are not exactly as many as the destination holds, which is zero then.
    /// </summary>
    public bool TrySecret(Span<byte> destination, bool url, params ReadOnlySpan<string> path)
    {
        if (Find(path) is not { ValueKind: JsonValueKind.String } element)
            return false;
        var text = JsonMarshal.GetRawUtf8Value(element)[1..^1];
        var written = 0;
        var status = url
            ? Base64Url.DecodeFromUtf8(text, destination, out _, out written)
            : Base64.DecodeFromUtf8(text, destination, out _, out written);
        if (status == OperationStatus.Done && written == destination.Length)
            return true;
        CryptographicOperations.ZeroMemory(destination);
        return false;
    }

    /// <summary>A member of the object by its path; null when it is not there.</summary>
    public JsonElement? Find(params ReadOnlySpan<string> path)
    {
        if (Json is not { } element)
            return null;
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
