using System.Collections.Concurrent;
using System.Text;
using Microsoft.Playwright;

namespace Postern.Browser.Tests.Evidence;

/// <summary>Records what one browser context sends and gets, and every policy violation and error in any of its frames and windows.</summary>
public sealed class Recorder
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly SeenEverything seen;
    private readonly ConcurrentBag<Task> reading = [];
    private readonly ConcurrentQueue<string> violations = new();
    private readonly ConcurrentQueue<string> errors = new();
    private readonly ConcurrentQueue<string> requests = new();
    private readonly ConcurrentQueue<string> failures = new();

    private Recorder(SeenEverything seen) => this.seen = seen;

    /// <summary>Violations of a content security policy or of Trusted Types.</summary>
    public IReadOnlyCollection<string> Violations => violations;

    /// <summary>Uncaught errors and everything a console shows as an error, failed loads included.</summary>
    public IReadOnlyCollection<string> Errors => errors;

    /// <summary>Method and address of every request, in order.</summary>
    public IReadOnlyCollection<string> Requests => requests;

    /// <summary>Address and reason of every request that the browser gave up.</summary>
    public IReadOnlyCollection<string> Failures => failures;

    public static async Task<Recorder> AttachAsync(IBrowserContext context, SeenEverything seen)
    {
        var recorder = new Recorder(seen);
        await context.ExposeBindingAsync<string>("__violation", (source, text) =>
            recorder.violations.Enqueue($"{source.Frame.Url}: {text}"));
        await context.AddInitScriptAsync("""
            document.addEventListener("securitypolicyviolation", (event) =>
              window.__violation(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber} ${event.sample}`));
            """);
        context.Request += (_, request) => recorder.Asked(request);
        context.RequestFinished += (_, request) => recorder.reading.Add(recorder.FinishedAsync(request));
        context.RequestFailed += (_, request) => recorder.failures.Enqueue($"{request.Url} {request.Failure}");
        context.WebError += (_, error) => recorder.errors.Enqueue($"{error.Page?.Url}: {error.Error}");
        context.Console += (_, message) =>
        {
            if (message.Type == "error")
                recorder.errors.Enqueue($"{message.Page?.Url}: {message.Text} ({message.Location})");
        };
        return recorder;
    }

    /// <summary>Returns when what was under way has been read.</summary>
    public Task SettleAsync() => Task.WhenAll(reading);

    private void Asked(IRequest request)
    {
        requests.Enqueue($"{request.Method} {request.Url}");
        seen.Add(Place.Url, request.Url, request.Url);
        seen.Add(Place.RequestBody, request.Url, request.PostDataBuffer is { } body ? Encoding.Latin1.GetString(body) : null);
    }

    private async Task FinishedAsync(IRequest request)
    {
        try
        {
            foreach (var header in await request.HeadersArrayAsync().WaitAsync(Patience))
                AddHeader(request.Url, header);
            if (await request.ResponseAsync().WaitAsync(Patience) is not { } response)
                return;
            foreach (var header in await response.HeadersArrayAsync().WaitAsync(Patience))
                AddHeader(request.Url, header);
            if (response.Status is not (204 or >= 300 and < 400))
                seen.Add(Place.ResponseBody, request.Url, Encoding.Latin1.GetString(await response.BodyAsync().WaitAsync(Patience)));
        }
        catch (Exception gone) when (gone is PlaywrightException or TimeoutException)
        {
            // The window closed before its last answer could be read back; popups do that.
        }
    }

    private void AddHeader(string url, Header header) => seen.Add(
        header.Name.ToUpperInvariant() switch
        {
            "COOKIE" or "SET-COOKIE" => Place.CookieHeader,
            "LOCATION" => Place.Location,
            _ => Place.Header,
        },
        url, header.Value);
}
