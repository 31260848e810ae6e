using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Extensions;

namespace Postern.Sandbox.Tests;

/// <summary>A client of one issuer, written from the RFCs on a plain <see cref="HttpClient"/>.</summary>
public sealed class OAuthClient : IDisposable
{
    private readonly HttpClient _http;
    private readonly string _path;

    public OAuthClient(Uri address, string issuer, string id = "postern", string? secret = "sandbox-secret-postern")
    {
        _http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = address };
        _path = issuer switch { "workspace" => "/oidc/v1", _ => "/" + issuer };
        Issuer = address.GetLeftPart(UriPartial.Authority) + (issuer == "workspace" ? "/oidc" : "/" + issuer);
        Id = id;
        Secret = secret;
        Callback = issuer == "corp" ? "http://localhost:7300/sign-in/callback"
            : id == "postern" ? "http://localhost:7300/oauth/callback" : SandboxFixture.TestCallback;
    }

    public string Issuer { get; }

    public string Id { get; }

    public string? Secret { get; }

    public string Callback { get; set; }

    public static OAuthClient Portal(Uri address) => new(address, "corp", "postern-portal", "sandbox-secret-portal");

    public static string NewVerifier() => Base64Url(RandomNumberGenerator.GetBytes(32));

    public static string Challenge(string verifier) => Base64Url(SHA256.HashData(Encoding.ASCII.GetBytes(verifier)));

    /// <summary>The parameters of a correct authorization request; a test changes what it is about.</summary>
    public Dictionary<string, string> Request(string verifier, string scope = "openid profile email sql offline_access") => new()
    {
        ["response_type"] = "code",
        ["client_id"] = Id,
        ["redirect_uri"] = Callback,
        ["scope"] = scope,
        ["state"] = Base64Url(RandomNumberGenerator.GetBytes(16)),
        ["nonce"] = Base64Url(RandomNumberGenerator.GetBytes(16)),
        ["code_challenge"] = Challenge(verifier),
        ["code_challenge_method"] = "S256",
    };

    public string AuthorizeUrl(IEnumerable<KeyValuePair<string, string>> request) => $"{_path}/authorize" + new QueryBuilder(request);

    /// <summary>The whole way of a person who allows everything, up to the code.</summary>
    public async Task<(string Code, string Verifier)> CodeAsync(Browser browser, string user = "ana", string scope = "openid profile email sql offline_access")
    {
        var verifier = NewVerifier();
        var page = await browser.AuthorizeAsync(AuthorizeUrl(Request(verifier, scope)), user);
        page = page.Location is null ? await browser.ConsentAsync(page) : page;
        return (page.Answer["code"], verifier);
    }

    /// <summary>The whole way, up to the tokens.</summary>
    public async Task<TokenAnswer> ConnectAsync(Browser browser, string user = "ana", string scope = "openid profile email sql offline_access")
    {
        var (code, verifier) = await CodeAsync(browser, user, scope);
        var answer = await RedeemAsync(code, verifier);
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        return answer;
    }

    public Task<TokenAnswer> RedeemAsync(string code, string? verifier)
    {
        var fields = new Dictionary<string, string> { ["grant_type"] = "authorization_code", ["code"] = code, ["redirect_uri"] = Callback };
        if (verifier is not null)
        {
            fields["code_verifier"] = verifier;
        }

        return TokenAsync(fields);
    }

    public Task<TokenAnswer> RefreshAsync(string refreshToken) =>
        TokenAsync(new() { ["grant_type"] = "refresh_token", ["refresh_token"] = refreshToken });

    public Task<TokenAnswer> TokenAsync(Dictionary<string, string> fields) => PostAsync($"{_path}/token", fields);

    public Task<TokenAnswer> PushAsync(Dictionary<string, string> fields) => PostAsync($"{_path}/par", fields);

    public Task<TokenAnswer> RevokeAsync(string token) => PostAsync($"{_path}/revoke", new() { ["token"] = token });

    public async Task<bool> IsActiveAsync(string token) =>
        (await PostAsync($"{_path}/introspect", new() { ["token"] = token })).Json.GetProperty("active").GetBoolean();

    public async Task<TokenAnswer> PostAsync(string path, Dictionary<string, string> fields)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path);
        if (Secret is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue(
                "Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Uri.EscapeDataString(Id)}:{Uri.EscapeDataString(Secret)}")));
        }
        else if (!fields.ContainsKey("client_assertion"))
        {
            fields = new(fields) { ["client_id"] = Id };
        }

        request.Content = new FormUrlEncodedContent(fields);
        using var response = await _http.SendAsync(request, TestContext.Current.CancellationToken);
        return await TokenAnswer.ReadAsync(response);
    }

    public async Task<TokenAnswer> GetAsync(string path, string? bearer = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = bearer is null ? null : new AuthenticationHeaderValue("Bearer", bearer);
        using var response = await _http.SendAsync(request, TestContext.Current.CancellationToken);
        return await TokenAnswer.ReadAsync(response);
    }

    /// <summary>Speaks to a control endpoint.</summary>
    public async Task<TokenAnswer> ControlAsync(HttpMethod method, string path, object? body = null)
    {
        using var request = new HttpRequestMessage(method, "/__sandbox/" + path);
        request.Content = body is null ? null : JsonContent.Create(body);
        using var response = await _http.SendAsync(request, TestContext.Current.CancellationToken);
        return await TokenAnswer.ReadAsync(response);
    }

    public void Dispose() => _http.Dispose();

    private static string Base64Url(byte[] bytes) => Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');
}

/// <summary>An answer, usually of the token endpoint.</summary>
public sealed record TokenAnswer(HttpStatusCode Status, string Body, IReadOnlyDictionary<string, string> Headers)
{
    public JsonElement Json => JsonSerializer.Deserialize<JsonElement>(Body);

    public string AccessToken => Text("access_token");

    public string RefreshToken => Text("refresh_token");

    public string Error => Text("error");

    public IReadOnlyList<string> Scopes => [.. Text("scope").Split(' ').Order(StringComparer.Ordinal)];

    public string Text(string member) => Json.GetProperty(member).GetString()!;

    public override string ToString() => $"{(int)Status} {Body}";

    public static async Task<TokenAnswer> ReadAsync(HttpResponseMessage response) => new(
        response.StatusCode,
        await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken),
        response.Headers.ToDictionary(header => header.Key, header => string.Join(",", header.Value), StringComparer.OrdinalIgnoreCase));
}
