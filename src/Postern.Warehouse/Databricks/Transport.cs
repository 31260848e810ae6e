using System.Net;
using System.Net.Http.Headers;
using Postern.Model;

namespace Postern.Warehouse.Databricks;

/// <summary>What became of one request.</summary>
internal enum Fate
{
    /// <summary>An answer came.</summary>
    Answered,
    /// <summary>No connection was made: the platform never saw it.</summary>
    NotSent,
    /// <summary>It was sent and no whole answer came: nobody knows.</summary>
    Lost,
}

/// <summary>One request's outcome. It holds what the platform said, so it prints its status only.</summary>
internal readonly record struct Reply(Fate Fate, int Status, byte[] Body, TimeSpan? RetryAfter, string? Reason)
{
    public bool IsSuccess => Fate == Fate.Answered && Status is >= 200 and <= 299;

    public override string ToString() => $"{Fate} {Status}";
}

/// <summary>Sends single requests: bounded in time and size, no repetition, no exception for what the wire does.</summary>
internal sealed class Transport(HttpMessageInvoker http, TimeProvider time, DatabricksOptions options)
{
    /// <summary>Sends an API request with the bearer's header and reads the whole answer.</summary>
    /// <param name="afterCancel">How long an answer is still awaited once the caller cancelled; zero to stop at once.</param>
    /// <exception cref="OperationCanceledException">The caller cancelled and no answer came in time.</exception>
    public async Task<Reply> SendAsync(
        HttpRequestMessage request, IBearer bearer, TimeSpan timeout, TimeSpan afterCancel, CancellationToken cancellation)
    {
        using var patience = new CancellationTokenSource(timeout, time);
        using var _ = cancellation.Register(() => patience.CancelAfter(afterCancel));
        bearer.Authorize(request);
        var sent = false;
        try
        {
            using var response = await http.SendAsync(request, patience.Token);
            sent = true;
            var body = await ReadBoundedAsync(response.Content, patience.Token);
            if (body is null)
                return new(Fate.Lost, 0, [], null, null);
            var reason = response.Headers.TryGetValues("x-databricks-reason-phrase", out var words) ? words.FirstOrDefault() : null;
            return new(Fate.Answered, (int)response.StatusCode, body, RetryAfter(response.Headers), reason);
        }
        catch (OperationCanceledException)
        {
            cancellation.ThrowIfCancellationRequested();
            return new(Fate.Lost, 0, [], null, null);
        }
        catch (HttpRequestException e)
        {
            // The exception is not passed on: its words can hold addresses. Only these errors come before the first byte is sent.
            var before = !sent && e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
                or HttpRequestError.SecureConnectionError or HttpRequestError.ProxyTunnelError;
            return new(before ? Fate.NotSent : Fate.Lost, 0, [], null, null);
        }
        catch (IOException)
        {
            return new(Fate.Lost, 0, [], null, null);
        }
    }

    /// <summary>
    /// Opens a result link: no bearer, only the headers that came with the link. Null when no answer came.
    /// </summary>
    public async Task<HttpResponseMessage?> OpenLinkAsync(ChunkLink link, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var timer = new CancellationTokenSource(options.RequestTimeout, time);
        using var _ = timer.Token.Register(patience.Cancel);
        using var request = NewRequest(HttpMethod.Get, link.Address);
        foreach (var (name, value) in link.Headers)
        {
            if (!string.Equals(name, "Host", StringComparison.OrdinalIgnoreCase))
                request.Headers.TryAddWithoutValidation(name, value);
        }
        try
        {
            return await http.SendAsync(request, patience.Token);
        }
        catch (OperationCanceledException)
        {
            cancellation.ThrowIfCancellationRequested();
            return null;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>A request that uses HTTP/2 where the server offers it.</summary>
    public static HttpRequestMessage NewRequest(HttpMethod method, Uri address) =>
        new(method, address) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionOrLower };

    private TimeSpan? RetryAfter(HttpResponseHeaders headers) => headers.RetryAfter switch
    {
        { Delta: { } seconds } => seconds,
        { Date: { } at } => at > time.GetUtcNow() ? at - time.GetUtcNow() : TimeSpan.Zero,
        _ => null,
    };

    // Null when the answer is larger than any answer of this API is.
    private async Task<byte[]?> ReadBoundedAsync(HttpContent content, CancellationToken cancellation)
    {
        await using var stream = await content.ReadAsStreamAsync(cancellation);
        using var body = new MemoryStream();
        var buffer = new byte[16 * 1024];
        int read;
        while ((read = await stream.ReadAsync(buffer, cancellation)) > 0)
        {
            if (body.Length + read > options.MaxAnswerBytes)
                return null;
            body.Write(buffer, 0, read);
        }
        return body.ToArray();
    }
}
