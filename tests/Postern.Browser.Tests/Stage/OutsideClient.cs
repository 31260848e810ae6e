using System.Buffers.Text;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Postern.Browser.Tests.Stage;

/// <summary>
/// Somebody who speaks HTTP himself, with a cookie jar of his own and every header he likes: the attacker with a legitimate account at
/// the host, or another person's browser as seen by the gateway.
/// </summary>
public sealed class OutsideClient : IDisposable
{
    private readonly DemoConfiguration addresses;
    private readonly HttpClient http;
    private readonly Dictionary<string, string> cookies = [];

    public OutsideClient(DemoConfiguration addresses)
    {
        this.addresses = addresses;
        // Cookies are kept by hand: the framework's jar sends no Secure cookie over plain HTTP, as browsers do on localhost.
        http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = new(addresses.Postern) };
    }

    public static string NewNonce() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    public static string ChallengeOf(string nonce) => Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(nonce)));

    /// <summary>A code as Skyline's back end gets it.</summary>
    public async Task<string> EmbedCodeAsync(string subject, string email, string challenge)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/embed/codes")
        {
            Content = JsonContent.Create(new
            {
                subject, attributes = new { email, name = subject }, workbook = "flight_delays", origin = addresses.Skyline, challenge,
            }),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String("skyline:demo-embed-secret-skyline"u8));
        using var answer = await http.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("code").GetString()!;
    }

    /// <summary>A frame session of one's own.</summary>
    public async Task OpenFrameAsync(string subject, string email)
    {
        var nonce = NewNonce();
        var code = await EmbedCodeAsync(subject, email, ChallengeOf(nonce));
        var (status, _) = await PostAsync("/embed/sessions", new { code, nonce });
        Assert.Equal(HttpStatusCode.Created, status);
    }

    /// <summary>A call of the browser API, with everything that its CSRF gate asks for.</summary>
    public async Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(string path, object body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
        request.Headers.Add("X-Postern-Csrf", "1");
        using var answer = await SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        return (answer.StatusCode, text.Length == 0 ? default : JsonSerializer.Deserialize<JsonElement>(text));
    }

    /// <summary>Opens an address as a navigation would.</summary>
    public async Task<(HttpStatusCode Status, string Body)> OpenAsync(string url)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        using var answer = await SendAsync(request);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    public void Dispose() => http.Dispose();

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request)
    {
        if (cookies.Count > 0)
            request.Headers.Add("Cookie", string.Join("; ", cookies.Select(cookie => $"{cookie.Key}={cookie.Value}")));
        var answer = await http.SendAsync(request);
        foreach (var line in answer.Headers.TryGetValues("Set-Cookie", out var set) ? set : [])
        {
            var pair = line.Split(';')[0].Split('=', 2);
            cookies[pair[0]] = pair[1];
        }
        return answer;
    }
}
