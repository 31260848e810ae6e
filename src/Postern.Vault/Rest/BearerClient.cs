using System.Net.Http.Headers;
using Postern.Model;

namespace Postern.Vault;

/// <summary>Sends with a bearer token over a <see cref="RestClient"/>, which stays the caller's to dispose, and asks for another once when the service refuses it (401).</summary>
internal sealed class BearerClient(RestClient rest, Func<CancellationToken, Task<Outcome<AccessToken<SecretText>>>> fetch, TimeProvider time) : IDisposable
{
    private readonly AccessTokens<SecretText> tokens = new(fetch, time);

    /// <summary>Sends JSON, or nothing with a GET.</summary>
    public async Task<Outcome<RestAnswer>> SendAsync(HttpMethod method, string path, SecretBody? body, CancellationToken cancellation)
    {
        SecretText? refused = null;
        while (true)
        {
            if (!(await tokens.GetAsync(refused, cancellation)).TryGet(out var token, out var why))
                return why;
            var sent = await rest.SendAsync(path, () => Request(method, token, body), cancellation);
            if (refused is not null || !sent.TryGet(out var answer, out _) || answer.Status != 401)
                return sent;
            answer.Dispose();
            refused = token;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => tokens.Dispose();

    private static HttpRequestMessage Request(HttpMethod method, SecretText token, SecretBody? body)
    {
        var request = new HttpRequestMessage { Method = method, Content = body?.ToContent() };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token.Reveal());
        return request;
    }
}

/// <summary>Token endpoints of OAuth 2.0 (RFC 6749 section 5.1), and the metadata services that answer in the same form.</summary>
internal static class TokenEndpoints
{
    /// <summary>The token of an answer, or a refusal that says what to check.</summary>
    public static Outcome<AccessToken<SecretText>> Read(RestClient rest, Outcome<RestAnswer> sent, string check)
    {
        if (!sent.TryGet(out var answer, out var why))
            return why;
        using (answer)
        {
            if (!answer.IsSuccess || answer.Text("access_token") is not { Length: > 0 } token)
                return rest.Unavailable($"gave no token ({answer.Status}). {check}");
            var seconds = answer.Number("expires_in") is > 0 and var given ? Math.Min(given, 86_400) : 300;
            return new AccessToken<SecretText>(new SecretText(token), TimeSpan.FromSeconds(seconds));
        }
    }
}
