using System.Data.Common;
using System.Net;

namespace Postern.Store;

/// <summary>Where a database server is, as far as TLS cares.</summary>
internal static class ServerAddress
{
    public const string Unprotected =
        "names a server on another machine and turns TLS, or the check of its certificate, off: remove the SSL mode (VerifyFull is the default), or set AllowUnprotectedServer.";

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

/// <summary>A connection string that the store does not take. Its message goes on after "The connection string" and shows nothing of it.</summary>
internal sealed class UnfitConnectionException(string problem) : ArgumentException(problem);
