using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Postern.Model;

namespace Postern.Vault;

// The one way out of this room. Limits: 16 connections, an answer of 64 KiB, 2 s an attempt, 3 attempts, again after 429 and 5xx only
// (with jitter, at most 1 s apart). No redirect, no cookie, no proxy, no decompression, certificates checked. An answer can hold an unwrapped key:
// it is read into one pinned buffer and wiped.

/// <summary>Sends requests to one remote key store and answers with its answer or with a refusal in words for the operator.</summary>
internal sealed class RestClient : IDisposable
{
    /// <summary>The longest answer, in bytes.</summary>
    public const int MaxAnswer = 64 * 1024;

    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(1);

    private readonly RestOptions options;
    private readonly string name;
    private readonly IChance chance;
    private readonly TimeProvider time;
    private readonly HttpMessageInvoker invoker;

    /// <param name="name">The service as messages call it, such as <c>AWS KMS</c>.</param>
    /// <param name="options">How it is reached.</param>
    /// <param name="chance">For jitter.</param>
    /// <param name="time">For deadlines and delays.</param>
    /// <exception cref="ArgumentException">The endpoint is plain http to another machine.</exception>
    public RestClient(string name, RestOptions options, IChance chance, TimeProvider time)
        : this(name, options, chance, time, RestOptions.IsAcceptable(options.Endpoint))
    {
    }

    private RestClient(string name, RestOptions options, IChance chance, TimeProvider time, bool acceptable)
    {
        if (!acceptable)
            throw new ArgumentException($"{name} must be reached by https; plain http is for this machine alone.", nameof(options));
        this.options = options;
        this.name = name;
        this.chance = chance;
        this.time = time;
        invoker = new(Handler(options), disposeHandler: true);
    }

    /// <summary>
    /// For the metadata service of a cloud's virtual machines: plain http by its nature, to one fixed address that never leaves the
    /// machine's own link.
    /// </summary>
    public static RestClient ToInstanceMetadata(string name, RestOptions options, IChance chance, TimeProvider time) =>
        new(name, options, chance, time, options.Endpoint.Host == MetadataAddress || RestOptions.IsAcceptable(options.Endpoint));

    /// <summary>The address of the metadata service in AWS, Azure and Google Cloud.</summary>
    public const string MetadataAddress = "169.254.169.254";

    /// <summary>Where the service is and what it is, for messages; nothing secret.</summary>
    public string Place => $"{name} at {options.Endpoint.GetLeftPart(UriPartial.Authority)}";

    /// <summary>
    /// Sends a request, again after 429 and 5xx. The answer is 2xx or another 4xx, for the caller to judge; everything else is
    /// <see cref="VaultError.KeyStoreUnavailable"/>.
    /// </summary>
    /// <param name="path">Below the endpoint, with its query.</param>
    /// <param name="make">Makes the request, anew for each attempt: signatures hold the time.</param>
    /// <param name="isThrottled">Also says "later" where the service does not say so by status.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    public async Task<Outcome<RestAnswer>> SendAsync(
        string path, Func<HttpRequestMessage> make, CancellationToken cancellation, Func<RestAnswer, bool>? isThrottled = null)
    {
        for (var attempt = 1; ; attempt++)
        {
            var sent = await TryAsync(path, make, cancellation);
            if (!sent.TryGet(out var answer, out var why))
                return why;
            if (!answer.IsTransient && isThrottled?.Invoke(answer) != true)
                return answer.Status is >= 300 and < 400 ? Redirected(answer) : answer;
            var status = answer.Status;
            var asked = answer.RetryAfter;
            answer.Dispose();
            if (attempt >= options.Attempts)
                return Unavailable($"answered {status}, {attempt} times in a row");
            await Task.Delay(Delay(attempt, asked), time, cancellation);
        }
    }

    public void Dispose() => invoker.Dispose();

    /// <summary>A refusal that names the service and what happened, for the operator.</summary>
    public Refusal Unavailable(string what) => VaultErrors.Refuse(VaultError.KeyStoreUnavailable, $"{Place} {what}.");

    private Refusal Redirected(RestAnswer answer)
    {
        answer.Dispose();
        return Unavailable($"answered {answer.Status}, a redirect, which is never followed. Name the service's own address");
    }

    private async Task<Outcome<RestAnswer>> TryAsync(string path, Func<HttpRequestMessage> make, CancellationToken cancellation)
    {
        using var deadline = new CancellationTokenSource(options.AttemptTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellation);
        try
        {
            using var request = make();
            request.RequestUri = new Uri(options.Endpoint.AbsoluteUri.TrimEnd('/') + path);
            request.Version = HttpVersion.Version11;
            using var response = await invoker.SendAsync(request, either.Token);
            var answer = await RestAnswer.ReadAsync(response, MaxAnswer, either.Token);
            return answer is null ? Unavailable($"answered more than {MaxAnswer} bytes") : answer;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return Unavailable($"did not answer within {options.AttemptTimeout.TotalSeconds:0.#} s");
        }
        catch (HttpRequestException failure)
        {
            return Unavailable($"cannot be reached ({failure.HttpRequestError})");
        }
        catch (IOException)
        {
            return Unavailable("broke the connection");
        }
    }

    /// <summary>100, 200, 400 ms with jitter, or what the service asks for, never longer than a second.</summary>
    private TimeSpan Delay(int attempt, TimeSpan? asked)
    {
        var own = TimeSpan.FromMilliseconds(100 * Math.Pow(2, attempt - 1) * (0.5 + chance.NextFraction()));
        var delay = asked > own ? asked.Value : own;
        return delay < LongestDelay ? delay : LongestDelay;
    }

    private static SocketsHttpHandler Handler(RestOptions options)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false, // keys do not pass through another machine
            Credentials = null,
            AutomaticDecompression = DecompressionMethods.None,
            ActivityHeadersPropagator = null,
            ConnectTimeout = options.AttemptTimeout,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            MaxConnectionsPerServer = 16,
            MaxResponseHeadersLength = 32, // KiB
            MaxResponseDrainSize = 0,
        };
        if (options.CertificateAuthorityFile is { } file)
        {
            var authorities = new X509Certificate2Collection();
            authorities.ImportFromPemFile(file);
            handler.SslOptions = new SslClientAuthenticationOptions
            {
                CertificateChainPolicy = new X509ChainPolicy
                {
                    TrustMode = X509ChainTrustMode.CustomRootTrust,
                    RevocationMode = X509RevocationMode.NoCheck,
                },
            };
            handler.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(authorities);
        }
        return handler;
    }
}
