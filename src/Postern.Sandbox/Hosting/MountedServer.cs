using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Features.Authentication;

namespace Postern.Sandbox.Hosting;

/// <summary>
/// A server without a socket: it makes a complete web application answer requests that another application has received. So each
/// issuer is an application of its own, with its own container, as OpenIddict wants it, and all of them share one port.
/// </summary>
internal sealed class MountedServer : IServer
{
    // What belongs to the application that received the request and not to the wire. The mounted application makes its own.
    private static readonly HashSet<Type> OuterFeatures =
    [
        typeof(IServiceProvidersFeature), typeof(IEndpointFeature), typeof(IRouteValuesFeature), typeof(IItemsFeature),
        typeof(IQueryFeature), typeof(IFormFeature), typeof(IHttpAuthenticationFeature), typeof(IResponseCookiesFeature),
        typeof(IRequestCookiesFeature),
    ];

    private Func<IFeatureCollection, Task>? _serve;

    /// <summary>The features of the server, as opposed to those of a request: it has none.</summary>
    public IFeatureCollection Features { get; } = new FeatureCollection();

    /// <summary>Answers a request of the outer application.</summary>
    /// <exception cref="InvalidOperationException">The mounted application is not running.</exception>
    public Task ServeAsync(HttpContext outer)
    {
        var serve = _serve ?? throw new InvalidOperationException("The mounted application is not running.");
        var features = new FeatureCollection();
        foreach (var (type, feature) in outer.Features)
        {
            if (!OuterFeatures.Contains(type))
            {
                features[type] = feature;
            }
        }

        return serve(features);
    }

    public Task StartAsync<TContext>(IHttpApplication<TContext> application, CancellationToken cancellationToken)
        where TContext : notnull
    {
        _serve = features => ServeAsync(application, features);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _serve = null;
        return Task.CompletedTask;
    }

    public void Dispose() => _serve = null;

    private static async Task ServeAsync<TContext>(IHttpApplication<TContext> application, IFeatureCollection features)
        where TContext : notnull
    {
        var context = application.CreateContext(features);
        Exception? failure = null;
        try
        {
            await application.ProcessRequestAsync(context);
        }
        catch (Exception exception)
        {
            failure = exception;
            throw;
        }
        finally
        {
            application.DisposeContext(context, failure);
        }
    }
}
