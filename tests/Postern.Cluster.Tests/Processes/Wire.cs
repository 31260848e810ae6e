using System.Collections.Concurrent;
using System.Net.Sockets;

namespace Postern.Cluster.Tests.Processes;

/// <summary>
/// One node's own way to the PostgreSQL server of this run, which can be cut as a network is: nothing arrives any more, in either
/// direction, and nobody is told. What was on its way arrives when it heals.
/// </summary>
internal sealed class Wire : IAsyncDisposable
{
    private const string Socket = ".s.PGSQL.5432";

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("postern-wire-");
    private readonly CancellationTokenSource ending = new();
    private readonly ConcurrentBag<Task> carrying = [];
    private readonly Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly string server;
    private volatile TaskCompletionSource whole = new();
    private readonly Task accepting;

    /// <summary>Lays it.</summary>
    /// <param name="server">The folder of the server's socket.</param>
    public Wire(string server)
    {
        this.server = Path.Combine(server, Socket);
        whole.SetResult();
        listener.Bind(new UnixDomainSocketEndPoint(Path.Combine(folder.FullName, Socket)));
        listener.Listen();
        accepting = AcceptAsync();
    }

    /// <summary>The folder that a node gives as its server's host.</summary>
    public string Host => folder.FullName;

    /// <summary>Nothing arrives any more.</summary>
    public void Cut() => whole = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Everything arrives again, what was kept back first.</summary>
    public void Heal() => whole.TrySetResult();

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        Heal();
        listener.Dispose();
        await accepting;
        await Task.WhenAll(carrying);
        ending.Dispose();
        folder.Delete(recursive: true);
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                carrying.Add(CarryAsync(await listener.AcceptAsync(ending.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The end.
        }
    }

    private async Task CarryAsync(Socket node)
    {
        using var near = node;
        using var far = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await whole.Task.WaitAsync(ending.Token);
            await far.ConnectAsync(new UnixDomainSocketEndPoint(server), ending.Token);
            await Task.WhenAny(PumpAsync(near, far), PumpAsync(far, near));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            // Either side hung up.
        }
    }

    private async Task PumpAsync(Socket from, Socket to)
    {
        var bytes = new byte[16 * 1024];
        try
        {
            while (await from.ReceiveAsync(bytes, ending.Token) is var count and > 0)
            {
                await whole.Task.WaitAsync(ending.Token);
                await to.SendAsync(bytes.AsMemory(0, count), ending.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Either side hung up.
        }
    }
}
