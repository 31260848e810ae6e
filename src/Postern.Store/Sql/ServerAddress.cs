using System.Data.Common;
using System.Net;

namespace Postern.Store;

/// <summary>Where a database server is, as far as TLS cares.</summary>
internal static class ServerAddress
{
    public const string Unprotected =
        "The store's server is on another machine and its connection string turns TLS or the check of its certificate off. "
        + "Remove the SSL mode (VerifyFull is the default), or set AllowUnprotectedServer.";

    /// <summary>True when every host named is loopback or a Unix socket.</summary>
    /// <param name="hosts">One host or several with commas between them, each perhaps with a port.</param>
    public static bool IsThisMachine(string hosts) => hosts.Split(',', StringSplitOptions.TrimEntries).All(host =>
        host.StartsWith('/')
        || host.StartsWith('@')
        || host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || host.StartsWith("localhost:", StringComparison.OrdinalIgnoreCase)
        || (IPEndPoint.TryParse(host, out var address) && IPAddress.IsLoopback(address.Address)));

    /// <summary>True when the connection string, as written, sets one of these keys.</summary>
    public static bool Mentions(string connectionString, params string[] keys)
    {
        var written = new DbConnectionStringBuilder { ConnectionString = connectionString };
        return keys.Any(written.ContainsKey);
    }
}
