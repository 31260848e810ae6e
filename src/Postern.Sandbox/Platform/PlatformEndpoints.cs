using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Postern.Model;
using Postern.Sandbox.Platform.Data;
using Postern.Sandbox.Platform.Results;
using Postern.Sandbox.Platform.Sql;
using Postern.Sandbox.Platform.Statements;

namespace Postern.Sandbox.Platform;

/// <summary>
/// The emulated data platform: the SQL Statement Execution API, the storage behind its presigned links, and who-am-I. It needs an
/// <see cref="ITokenReader"/>, an <see cref="ITrafficLog"/> and an <see cref="IFaultScript"/> in the container.
/// </summary>
public static class PlatformEndpoints
{
    /// <summary>Registers the platform.</summary>
    /// <param name="services">The container; <see cref="TimeProvider"/> and <see cref="IChance"/> are added when missing.</param>
    /// <param name="options">Names and bounds.</param>
    public static IServiceCollection AddPlatform(this IServiceCollection services, PlatformOptions options)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<IChance, CryptographicChance>();
        services.AddSingleton(options);
        services.AddSingleton(_ => DataFiles.Find(options));
        services.AddSingleton<Engines>();
        services.AddSingleton<StatementGuard>();
        services.AddSingleton<StatementRunner>();
        services.AddSingleton<StatementRegistry>();
        services.AddSingleton<PresignedLinks>();
        services.AddSingleton<StatementReply>();
        services.AddSingleton<StatementsApi>();
        services.AddSingleton<StorageApi>();
        services.AddHostedService<Housekeeping>();
        return services;
    }

    /// <summary>Maps the platform's paths.</summary>
    /// <exception cref="InvalidOperationException">The demo data is missing; the message says what to run.</exception>
    public static IEndpointRouteBuilder MapPlatform(this IEndpointRouteBuilder endpoints)
    {
        _ = endpoints.ServiceProvider.GetRequiredService<DataFiles>();
        var api = endpoints.ServiceProvider.GetRequiredService<StatementsApi>();
        var storage = endpoints.ServiceProvider.GetRequiredService<StorageApi>();
        var chance = endpoints.ServiceProvider.GetRequiredService<IChance>();

        var platform = endpoints.MapGroup("").AddEndpointFilter(async (call, next) =>
        {
            // The marks by which the real platform's answers are known, on refusals too.
            call.HttpContext.Response.Headers.Server = "databricks";
            call.HttpContext.Response.Headers["x-request-id"] = chance.NewId().ToString();
            return await next(call);
        });
        // ASP.NET's routing takes a trailing slash by itself; the JDBC driver sends one.
        platform.MapPost("/api/2.0/sql/statements", (HttpContext context) => api.ExecuteAsync(context));
        platform.MapGet("/api/2.0/sql/statements/{id}", (HttpContext context, string id) => api.PollAsync(context, id));
        platform.MapPost("/api/2.0/sql/statements/{id}/cancel", (HttpContext context, string id) => api.CancelAsync(context, id));
        platform.MapGet("/api/2.0/sql/statements/{id}/result/chunks/{index}",
            (HttpContext context, string id, string index) => api.ChunkAsync(context, id, index));
        platform.MapDelete("/api/2.0/sql/statements/{id}", (HttpContext context, string id) => api.DeleteAsync(context, id));
        platform.MapGet("/api/2.0/preview/scim/v2/Me", (HttpContext context, ITokenReader tokens) => MeAsync(context, tokens));
        endpoints.MapGet($"{PresignedLinks.Path}{{token}}", (HttpContext context, string token) => storage.FetchAsync(context, token));
        return endpoints;
    }

    /// <summary>Who am I, as SCIM 2.0 (RFC 7643 section 4.1); any living token may ask.</summary>
    private static async Task MeAsync(HttpContext context, ITokenReader tokens)
    {
        if (await PlatformAuthentication.AuthenticateAsync(context, tokens) is not { } caller)
            return;
        var me = new JsonObject
        {
            ["schemas"] = new JsonArray(caller.User is null
                ? "urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal"
                : "urn:ietf:params:scim:schemas:core:2.0:User"),
            ["id"] = caller.Subject,
            ["userName"] = caller.User?.Email ?? caller.Client,
            ["displayName"] = caller.User?.Name ?? caller.Client,
            ["active"] = true,
        };
        if (caller.User is { } user)
            me["emails"] = new JsonArray(new JsonObject { ["value"] = user.Email, ["type"] = "work", ["primary"] = true });
        context.Response.ContentType = "application/scim+json";
        await context.Response.WriteAsync(me.ToJsonString(), context.RequestAborted);
    }

    private sealed class CryptographicChance : IChance
    {
        public void Fill(Span<byte> buffer) => RandomNumberGenerator.Fill(buffer);
    }

    /// <summary>Forgets what is over, once a minute.</summary>
    private sealed class Housekeeping(Engines engines, StatementRegistry statements, PresignedLinks links, TimeProvider time)
        : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            using var timer = new PeriodicTimer(TimeSpan.FromMinutes(1), time);
            try
            {
                while (await timer.WaitForNextTickAsync(stoppingToken))
                {
                    engines.Sweep();
                    statements.Sweep();
                    links.Sweep();
                }
            }
            catch (OperationCanceledException)
            {
                // The host is stopping.
            }
        }
    }
}
