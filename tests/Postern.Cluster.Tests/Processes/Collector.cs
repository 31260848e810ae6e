using System.Net;

namespace Postern.Cluster.Tests.Processes;

/// <summary>Where telemetry is sent: keeps every byte of every request.</summary>
internal sealed class Collector : IDisposable
{
    private readonly HttpListener listener = new();
    private readonly MemoryStream received = new();
    private readonly Lock gate = new();

    /// <summary>Listens on a free loopback port.</summary>
    public Collector()
    {
        var port = Ports.Free(1)[0];
        Address = new Uri($"http://127.0.0.1:{port}/v1/metrics");
        listener.Prefixes.Add($"http://127.0.0.1:{port}/");
        listener.Start();
        _ = ListenAsync();
    }

    /// <summary>For <c>Node:OtlpEndpoint</c>.</summary>
    public Uri Address { get; }

    /// <summary>Everything so far.</summary>
    public byte[] Received
    {
        get
        {
            lock (gate)
                return received.ToArray();
        }
    }

    public void Dispose() => listener.Close();

    private async Task ListenAsync()
    {
        while (listener.IsListening)
        {
            try
            {
                var context = await listener.GetContextAsync();
                using var body = new MemoryStream();
                await context.Request.InputStream.CopyToAsync(body);
                lock (gate)
                    body.WriteTo(received);
                context.Response.Close();
            }
            catch (Exception ended) when (ended is HttpListenerException or ObjectDisposedException or IOException)
            {
                // A node died in the middle of its request, or this was disposed.
            }
        }
    }
}
