using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Postern.Cluster.Tests.Processes;

/// <summary>
/// Carries connections from one place to another, and can be cut as a network is: nothing arrives any more, in either direction, and
/// nobody is told. What was on its way arrives when it heals.
/// </summary>
internal sealed class Wire : IAsyncDisposable
{
    private const string Socket = ".s.PGSQL.5432";

    private readonly CancellationTokenSource ending = new();
    private readonly ConcurrentBag<Task> carrying = [];
    private readonly Socket listener;
    private readonly EndPoint there;
    private volatile TaskCompletionSource whole = new();
    private readonly Task accepting;

    /// <summary>Lays it.</summary>
    /// <param name="here">Where it listens.</param>
    /// <param name="there">Where what comes is carried.</param>
    public Wire(EndPoint here, EndPoint there)
    {
        this.there = there;
        whole.SetResult();
        listener = For(here);
        // A wire laid here before may have connections that still try to say goodbye to a network that is gone.
        if (here is IPEndPoint)
            listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(here);
        listener.Listen();
        accepting = AcceptAsync();
    }

    /// <summary>The socket of a PostgreSQL server in the folder that it names as its host.</summary>
    public static EndPoint PostgreSqlIn(string folder) => new UnixDomainSocketEndPoint(Path.Combine(folder, Socket));

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

    private async Task CarryAsync(Socket caller)
    {
        using var near = caller;
        using var far = For(there);
        try
        {
            await whole.Task.WaitAsync(ending.Token);
            await far.ConnectAsync(there, ending.Token);
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

    private static Socket For(EndPoint place) => new(place.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
}
