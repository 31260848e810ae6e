using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;

namespace Postern.OAuth;

/// <summary>A complete answer, its body within the limit. Dispose it: the body may hold tokens and is wiped.</summary>
internal sealed class WireAnswer(HttpStatusCode status, string? mediaType, TimeSpan? retryAfter, byte[] buffer, int length) : IDisposable
{
    public int Status => (int)status;
    public TimeSpan? RetryAfter => retryAfter;
    public ReadOnlyMemory<byte> Body => buffer.AsMemory(0, length);

    /// <summary><c>application/json</c> or another type with the suffix <c>+json</c> (RFC 6839).</summary>
    public bool IsJson => mediaType is not null
        && (mediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase)
            || mediaType.StartsWith("application/", StringComparison.OrdinalIgnoreCase)
            && mediaType.EndsWith("+json", StringComparison.OrdinalIgnoreCase));

    public void Dispose() => CryptographicOperations.ZeroMemory(buffer);
}

/// <summary>What came of sending: an answer, or why there is none.</summary>
internal readonly record struct WireOutcome(WireAnswer? Answer, UnavailableKind Why, int? Status = null, TimeSpan? RetryAfter = null);

/// <summary>
/// Sends one request, once, within one time limit and one size limit, and never throws for what the other side does. No body or
/// header of an answer ever enters an exception.
/// </summary>
internal sealed class Wire(OutboundHttp outbound, TimeProvider time, OAuthOptions options)
{
    public async Task<WireOutcome> SendAsync(
        HttpRequestMessage request, OutboundReach reach, int maxBytes, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(options.RequestTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        int? status = null;
        try
        {
            using var side = outbound.Invoker(reach);
            using var response = await side.SendAsync(request, either.Token);
            status = (int)response.StatusCode;
            var retryAfter = RetryAfter(response.Headers.RetryAfter);
            var (body, length) = await ReadAsync(response.Content, maxBytes, either.Token);
            return body is null
                ? new(null, UnavailableKind.TooLarge, status, retryAfter)
                : new(new(response.StatusCode, response.Content.Headers.ContentType?.MediaType, retryAfter, body, length), default);
        }
        catch (OperationCanceledException)
        {
            return new(null, cancellation.IsCancellationRequested ? UnavailableKind.Cancelled : UnavailableKind.Timeout, status);
        }
        catch (Exception error) when (error is HttpRequestException or IOException)
        {
            return new(null, Classify(error), status);
        }
    }

    private static UnavailableKind Classify(Exception error)
    {
        for (var cause = error; cause is not null; cause = cause.InnerException)
        {
            switch (cause)
            {
                case AddressRefusedException:
                    return UnavailableKind.AddressRefused;
                case TimeoutException or OperationCanceledException:
                    return UnavailableKind.Timeout;
            }
        }
        return UnavailableKind.Network;
    }

    private static async Task<(byte[]? Body, int Length)> ReadAsync(HttpContent content, int maxBytes, CancellationToken cancellation)
    {
        if (content.Headers.ContentLength > maxBytes)
            return (null, 0);
        await using var stream = await content.ReadAsStreamAsync(cancellation);
        var buffer = NewBuffer(Math.Min(maxBytes + 1, (int)(content.Headers.ContentLength ?? 4096) + 1));
        var length = 0;
        try
        {
            while (true)
            {
                if (length == buffer.Length)
                {
                    var larger = NewBuffer((int)Math.Min(maxBytes + 1L, buffer.Length * 2L));
                    buffer.CopyTo(larger, 0);
                    CryptographicOperations.ZeroMemory(buffer);
                    buffer = larger;
                }
                var read = await stream.ReadAsync(buffer.AsMemory(length), cancellation);
                if (read == 0)
                    return (buffer, length);
                length += read;
                if (length > maxBytes)
                {
                    CryptographicOperations.ZeroMemory(buffer);
                    return (null, 0);
                }
            }
        }
        catch
        {
            CryptographicOperations.ZeroMemory(buffer);
            throw;
        }
    }

    private static byte[] NewBuffer(int size) => GC.AllocateUninitializedArray<byte>(size, pinned: true);

    private TimeSpan? RetryAfter(RetryConditionHeaderValue? header)
    {
        var wait = header?.Delta ?? header?.Date - time.GetUtcNow();
        return wait switch
        {
            null => null,
            { Ticks: < 0 } => TimeSpan.Zero,
            { TotalDays: > 1 } => TimeSpan.FromDays(1), // a server that says "next year" is asked again tomorrow
            _ => wait,
        };
    }
}
