using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.FileProviders;
using Microsoft.Net.Http.Headers;
using Postern.Gateway.Changes;
using Postern.Gateway.Connect;
using Postern.Gateway.Embedding;
using Postern.Gateway.Health;
using Postern.Gateway.Http;
using Postern.Gateway.Pages;
using Postern.Gateway.Portal;
using Postern.Gateway.Query;
using Postern.Gateway.Sessions;
using Postern.Gateway.Tenants;
using Postern.Gateway.Workbooks;

namespace Postern.Gateway;

/// <summary>Registers this room and maps its endpoints.</summary>
public static class GatewayServices
{
    /// <summary>Adds the gateway. Needs store, grants and warehouse.</summary>
    public static IServiceCollection AddPostern(this IServiceCollection services, GatewayOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton<FrontEnd>();
        services.AddSingleton<Shell>();
        services.AddSingleton<StoreFailures>();
        services.AddSingleton<TenantGate>();
        services.AddSingleton<SessionGate>();
        services.AddSingleton<EmbedKeyGate>();
        services.AddSingleton<PublishedWorkbooks>();
        services.AddSingleton<SessionView>();
        services.AddSingleton<ConnectFlow>();
        services.AddSingleton<QuerySlots>();
        services.AddSingleton<QueryFlow>();
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, GatewayJson.Default));
        return services;
    }

    /// <summary>The whole surface, in the order a request meets it.</summary>
    public static WebApplication MapPostern(this WebApplication app)
    {
        app.Use(SecurityHeaders.Apply);
        app.UseMiddleware<StoreFailures>();
        app.UseMiddleware<TenantGate>();
        app.UseRouting();

        MapAssets(app);
        SignInEndpoints.Map(app);
        ConnectEndpoints.Map(app);
        EmbedEndpoints.Map(app);
        PortalEndpoints.Map(app);
        QueryEndpoints.Map(app);
        ChangeStream.Map(app);
        HealthEndpoints.Map(app);
        return app;
    }

    private static void MapAssets(WebApplication app)
    {
        var frontEnd = app.Services.GetRequiredService<FrontEnd>();
        app.UseStaticFiles(new StaticFileOptions
        {
            FileProvider = new PhysicalFileProvider(frontEnd.Assets),
            RequestPath = "/assets",
            OnPrepareResponse = file =>
            {
                var headers = file.Context.Response.Headers;
                // Hashed names never change; the two stable ones are asked for again.
                headers[HeaderNames.CacheControl] = file.File.Name is "embed.js" or "connect-result.js" ? "no-cache" : "public, max-age=31536000, immutable";
                // The SDK is loaded by host pages, modules by the frame; neither holds anything of anybody.
                headers["Cross-Origin-Resource-Policy"] = "cross-origin";
                headers[HeaderNames.AccessControlAllowOrigin] = "*";
            },
        });
        app.MapGet("/page.css", () => Results.Text(Shell.PageStyle, "text/css"));
    }
}
