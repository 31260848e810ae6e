using System.Collections.Immutable;
using System.Net;
using Postern.Model;

namespace Postern.OAuth;

/// <summary>
/// How far the requests of one connection may reach: public addresses always; this machine and private networks only where that very
/// connection's own settings say so. Whatever one connection may reach opens nothing for another.
/// </summary>
public sealed class OutboundReach : IEquatable<OutboundReach>
{
    private readonly string name;

    private OutboundReach(bool loopback, ImmutableArray<IPNetwork> networks)
    {
        Loopback = loopback;
        Networks = networks;
        name = $"{(loopback ? "loopback" : "public")} {string.Join(' ', networks.Select(network => network.ToString()).Distinct().Order(StringComparer.Ordinal))}";
    }

    /// <summary>Public addresses and nothing else.</summary>
    public static OutboundReach Public { get; } = new(false, []);

    /// <summary>Also this machine's loopback addresses; for sandboxes.</summary>
    public static OutboundReach PublicAndLoopback { get; } = new(true, []);

    /// <summary>Whether loopback addresses may be reached.</summary>
    public bool Loopback { get; }

    /// <summary>Private networks that may be reached, such as a private link to a platform.</summary>
    public ImmutableArray<IPNetwork> Networks { get; }

    /// <summary>Public addresses and these private networks.</summary>
    public static OutboundReach Of(ImmutableArray<IPNetwork> networks) => new(false, networks);

    /// <summary>To an authorization server: loopback only where the settings allow it and the issuer itself is there.</summary>
    public static OutboundReach Of(AuthorizationSettings settings) => new(
        settings.AllowPlainHttpIssuerOnLoopback && Uri.TryCreate(settings.Issuer, UriKind.Absolute, out var issuer) && issuer.IsLoopback,
        settings.AllowedNetworks);

    /// <summary>To a data platform: loopback only where the connection's endpoint is there.</summary>
    public static OutboundReach Of(Connection connection) => new(connection.Endpoint.IsLoopback, connection.AllowedNetworks);

    /// <inheritdoc/>
    public bool Equals(OutboundReach? other) => other is not null && name == other.name;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as OutboundReach);

    /// <inheritdoc/>
    public override int GetHashCode() => name.GetHashCode(StringComparison.Ordinal);

    /// <summary>Names the reach; equal reaches have the same name.</summary>
    public override string ToString() => name;
}
