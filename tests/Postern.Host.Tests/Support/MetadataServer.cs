using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Postern.Host.Tests;

/// <summary>Authorization servers on this machine that do nothing but say what they are, each under the path of its issuer.</summary>
internal sealed class MetadataServer : IAsyncDisposable
{
    private readonly WebApplication app;

    private MetadataServer(WebApplication app) => this.app = app;

    public string Address => app.Urls.Single();

    public static async Task<MetadataServer> StartAsync(bool sendsIss)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(System.Net.IPAddress.Loopback, 0));
        var server = new MetadataServer(builder.Build());
        server.app.MapGet("/.well-known/oauth-authorization-server/{issuer}", (string issuer) => Results.Json(new Dictionary<string, object>
        {
            ["issuer"] = $"{server.Address}/{issuer}",
            ["authorization_endpoint"] = $"{server.Address}/{issuer}/authorize",
            ["token_endpoint"] = $"{server.Address}/{issuer}/token",
            ["authorization_response_iss_parameter_supported"] = sendsIss,
        }));
        await server.app.StartAsync(TestContext.Current.CancellationToken);
        return server;
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();
}
