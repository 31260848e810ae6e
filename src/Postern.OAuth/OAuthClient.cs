using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Postern.Model;

namespace Postern.OAuth;

/// <summary>
/// The protocol client. One for the process; it holds caches of public documents and no token. An authorization goes
/// <see cref="Metadata"/> → <see cref="Authorizations"/> → the browser → <see cref="CallbackParameters.Parse"/> →
/// <see cref="Callbacks"/> → <see cref="Tokens"/> → <see cref="IdTokens"/>; signing in by OpenID Connect is the same way.
/// </summary>
public sealed class OAuthClient
{
    /// <summary>Makes the client over the process's outgoing HTTP.</summary>
    /// <param name="outbound">Where connections come from.</param>
    /// <param name="chance">Where states, nonces and verifiers come from.</param>
    /// <param name="time">The clock of time limits, caches and ID tokens.</param>
    /// <param name="options">The limits; null for the defaults.</param>
    public OAuthClient(OutboundHttp outbound, IChance chance, TimeProvider time, OAuthOptions? options = null)
    {
        options ??= new OAuthOptions();
        RequestTimeout = options.RequestTimeout;
        var wire = new Wire(outbound, time, options);
        Metadata = new MetadataSource(wire, time, options);
        Authorizations = new AuthorizationRequests(wire, chance, options);
        Callbacks = new CallbackJudge(options);
        Tokens = new TokenEndpoint(wire, options);
        Revocations = new RevocationEndpoint(wire, options);
        IdTokens = new IdTokenReader(wire, time, options);
    }

    /// <summary>The time that one exchange with a server may take, as the options say; whoever sets deadlines for requests adds to this.</summary>
    public TimeSpan RequestTimeout { get; }

    /// <summary>What authorization servers say of themselves.</summary>
    public MetadataSource Metadata { get; }

    /// <summary>Begins authorizations.</summary>
    public AuthorizationRequests Authorizations { get; }

    /// <summary>Judges callbacks.</summary>
    public CallbackJudge Callbacks { get; }

    /// <summary>Codes, refresh tokens and client credentials into tokens.</summary>
    public TokenEndpoint Tokens { get; }

    /// <summary>Revokes tokens.</summary>
    public RevocationEndpoint Revocations { get; }

    /// <summary>Validates ID tokens.</summary>
    public IdTokenReader IdTokens { get; }
}

/// <summary>Registration with a container.</summary>
public static class OAuthServices
{
    /// <summary>
    /// Adds <see cref="OutboundHttp"/> and <see cref="OAuthClient"/>, one each. <see cref="IChance"/> and
    /// <see cref="TimeProvider"/> are taken from the container.
    /// </summary>
    public static IServiceCollection AddOAuthClient(
        this IServiceCollection services, OutboundOptions? outbound = null, OAuthOptions? options = null)
    {
        services.TryAddSingleton(_ => new OutboundHttp(outbound ?? new OutboundOptions()));
        services.TryAddSingleton(provider => new OAuthClient(
            provider.GetRequiredService<OutboundHttp>(),
            provider.GetRequiredService<IChance>(),
            provider.GetRequiredService<TimeProvider>(),
            options));
        return services;
    }
}
