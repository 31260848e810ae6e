using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Postern.OAuth.Tests.Support;

/// <summary>What a server saw.</summary>
internal sealed record Seen(string Method, string Path, string Query, string? Authorization, IReadOnlyDictionary<string, string> Form);

/// <summary>
/// An authorization server that does what its script says, over real Kestrel on a free port. It shares no code with the client and
/// no library with any product, so neither can hide the other's mistakes. An address without a script answers 404.
/// </summary>
internal sealed class ScriptedServer : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly ConcurrentDictionary<string, RequestDelegate> scripts = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<Seen> seen = new();
    private int connections;

    private ScriptedServer(WebApplication app) => this.app = app;

    public string Origin { get; private set; } = "";
    public string Issuer => Origin + "/as";
    public IReadOnlyList<Seen> Log => [.. seen];
    public int Connections => Volatile.Read(ref connections);
    public IReadOnlyList<Seen> To(string path) => [.. seen.Where(s => s.Path == path)];

    public static async Task<ScriptedServer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var counter = new Counter();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(System.Net.IPAddress.Loopback, 0, listen =>
            listen.Use(next => connection =>
            {
                counter.Count();
                return next(connection);
            })));
        var app = builder.Build();
        var server = new ScriptedServer(app);
        counter.Count = () => Interlocked.Increment(ref server.connections);
        app.Run(server.HandleAsync);
        await app.StartAsync();
        server.Origin = app.Urls.Single();
        return server;
    }

    /// <summary>Sets or replaces what an address does.</summary>
    public ScriptedServer On(string path, RequestDelegate script)
    {
        scripts[path] = script;
        return this;
    }

    /// <summary>Answers with JSON.</summary>
    public ScriptedServer OnJson(string path, string json, int status = 200) => On(path, context => Json(context, json, status));

    public ScriptedServer Forget(string path)
    {
        scripts.TryRemove(path, out _);
        return this;
    }

    public static async Task Json(HttpContext context, string json, int status = 200)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json;charset=UTF-8";
        await context.Response.WriteAsync(json);
    }

    public static async Task Text(HttpContext context, string text, int status, string type = "text/html")
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        await context.Response.WriteAsync(text);
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync(); // scripts that never end are cut, not waited for
        await app.StopAsync(now.Token);
        await app.DisposeAsync();
    }

    private async Task HandleAsync(HttpContext context)
    {
        var form = new Dictionary<string, string>(StringComparer.Ordinal);
        if (context.Request.HasFormContentType)
        {
            foreach (var (name, values) in await context.Request.ReadFormAsync())
            {
                Assert.Single(values); // no parameter more than once (RFC 6749 section 3.2)
                form[name] = values.ToString();
            }
        }
        seen.Enqueue(new(context.Request.Method, context.Request.Path.Value!, context.Request.QueryString.Value!,
            context.Request.Headers.Authorization.FirstOrDefault(), form));
        if (scripts.TryGetValue(context.Request.Path.Value!, out var script))
            await script(context);
        else
            context.Response.StatusCode = 404;
    }

    private sealed class Counter
    {
        public Action Count { get; set; } = () => { };
    }
}
