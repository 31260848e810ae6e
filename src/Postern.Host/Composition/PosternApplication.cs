using Microsoft.AspNetCore.HttpOverrides;
using Postern.Gateway;
using Postern.Grants;
using Postern.Host.Configuration;
using Postern.Model;
using Postern.OAuth;
using Postern.Store;
using Postern.Vault;
using Postern.Warehouse;
using Postern.Warehouse.Databricks;

namespace Postern.Host.Composition;

/// <summary>The composition root: which rooms a process has, and with which settings. No logic.</summary>
internal static class PosternApplication
{
    private static readonly string[] Quiet = ["Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.HttpLogging", "Microsoft.AspNetCore.Server", "System.Net.Http"];

    /// <summary>The gateway with all its rooms.</summary>
    public static WebApplication Build(PosternSettings settings, string frontEnd, Uri listen)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { Args = [] });
        // The framework would believe forwarded headers from everybody when ASPNETCORE_FORWARDEDHEADERS_ENABLED is set; here TrustedProxies alone decides.
        builder.Configuration["ForwardedHeaders_Enabled"] = "false";
        builder.WebHost.UseUrls(listen.AbsoluteUri);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = 1024 * 1024;
        });
        KeepQuiet(builder.Configuration);
        builder.Logging.AddSimpleConsole(console => console.SingleLine = true).SetMinimumLevel(LogLevel.Information)
            .AddFilter("Microsoft", LogLevel.Warning)
            .AddFilter("Microsoft.AspNetCore.Hosting", LogLevel.Error)
            .AddFilter("System.Net.Http", LogLevel.None)
            // It would print the whole schema.
            .AddFilter("FluentMigrator", LogLevel.Warning)
            // A failed start is told by the command, in a sentence; a background service that fails stops the host, which is critical.
            .AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical);

        AddRooms(builder.Services, settings);
        builder.Services.AddTelemetry(settings);
        builder.Services.AddPostern(new GatewayOptions { PublicOrigin = settings.PublicOrigin, FrontEnd = frontEnd });

        var app = builder.Build();
        TrustProxies(app, settings);
        app.MapPostern();
        return app;
    }

    /// <summary>
    /// Request lines of the callback hold codes and states, and headers hold tokens. The logs of the framework that write them stay off,
    /// whatever <c>Logging:LogLevel</c> says, since a more exact category there would win over the filters here.
    /// </summary>
    private static void KeepQuiet(ConfigurationManager configuration)
    {
        foreach (var (key, _) in configuration.GetSection("Logging").AsEnumerable().ToList())
        {
            if (Quiet.Any(category => key[(key.LastIndexOf(':') + 1)..].StartsWith(category, StringComparison.OrdinalIgnoreCase)))
                configuration[key] = null;
        }
    }

    /// <summary>The rooms without the gateway, for commands that work on the store.</summary>
    public static ServiceProvider BuildRooms(PosternSettings settings)
    {
        var services = new ServiceCollection();
        services.AddLogging(logging => logging.AddSimpleConsole(console => console.SingleLine = true).SetMinimumLevel(LogLevel.Warning));
        AddRooms(services, settings);
        return services.BuildServiceProvider();
    }

    private static void AddRooms(IServiceCollection services, PosternSettings settings)
    {
        services.AddSingleton(settings);
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<IChance, SystemChance>();
        services.AddSingleton<IEventListener, EventLog>();
        services.AddPosternStore(settings.Store.Options with { Node = settings.Node.Name });
        services.AddVault(new VaultOptions
        {
            Deployment = settings.KeyStore.Deployment,
            FileKeyring = settings.KeyStore.File,
            RemoteKeyStore = settings.KeyStore.Remote,
            Former = settings.KeyStore.Former,
        });
        services.AddOAuthClient();
        services.AddGrants(new GrantOptions { Node = settings.Node.Name, SpoolDirectory = settings.Node.SpoolDirectory });
        // A statement is named by the platform's first answer, and only then can it be cancelled: that answer is not waited for, so that
        // a revocation stops a running query within a second.
        services.AddSingleton(new DatabricksOptions { WaitTimeout = TimeSpan.Zero, PollFirst = TimeSpan.FromMilliseconds(5) });
        services.AddWarehouse((provider, connection) => provider.GetRequiredService<OutboundHttp>().Invoker(OutboundReach.Of(connection)));
    }

    private static void TrustProxies(WebApplication app, PosternSettings settings)
    {
        if (settings.TrustedProxies.IsEmpty)
            return;
        var forwarded = new ForwardedHeadersOptions
        {
            ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto | ForwardedHeaders.XForwardedHost,
            // Back through as many proxies as are trusted, and no further than the first that is not.
            ForwardLimit = null,
        };
        forwarded.KnownProxies.Clear();
        forwarded.KnownIPNetworks.Clear();
        foreach (var network in settings.TrustedProxies)
            forwarded.KnownIPNetworks.Add(network);
        app.UseForwardedHeaders(forwarded);
    }
}
