using System.Diagnostics.CodeAnalysis;
using Postern.Model;

namespace Postern.OAuth;

/// <summary>The one rule for addresses of authorization servers: https, or http on loopback where the connection says so.</summary>
internal static class Endpoints
{
    /// <summary>Reads an issuer: an allowed scheme, a host, no query, no fragment, no user (RFC 8414 section 2).</summary>
    public static bool TryIssuer(AuthorizationSettings settings, [NotNullWhen(true)] out Uri? issuer) =>
        TryEndpoint(settings.Issuer, OutboundReach.Of(settings), out issuer)
        && !settings.Issuer.Contains('?', StringComparison.Ordinal) && !settings.Issuer.Contains('#', StringComparison.Ordinal);

    /// <summary>Reads an endpoint: an allowed scheme, a host, no fragment, no user (RFC 6749 section 3.1).</summary>
    public static bool TryEndpoint(string? text, OutboundReach reach, [NotNullWhen(true)] out Uri? endpoint)
    {
        endpoint = null;
        if (text is null || text.Length > 2048 || !IsVisibleAscii(text) || !Uri.TryCreate(text, UriKind.Absolute, out var uri))
            return false;
        var secure = uri.Scheme == Uri.UriSchemeHttps
            || uri.Scheme == Uri.UriSchemeHttp && reach.Loopback && uri.IsLoopback;
        if (!secure || uri.Host.Length == 0 || uri.UserInfo.Length > 0 || text.Contains('#', StringComparison.Ordinal))
            return false;
        endpoint = uri;
        return true;
    }

    private static bool IsVisibleAscii(string text)
    {
        foreach (var c in text)
        {
            if (c is <= ' ' or > '~' or '\\' or '"' or '<' or '>')
                return false;
        }
        return true;
    }
}
