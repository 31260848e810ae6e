using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Postern.Sandbox.Control;
using Postern.Sandbox.Hosting;
using Postern.Sandbox.Issuers;
using Postern.Sandbox.Pages;

namespace Postern.Sandbox;

/// <summary>
/// The sandbox as a server inside this process, on 127.0.0.1 only: three authorization servers, the control endpoints, and whatever
/// resource servers the options add, behind one port. Tests start as many as they like, each on a free port with its own state.
/// </summary>
public sealed class SandboxServer : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly IssuerSet _issuers;
    private readonly string? _temporaryDirectory;

    private SandboxServer(WebApplication application, IssuerSet issuers, Uri address, string? temporaryDirectory)
    {
        _application = application;
        _issuers = issuers;
        _temporaryDirectory = temporaryDirectory;
        Address = address;
    }

    /// <summary>The address, such as <c>http://127.0.0.1:7310/</c>.</summary>
    public Uri Address { get; }

    /// <summary>The issuer identifiers, byte for byte as clients must compare them.</summary>
    public IReadOnlyList<string> IssuerIdentifiers =>
        [.. _issuers.Issuers.Select(issuer => Address.GetLeftPart(UriPartial.Authority) + issuer.Profile.Path)];

    /// <summary>
    /// The services the resource servers use: <see cref="ITokenReader"/>, <see cref="ITrafficLog"/>, <see cref="IFaultScript"/>.
    /// </summary>
    public IServiceProvider Services => _application.Services;

    /// <summary>Starts a server; when the task ends, it answers.</summary>
    /// <exception cref="IOException">The port is taken.</exception>
    /// <exception cref="ArgumentException">A lifetime is not positive, or a client names an issuer that does not exist.</exception>
    public static async Task<SandboxServer> StartAsync(SandboxOptions options, CancellationToken cancellation = default)
    {
        Check(options);
        var temporary = options.DataDirectory is null ? Directory.CreateTempSubdirectory("postern-sandbox-").FullName : null;
        var directory = temporary ?? Directory.CreateDirectory(options.DataDirectory!).FullName;
        var issuers = new IssuerSet();
        var application = Build(options, issuers);
        try
        {
            // The port first: issuer identifiers contain it. Until the issuers run, requests are told to come back.
            await application.StartAsync(cancellation);
            var addresses = application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!;
            var address = new Uri(addresses.Addresses.First());
            var environment = new IssuerEnvironment(
                directory,
                new IssuerAddress(address.GetLeftPart(UriPartial.Authority)),
                options.Additions,
                application.Services.GetRequiredService<LiveLifetimes>(),
                application.Services.GetRequiredService<FaultScript>(),
                application.Services.GetRequiredService<TrafficLog>(),
                new SecretsLog(options.Additions.SecretsFile),
                options.RefreshGrace,
                options.Time,
                application.Services.GetRequiredService<ILoggerFactory>());
            issuers.Issuers = await Task.WhenAll(
                IssuerProfile.All.Select(profile => Issuer.StartAsync(profile, environment, cancellation)));
            return new SandboxServer(application, issuers, address, temporary);
        }
        catch
        {
            await application.DisposeAsync();
            Forget(temporary);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _application.StopAsync();
        foreach (var issuer in _issuers.Issuers)
        {
            await issuer.DisposeAsync();
        }

        await _application.DisposeAsync();
        Forget(_temporaryDirectory);
    }

    private static void Forget(string? temporaryDirectory)
    {
        if (temporaryDirectory is not null)
        {
            Directory.Delete(temporaryDirectory, recursive: true);
        }
    }

    private static void Check(SandboxOptions options)
    {
        if (!options.Lifetimes.IsValid)
        {
            throw new ArgumentException("Every lifetime is at least one second.", nameof(options));
        }

        if (options.RefreshGrace < TimeSpan.Zero)
        {
            throw new ArgumentException("The grace of refresh tokens is no time before their use.", nameof(options));
        }

        var stray = options.Additions.Clients.FirstOrDefault(client => IssuerProfile.All.All(profile => profile.Id != client.Issuer));
        if (stray is not null)
        {
            var known = string.Join(", ", IssuerProfile.All.Select(profile => profile.Id));
            throw new ArgumentException($"Client '{stray.Id}' names the issuer '{stray.Issuer}'; there are {known}.", nameof(options));
        }
    }

    private static WebApplication Build(SandboxOptions options, IssuerSet issuers)
    {
        var builder = WebApplication.CreateEmptyBuilder(
            new WebApplicationOptions { ApplicationName = typeof(SandboxServer).Assembly.GetName().Name });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, options.Port);
        });
        options.Logging?.Invoke(builder.Logging);
        builder.Services.Replace(ServiceDescriptor.Singleton<IHostLifetime, QuietLifetime>());
        builder.Services.AddRouting();
        builder.Services.AddSingleton(options.Time)
            .AddSingleton(issuers).AddSingleton<ITokenReader>(issuers)
            .AddSingleton(new LiveLifetimes(options.Lifetimes))
            .AddSingleton<FaultScript>().AddSingleton<IFaultScript>(services => services.GetRequiredService<FaultScript>())
            .AddSingleton<TrafficLog>().AddSingleton<ITrafficLog>(services => services.GetRequiredService<TrafficLog>());
        options.AddResources?.Invoke(builder.Services);

        var application = builder.Build();
        application.Use(RefuseForeignHosts);
        application.Use((context, next) => DispatchAsync(context, issuers, next));
        application.MapGet("/", (HttpContext context) =>
            HomePage.For(new IssuerAddress($"{context.Request.Scheme}://{context.Request.Host}"), IssuerProfile.All));
        application.MapGet("/pages.css", () => Results.Stream(
            typeof(SandboxServer).Assembly.GetManifestResourceStream("pages.css")!, "text/css; charset=utf-8"));
        application.MapControl();
        options.MapResources?.Invoke(application);
        return application;
    }

    // A page of another site that points its own name at this address (DNS rebinding) gets nothing.
    private static Task RefuseForeignHosts(HttpContext context, RequestDelegate next)
    {
        if (context.Request.Host.Host is "127.0.0.1" or "localhost")
        {
            return next(context);
        }

        context.Response.StatusCode = StatusCodes.Status421MisdirectedRequest;
        return Task.CompletedTask;
    }

    private static Task DispatchAsync(HttpContext context, IssuerSet issuers, RequestDelegate next)
    {
        if (IssuerProfile.All.FirstOrDefault(profile => profile.Owns(context.Request.Path)) is not { } profile)
        {
            return next(context);
        }

        if (issuers.Find(profile.Id) is { } issuer)
        {
            return issuer.ServeAsync(context);
        }

        context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        context.Response.Headers.RetryAfter = "1";
        return Task.CompletedTask;
    }
}
