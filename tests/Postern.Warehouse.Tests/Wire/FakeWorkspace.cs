using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Postern.Warehouse.Tests.Wire;

/// <summary>One request as it came over the wire.</summary>
public sealed record Seen(string Call, string? Authorization, string Body, IReadOnlyDictionary<string, string> Headers);

/// <summary>
/// A scripted workspace over real Kestrel. Answers are registered per call and used in order; a request without an answer and an
/// answer without a request both fail the test, in <see cref="DisposeAsync"/>.
/// </summary>
public sealed class FakeWorkspace : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly ConcurrentDictionary<string, ConcurrentQueue<Func<HttpContext, Task>>> script = new();
    private readonly ConcurrentDictionary<string, Func<HttpContext, Task>> always = new();
    private readonly ConcurrentQueue<string> unexpected = new();
    private readonly ConcurrentQueue<Seen> seen = new();

    private FakeWorkspace(WebApplication app) => this.app = app;

    public Uri Endpoint => new(app.Urls.First());

    public IReadOnlyCollection<Seen> Requests => seen;

    public static async Task<FakeWorkspace> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrel(o => o.Listen(System.Net.IPAddress.Loopback, 0));
        var app = builder.Build();
        var fake = new FakeWorkspace(app);
        app.Run(fake.AnswerAsync);
        await app.StartAsync();
        return fake;
    }

    /// <summary>Answers for the next requests of that call, in order.</summary>
    public FakeWorkspace On(string call, params Func<HttpContext, Task>[] answers)
    {
        var queue = script.GetOrAdd(call, _ => new());
        foreach (var answer in answers)
            queue.Enqueue(answer);
        return this;
    }

    /// <summary>The answer to any number of requests of that call, after the scripted ones.</summary>
    public FakeWorkspace Always(string call, Func<HttpContext, Task> answer)
    {
        always[call] = answer;
        return this;
    }

    public int Count(string call) => seen.Count(s => s.Call == call);

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        await app.DisposeAsync();
        Assert.Empty(unexpected);
        Assert.All(script, entry => Assert.True(entry.Value.IsEmpty, $"{entry.Value.Count} answers to {entry.Key} were never asked for."));
    }

    private async Task AnswerAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        var body = await reader.ReadToEndAsync();
        var call = $"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}";
        var authorization = context.Request.Headers.Authorization.ToString();
        seen.Enqueue(new(call, authorization.Length == 0 ? null : authorization, body,
            context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase)));
        if (script.TryGetValue(call, out var queue) && queue.TryDequeue(out var answer) || always.TryGetValue(call, out answer))
        {
            await answer(context);
            return;
        }
        unexpected.Enqueue(call);
        context.Response.StatusCode = 418;
    }
}

/// <summary>Answers for <see cref="FakeWorkspace"/>.</summary>
public static class Answer
{
    public static Func<HttpContext, Task> Json(string body, int status = 200, params (string Name, string Value)[] headers) =>
        Text(body, "application/json", status, headers);

    public static Func<HttpContext, Task> Text(string body, string type, int status, params (string Name, string Value)[] headers) => async context =>
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        foreach (var (name, value) in headers)
            context.Response.Headers[name] = value;
        await context.Response.WriteAsync(body);
    };

    public static Func<HttpContext, Task> Bytes(byte[] body) => async context =>
    {
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body);
    };

    /// <summary>Announces everything, sends a part, cuts the connection.</summary>
    public static Func<HttpContext, Task> CutOff(byte[] body, int at) => async context =>
    {
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body.AsMemory(0, at));
        await context.Response.Body.FlushAsync();
        context.Abort();
    };

    /// <summary>Takes the request and cuts the connection without an answer.</summary>
    public static Func<HttpContext, Task> Drop() => context =>
    {
        context.Abort();
        return Task.CompletedTask;
    };

    public static Func<HttpContext, Task> TokenRefused() =>
        Json("""{"error_code":403,"message":"Invalid access token."}""", 403, ("x-databricks-reason-phrase", "Invalid access token."));
}
