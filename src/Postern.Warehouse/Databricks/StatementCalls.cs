using System.Net.Http.Headers;
using Microsoft.Extensions.Logging;
using Postern.Model;

namespace Postern.Warehouse.Databricks;

/// <summary>
/// The API calls of one statement, each with its own rule of repetition:
/// a refused token is renewed once per call; GETs are repeated whenever that may help; an execute is repeated only when the
/// platform certainly did not take it, or when running it twice does no harm.
/// </summary>
internal sealed class StatementCalls(
    Connection connection, IBearerSource bearers, StatementReport report, Transport transport, TimeProvider time, IChance chance,
    DatabricksOptions options, ILogger log)
{
    private const string Statements = "/api/2.0/sql/statements";
    private static readonly MediaTypeHeaderValue Json = new("application/json");
    private IBearer? accepted;

    /// <summary>The generation of the pair the platform accepted last; 0 before any.</summary>
    public int Generation => accepted?.Generation ?? 0;

    /// <summary>Sends the statement. Once it is on its way, its answer is awaited also after a cancellation, because only it names the statement.</summary>
    public Task<Outcome<byte[]>> ExecuteAsync(byte[] body, bool safeToRepeat, CancellationToken cancellation) =>
        CallAsync(
            () =>
            {
                report.Executions++;
                var request = Transport.NewRequest(HttpMethod.Post, Address(Statements));
                request.Content = new ByteArrayContent(body) { Headers = { ContentType = Json } };
                return request;
            },
            options.WaitTimeout + options.RequestTimeout, options.WaitTimeout + options.CancelTimeout, safeToRepeat, null, cancellation);

    /// <summary>Asks where the statement stands.</summary>
    public Task<Outcome<byte[]>> PollAsync(string statementId, CancellationToken cancellation) =>
        GetAsync($"{Statements}/{statementId}", cancellation);

    /// <summary>Asks for the link to a chunk; each answer carries a fresh one.</summary>
    public Task<Outcome<byte[]>> ChunkAsync(string statementId, int index, CancellationToken cancellation) =>
        GetAsync(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Statements}/{statementId}/result/chunks/{index}"), cancellation);

    /// <summary>Any GET of the API.</summary>
    public Task<Outcome<byte[]>> GetAsync(string path, CancellationToken cancellation) =>
        CallAsync(() => Transport.NewRequest(HttpMethod.Get, Address(path)), options.RequestTimeout, TimeSpan.Zero, repeatable: true, null, cancellation);

    /// <summary>
    /// Asks the platform to stop. Bounded in time and independent of any caller's cancellation. It goes with the bearer that the
    /// platform took last: a grant that was just revoked gives no other, and its statements are to stop first of all.
    /// </summary>
    public async Task<bool> CancelAsync(string statementId)
    {
        try
        {
            using var patience = new CancellationTokenSource(options.CancelTimeout, time);
            var sent = await CallAsync(
                () =>
                {
                    var request = Transport.NewRequest(HttpMethod.Post, Address($"{Statements}/{statementId}/cancel"));
                    request.Content = new ByteArrayContent([]) { Headers = { ContentType = Json } };
                    return request;
                },
                options.CancelTimeout, TimeSpan.Zero, repeatable: true, accepted, patience.Token);
            report.CancelDelivered |= sent.TryGet(out _, out _);
        }
        catch (Exception e) when (e is OperationCanceledException or InvalidOperationException or ObjectDisposedException)
        {
            log.CancelNotDelivered(connection.Id, statementId, e.GetType().Name);
        }
        return report.CancelDelivered;
    }

    /// <summary>True for an id that may stand in a path; it comes from outside.</summary>
    public static bool IsStatementId([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] string? id) =>
        id is { Length: > 0 and <= 128 } && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');

    private Uri Address(string path) => new(connection.Endpoint, path);

    private async Task<Outcome<byte[]>> CallAsync(
        Func<HttpRequestMessage> make, TimeSpan timeout, TimeSpan afterCancel, bool repeatable, IBearer? preferred,
        CancellationToken cancellation)
    {
        var first = preferred is null ? await bearers.CurrentAsync(cancellation) : Outcome<IBearer>.Of(preferred);
        if (!first.TryGet(out var bearer, out var why))
            return why;
        var renewed = false;
        for (var attempt = 0; ;)
        {
            cancellation.ThrowIfCancellationRequested();
            using var request = make();
            var reply = await transport.SendAsync(request, bearer, timeout, afterCancel, cancellation);
            if (reply.IsSuccess)
            {
                accepted = bearer;
                report.Generation = bearer.Generation;
                return reply.Body;
            }
            var error = reply.Fate == Fate.Answered ? Read(reply) : null;
            if (error is { IsTokenRefused: true })
            {
                log.TokenRefused(connection.Id, bearer.Generation);
                if (renewed)
                    return Refusals.TokenRefused(connection);
                if (!(await bearers.AfterRefusalAsync(bearer.Generation, cancellation)).TryGet(out bearer, out why))
                    return why;
                renewed = true;
                report.Renewals++;
                continue;
            }
            if (Judge(reply, error, repeatable) is { } final)
                return final;
            var pause = Pause(reply, attempt);
            if (attempt++ >= options.Retries || pause > options.RetryLongest)
                return GivenUp(reply, error);
            log.Repeating(connection.Id, reply.ToString(), attempt, pause.TotalMilliseconds);
            await Task.Delay(pause, time, cancellation);
        }
    }

    private PlatformError Read(Reply reply)
    {
        var error = PlatformError.Read(reply.Status, reply.Body);
        if (error.Message.Length == 0 && reply.Reason is { } reason)
            error = error with { Message = reason };
        report.PlatformCode = error.Code;
        report.MessageDigest = PlatformError.Digest(error.Message);
        return error;
    }

    // Null when repeating is safe and may help. A 503 without Retry-After can come from a proxy after the platform took the statement.
    private Refusal? Judge(Reply reply, PlatformError? error, bool repeatable) => (reply.Fate, reply.Status) switch
    {
        (Fate.NotSent, _) => null,
        (Fate.Lost, _) => repeatable ? null : Refusals.FateUnknown(connection),
        (_, 429) => null,
        (_, 503) when reply.RetryAfter is not null => null,
        (_, 408 or 500 or 502 or 503 or 504) => repeatable ? null : Refusals.FateUnknown(connection),
        _ => Refusals.Rejected(connection, error!),
    };

    private TimeSpan Pause(Reply reply, int attempt) =>
        reply.RetryAfter ?? options.RetryFirst * (1 << attempt) * (0.5 + chance.NextFraction() / 2);

    private Refusal GivenUp(Reply reply, PlatformError? error) => reply.Status == 429
        ? new Refusal(RefusalKind.RateLimited, $"{connection.DisplayName} takes no more requests at the moment. Try again later.")
        {
            Connection = connection.Id, RetryAfter = reply.RetryAfter ?? options.RetryLongest, Code = error?.Code ?? "http-429",
        }
        : Refusals.Unavailable(connection, error?.Code ?? (reply.Fate == Fate.NotSent ? "unreachable" : "no-answer"), reply.RetryAfter);
}
