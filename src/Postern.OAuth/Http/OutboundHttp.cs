using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Postern.OAuth;

/// <summary>What the operator decides about outgoing connections.</summary>
public sealed record OutboundOptions
{
    /// <value>The time to open a connection, TLS included; 5 seconds.</value>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <value>How long a connection is kept, so that a moved name is noticed; 5 minutes.</value>
    public TimeSpan ConnectionLifetime { get; init; } = TimeSpan.FromMinutes(5);

    /// <value>Connections to one server at once; 64.</value>
    public int MaxConnectionsPerServer { get; init; } = 64;
}

/// <summary>
/// The one source of outgoing HTTP. Its connections check the address after name resolution, follow no redirect, keep no cookie, use
/// no proxy, validate certificates and repeat nothing of their own accord. There is a pool for each reach, because a pooled
/// connection into a private network must not serve a caller who may not go there.
/// </summary>
public sealed class OutboundHttp : IDisposable
{
    private readonly OutboundOptions options;
    private readonly Func<string, CancellationToken, Task<IPAddress[]>> resolve;
    private readonly ConcurrentDictionary<OutboundReach, Lazy<SocketsHttpHandler>> pools = new();

    /// <summary>Makes the pools; they live until this is disposed.</summary>
    public OutboundHttp(OutboundOptions options)
        : this(options, Dns.GetHostAddressesAsync)
    {
    }

    /// <summary>With another name resolution, for tests of rebinding.</summary>
    internal OutboundHttp(OutboundOptions options, Func<string, CancellationToken, Task<IPAddress[]>> resolve)
    {
        this.options = options;
        this.resolve = resolve;
    }

    /// <summary>The pool of a reach, for callers that send <see cref="HttpRequestMessage"/>s themselves. Do not dispose it.</summary>
    public HttpMessageHandler Handler(OutboundReach reach) => pools.GetOrAdd(reach, one => new(() => Pool(one))).Value;

    /// <summary>An invoker over the pool of a reach. Disposing it leaves the pool alone.</summary>
    public HttpMessageInvoker Invoker(OutboundReach reach) => new(Handler(reach), disposeHandler: false);

    /// <summary>A client over the pool of a reach. Disposing it leaves the pool alone.</summary>
    /// <param name="reach">How far it may connect.</param>
    /// <param name="maxBufferedBytes">The largest response it buffers; streamed reads are limited by whoever reads.</param>
    /// <param name="timeout">The time until the headers, or until the end of a buffered body.</param>
    public HttpClient Client(OutboundReach reach, long maxBufferedBytes, TimeSpan timeout) =>
        new(Handler(reach), disposeHandler: false) { MaxResponseContentBufferSize = maxBufferedBytes, Timeout = timeout };

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var pool in pools.Values.Where(pool => pool.IsValueCreated))
            pool.Value.Dispose();
    }

    private SocketsHttpHandler Pool(OutboundReach reach) => new()
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false, // a proxy would resolve the name itself and make the address check meaningless
        Credentials = null,
        PreAuthenticate = false,
        AutomaticDecompression = DecompressionMethods.None,
        ActivityHeadersPropagator = null, // our trace ids are nobody else's business
        ConnectTimeout = options.ConnectTimeout,
        PooledConnectionLifetime = options.ConnectionLifetime,
        MaxConnectionsPerServer = options.MaxConnectionsPerServer,
        MaxResponseHeadersLength = 32, // KiB
        MaxResponseDrainSize = 64 * 1024, // an answer given up is not read on for the sake of its connection
        ConnectCallback = (context, cancellation) => ConnectAsync(context.DnsEndPoint, reach, cancellation),
    };

    private async ValueTask<Stream> ConnectAsync(DnsEndPoint target, OutboundReach reach, CancellationToken cancellation)
    {
        var addresses = IPAddress.TryParse(target.Host, out var literal) ? [literal] : await resolve(target.Host, cancellation);
        Exception failure = new AddressRefusedException();
        foreach (var address in addresses)
        {
            // The socket goes to the address that was judged; the name is not resolved again.
            if (!OutboundAddresses.Permits(address, reach))
                continue;
            Socket? socket = null;
            try
            {
                socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(new IPEndPoint(address, target.Port), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (SocketException error)
            {
                socket?.Dispose();
                failure = error;
            }
            catch
            {
                socket?.Dispose();
                throw;
            }
        }
        throw failure;
    }
}
