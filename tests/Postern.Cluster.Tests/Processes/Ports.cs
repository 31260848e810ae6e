using System.Net;
using System.Net.Sockets;

namespace Postern.Cluster.Tests.Processes;

/// <summary>Ports of this machine.</summary>
internal static class Ports
{
    /// <summary>Different loopback ports that nobody listens on now.</summary>
    public static List<int> Free(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        foreach (var listener in listeners)
            listener.Start();
        var free = listeners.ConvertAll(listener => ((IPEndPoint)listener.LocalEndpoint).Port);
        foreach (var listener in listeners)
            listener.Dispose();
        return free;
    }
}
