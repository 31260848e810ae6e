using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Postern.TestKit;

/// <summary>
/// A server on loopback that speaks a service's wire and checks the caller's side of the contract. What it was not made for is a
/// complaint, which the test must find empty.
/// </summary>
public abstract class WireFake : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> complaints = new();
    private WebApplication? app;
    private int requests;

    /// <summary>Where it listens: <c>http://127.0.0.1:PORT</c>.</summary>
    public Uri Address { get; private set; } = new("http://127.0.0.1");

    /// <summary>What the caller did wrong.</summary>
    public IReadOnlyCollection<string> Complaints => complaints;

    /// <summary>How many requests came, tokens included.</summary>
    public int Requests => Volatile.Read(ref requests);

    /// <summary>Answers in the service's place where it returns true: outages, throttling, damage.</summary>
    public Func<HttpContext, Task<bool>> Before { get; set; } = static _ => Task.FromResult(false);

    /// <summary>Changes an answer's body on its way out.</summary>
    public Func<HttpContext, byte[], byte[]> OnTheWay { get; set; } = static (_, body) => body;

    /// <summary>Begins to listen on a free port.</summary>
    public async Task StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        app = builder.Build();
        app.Run(AnswerAsync);
        await app.StartAsync();
        Address = new Uri(app.Urls.Single());
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (app is not null)
            await app.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Answers one request: status and JSON (or text) body.</summary>
    protected abstract (int Status, object Body) Handle(HttpContext http, byte[] body);

    /// <summary>Notes what the caller did wrong, and is the answer to it.</summary>
    protected (int Status, object Body) Complain(string what)
    {
        complaints.Enqueue(what);
        return (418, new { errors = new[] { what } });
    }

    /// <summary>The members of a JSON body.</summary>
    protected static JsonElement Json(byte[] body)
    {
        using var document = JsonDocument.Parse(body);
        return document.RootElement.Clone();
    }

    private async Task AnswerAsync(HttpContext http)
    {
        Interlocked.Increment(ref requests);
        if (await Before(http))
            return;
        using var buffer = new MemoryStream();
        await http.Request.Body.CopyToAsync(buffer);
        var (status, body) = Handle(http, buffer.ToArray());
        var bytes = OnTheWay(http, body as byte[] ?? JsonSerializer.SerializeToUtf8Bytes(body));
        http.Response.StatusCode = status;
        http.Response.ContentType = body is byte[] ? "text/xml" : "application/json";
        http.Response.ContentLength = bytes.Length;
        await http.Response.Body.WriteAsync(bytes);
    }
}
