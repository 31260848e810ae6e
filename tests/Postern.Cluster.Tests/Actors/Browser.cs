using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Postern.Cluster.Tests.Actors;

/// <summary>
/// One person's browser as far as these journeys need it: cookies by host name (they know no port, and loopback counts as secure),
/// no redirects of its own, and the headers that browsers add.
/// </summary>
internal sealed class Browser : IDisposable
{
    private readonly HttpClient http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false })
    {
        Timeout = TimeSpan.FromMinutes(2),
    };
    private readonly Lock gate = new();
    private readonly Dictionary<(string Host, string Name), string> cookies = [];

    /// <summary>Every secret that was handed to this browser: cookies, codes, handles, confirmations.</summary>
    public HashSet<string> Secrets { get; } = [];

    /// <summary>Gets everything that the hosts of <c>localhost</c>, where Postern is, send to this browser; null keeps nothing.</summary>
    public Stream? Received { get; init; }

    /// <summary>A cookie's value, or null.</summary>
    public string? Cookie(string host, string name)
    {
        lock (gate)
            return cookies.GetValueOrDefault((host, name));
    }

    /// <summary>Plants a cookie.</summary>
    public void SetCookie(string host, string name, string value)
    {
        lock (gate)
            cookies[(host, name)] = value;
    }

    /// <summary>Remembers a secret that came in a body.</summary>
    public string Remember(string secret)
    {
        lock (gate)
            Secrets.Add(secret);
        return secret;
    }

    /// <summary>A navigation.</summary>
    public Task<HttpResponseMessage> GetAsync(Uri address) => SendAsync(new HttpRequestMessage(HttpMethod.Get, address));

    /// <summary>A call of Postern's own pages.</summary>
    public Task<HttpResponseMessage> CallAsync(HttpMethod method, Uri address, JsonNode? body = null, string? accept = null)
    {
        var request = new HttpRequestMessage(method, address) { Content = body is null ? null : JsonContent.Create(body) };
        request.Headers.Add("X-Postern-Csrf", "1");
        request.Headers.Add("Sec-Fetch-Site", "same-origin");
        if (accept is not null)
            request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(accept));
        return SendAsync(request);
    }

    /// <summary>A call that must succeed, with a JSON answer.</summary>
    public async Task<JsonElement> CallJsonAsync(HttpMethod method, Uri address, JsonNode? body = null)
    {
        using var response = await CallAsync(method, address, body);
        var text = await response.Content.ReadAsStringAsync(Suite.Token);
        Assert.True(response.IsSuccessStatusCode, $"{method} {address}: {(int)response.StatusCode} {text}");
        return JsonSerializer.Deserialize<JsonElement>(text);
    }

    /// <summary>Sends a request with this browser's cookies and keeps those of the answer. The body is not read yet.</summary>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request)
    {
        var host = request.RequestUri!.Host;
        lock (gate)
        {
            var own = string.Join("; ", cookies.Where(cookie => cookie.Key.Host == host).Select(cookie => $"{cookie.Key.Name}={cookie.Value}"));
            if (own.Length > 0)
                request.Headers.Add("Cookie", own);
        }
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Suite.Token);
        if (response.Headers.TryGetValues("Set-Cookie", out var set))
        {
            foreach (var cookie in set)
                Keep(host, cookie);
        }
        if (Received is not null && host == "localhost")
        {
            await response.Content.LoadIntoBufferAsync(Suite.Token);
            Received.Write(Encoding.UTF8.GetBytes($"{response.Headers}{response.Content.Headers}"));
            Received.Write(await response.Content.ReadAsByteArrayAsync(Suite.Token));
        }
        return response;
    }

    public void Dispose() => http.Dispose();

    private void Keep(string host, string cookie)
    {
        var parts = cookie.Split(';', StringSplitOptions.TrimEntries);
        var (name, value) = parts[0].IndexOf('=') is var equals && equals > 0 ? (parts[0][..equals], parts[0][(equals + 1)..]) : (parts[0], "");
        var gone = value.Length == 0 || parts.Any(part => part.Equals("max-age=0", StringComparison.OrdinalIgnoreCase)
            || part.StartsWith("expires=Thu, 01 Jan 1970", StringComparison.OrdinalIgnoreCase));
        lock (gate)
        {
            if (gone)
            {
                cookies.Remove((host, name));
                return;
            }
            cookies[(host, name)] = value;
            if (name.StartsWith("__Host-", StringComparison.Ordinal))
                Secrets.Add(value);
        }
    }
}
