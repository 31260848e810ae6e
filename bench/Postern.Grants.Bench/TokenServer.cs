using System.Security.Cryptography;

/// <summary>An authorization server that knows client credentials only and answers with access tokens as long as a JWT's.</summary>
internal sealed class TokenServer : IAsyncDisposable
{
    /// <summary>Random bytes of an access token; 1,200 characters as base64.</summary>
    private const int TokenBytes = 900;

    private readonly WebApplication app;

    private TokenServer(WebApplication app) => this.app = app;

    public string Issuer => app.Urls.Single();

    public static async Task<TokenServer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(System.Net.IPAddress.Loopback, 0));
        var server = new TokenServer(builder.Build());
        server.app.MapGet("/.well-known/oauth-authorization-server", () => Results.Json(new Dictionary<string, string>
        {
            ["issuer"] = server.Issuer,
            ["authorization_endpoint"] = server.Issuer + "/authorize",
            ["token_endpoint"] = server.Issuer + "/token",
        }));
        server.app.MapPost("/token", () => Results.Json(new Dictionary<string, object>
        {
            ["access_token"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(TokenBytes)),
            ["token_type"] = "Bearer",
            ["expires_in"] = 36_000,
        }));
        await server.app.StartAsync();
        return server;
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();
}
