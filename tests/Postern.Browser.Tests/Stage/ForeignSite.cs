using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Postern.Browser.Tests.Stage;

/// <summary>
/// A site of somebody else with one page, really served: what a browser refuses it is refused for what it is, and not because its
/// page came from nowhere. On loopback as the demo is, so that no rule about local networks comes first.
/// </summary>
public sealed class ForeignSite : IAsyncDisposable
{
    private readonly HttpListener listener = new();
    private readonly byte[] page;
    private readonly Task serving;

    private ForeignSite(string address, string body)
    {
        Address = address;
        page = Encoding.UTF8.GetBytes($"<!doctype html><link rel=icon href=data:,>{body}");
        listener.Prefixes.Add(address);
        listener.Start();
        serving = ServeAsync();
    }

    /// <summary>The page's address: another site than all of the demo's.</summary>
    public string Address { get; }

    /// <summary>Serves a page with this body until disposed.</summary>
    public static ForeignSite Open(string body)
    {
        var host = IPAddress.Parse("127.0.0.66");
        using var free = new TcpListener(host, 0);
        free.Start();
        var port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();
        return new($"http://{host}:{port}/", body);
    }

    public async ValueTask DisposeAsync()
    {
        listener.Stop();
        await serving;
        listener.Close();
    }

    private async Task ServeAsync()
    {
        while (listener.IsListening)
        {
            try
            {
                var context = await listener.GetContextAsync();
                context.Response.ContentType = "text/html";
                await context.Response.OutputStream.WriteAsync(page);
                context.Response.Close();
            }
            catch (Exception stopped) when (stopped is HttpListenerException or ObjectDisposedException)
            {
                // Stopped, or a browser that went away.
            }
        }
    }
}
