using System.Net;

namespace Postern.Host.Configuration;

/// <summary>What counts as an origin and as a safe address in a configuration.</summary>
internal static class Origins
{
    /// <summary>True for scheme, host and port alone, spelt as a browser spells it in <c>Origin</c>.</summary>
    public static bool IsOrigin(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.UserInfo.Length == 0
        && string.Equals(uri.GetLeftPart(UriPartial.Authority), text, StringComparison.Ordinal);

    /// <summary>True for https, and for http on the machine itself (RFC 8252 section 8.3; browsers call it trustworthy).</summary>
    public static bool IsSecure(Uri uri) => uri.Scheme == Uri.UriSchemeHttps || IsLoopback(uri);

    /// <summary>True when the host is <c>localhost</c> or a loopback address.</summary>
    public static bool IsLoopback(Uri uri) =>
        uri.Host == "localhost" || IPAddress.TryParse(uri.Host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address);
}
