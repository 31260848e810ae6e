using Postern.Model;

namespace Postern.OAuth.Tests.Support;

/// <summary>A server, a client and a connection between them.</summary>
internal sealed class World : IAsyncDisposable
{
    public const string RedirectUri = "https://gateway.example/oauth/callback";
    public const string ClientId = "postern";
    public const string AccessToken = "marker-access-token";
    public const string GoodTokens = """{"access_token":"marker-access-token","token_type":"Bearer","expires_in":3600,"refresh_token":"marker-refresh-token"}""";

    private readonly OutboundHttp outbound;

    private World(ScriptedServer server, OutboundHttp outbound, OAuthClient client)
    {
        Server = server;
        this.outbound = outbound;
        Client = client;
        Settings = SettingsFor(server.Issuer);
    }

    public ScriptedServer Server { get; }
    public OAuthClient Client { get; }
    public AuthorizationSettings Settings { get; set; }

    public static async Task<World> StartAsync(OAuthOptions? options = null, TimeProvider? time = null)
    {
        var outbound = new OutboundHttp(new OutboundOptions());
        var client = new OAuthClient(outbound, new SystemChance(), time ?? TimeProvider.System, options);
        var world = new World(await ScriptedServer.StartAsync(), outbound, client);
        world.PublishMetadata();
        return world;
    }

    public static AuthorizationSettings SettingsFor(string issuer, params string[] scopes) => new(
        "generic", issuer, ClientId, new SecretText("marker-client-secret"), ClientAuthentication.SecretBasic,
        scopes.Length == 0 ? ["sql", "offline_access"] : [.. scopes])
    {
        AllowPlainHttpIssuerOnLoopback = true,
    };

    /// <summary>Publishes metadata at the RFC 8414 place; extra members are JSON text that begins with a comma.</summary>
    public void PublishMetadata(string extra = "", string? issuer = null) =>
        Server.OnJson("/.well-known/oauth-authorization-server/as", Metadata(extra, issuer));

    public string Metadata(string extra = "", string? issuer = null) => $$"""
        {"issuer":"{{issuer ?? Server.Issuer}}","authorization_endpoint":"{{Server.Issuer}}/authorize","token_endpoint":"{{Server.Issuer}}/token",
         "jwks_uri":"{{Server.Issuer}}/jwks"{{extra}}}
        """;

    public async Task<ServerMetadata> MetadataAsync() =>
        (await Client.Metadata.GetAsync(Settings, CancellationToken.None)).Value();

    public async Task<AuthorizationRequest> BeginAsync() =>
        (await Client.Authorizations.BeginAsync(Settings, await MetadataAsync(), RedirectUri, CancellationToken.None)).Value();

    /// <summary>Begins, and answers with a code as an honest server would.</summary>
    public async Task<ValidatedCallback> CallbackAsync(string code = "marker-code")
    {
        var request = await BeginAsync();
        return Judge($"code={Uri.EscapeDataString(code)}&state={request.Pending.State.Reveal()}", request.Pending).Value();
    }

    public Outcome<ValidatedCallback> Judge(string query, PendingAuthorization pending, string receivedAt = RedirectUri)
    {
        var outcome = CallbackParameters.Parse(query);
        return outcome.TryGet(out var parameters, out var refusal)
            ? Client.Callbacks.Judge(parameters, pending, Settings, receivedAt)
            : refusal;
    }

    public async Task<TokenAnswer> ExchangeAsync() =>
        await Client.Tokens.ExchangeAsync(await CallbackAsync(), Settings, CancellationToken.None);

    public async Task<TokenAnswer> RefreshAsync(string token = "marker-refresh-token")
    {
        using var secret = SecretBytes.FromText(token);
        return await Client.Tokens.RefreshAsync(Settings, await MetadataAsync(), secret, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        outbound.Dispose();
        await Server.DisposeAsync();
    }
}

internal static class Expect
{
    public static T Value<T>(this Outcome<T> outcome) where T : notnull
    {
        Assert.True(outcome.TryGet(out var value, out var refusal), $"refused: {refusal?.Code}");
        return value;
    }

    public static Refusal Refused<T>(this Outcome<T> outcome, string code) where T : notnull
    {
        Assert.NotNull(outcome.Refusal);
        Assert.Equal(code, outcome.Refusal.Code);
        return outcome.Refusal;
    }

    public static string Text(this SecretBytes secret) => System.Text.Encoding.UTF8.GetString(secret.Reveal());

    public static Dictionary<string, string> Query(string url) =>
        new Uri(url).Query.TrimStart('?').Split('&').Select(p => p.Split('=', 2))
            .ToDictionary(p => p[0], p => Uri.UnescapeDataString(p[1].Replace('+', ' ')), StringComparer.Ordinal);
}
