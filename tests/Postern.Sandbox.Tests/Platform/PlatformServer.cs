using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Postern.Sandbox.Platform;

namespace Postern.Sandbox.Tests.Platform;

/// <summary>The platform on real Kestrel at a free port, with tokens that are the names of their callers.</summary>
public sealed class PlatformServer : IAsyncLifetime
{
    public const string Warehouse = "demo0000warehouse";

    private WebApplication? app;

    /// <summary>Set before it starts, where the defaults will not do.</summary>
    public PlatformOptions Options { get; init; } = new();

    public HttpClient Http { get; private set; } = null!; // set before any test runs

    public ShiftedTime Time { get; } = new();

    public FakeFaults Faults { get; } = new();

    public RecordedTraffic Log { get; } = new();

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders().AddConsole().SetMinimumLevel(LogLevel.Error);
        builder.Services.AddSingleton<TimeProvider>(Time);
        builder.Services.AddSingleton<ITokenReader>(new FakeTokens());
        builder.Services.AddSingleton<ITrafficLog>(Log);
        builder.Services.AddSingleton<IFaultScript>(Faults);
        builder.Services.AddPlatform(Options);
        app = builder.Build();
        app.MapPlatform();
        await app.StartAsync();
        Http = new HttpClient { BaseAddress = new Uri(app.Urls.Single()), Timeout = TimeSpan.FromSeconds(100) };
    }

    public async ValueTask DisposeAsync()
    {
        Http?.Dispose();
        if (app is not null)
            await app.DisposeAsync();
    }

    /// <summary>A request with a bearer, or with none.</summary>
    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? token, JsonNode? body = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (token is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (body is not null)
            request.Content = JsonContent.Create(body);
        return await Http.SendAsync(request);
    }

    public Task<HttpResponseMessage> PostAsync(string? token, JsonObject body)
    {
        if (!body.ContainsKey("warehouse_id"))
            body["warehouse_id"] = Warehouse;
        return SendAsync(HttpMethod.Post, "/api/2.0/sql/statements", token, body);
    }

    /// <summary>Executes and waits for the end, polling where the wait was too short.</summary>
    public async Task<JsonElement> SubmitAsync(string token, JsonObject body)
    {
        body["wait_timeout"] ??= "50s";
        using var response = await PostAsync(token, body);
        Assert.Equal(200, (int)response.StatusCode);
        var reply = await response.Content.ReadFromJsonAsync<JsonElement>();
        for (var tries = 0; State(reply) is "PENDING" or "RUNNING"; tries++)
        {
            Assert.True(tries < 2000, "The statement does not end.");
            await Task.Delay(20);
            reply = await PollAsync(token, Id(reply));
        }

        return reply;
    }

    public Task<JsonElement> ExecuteAsync(string token, string sql, params JsonObject[] parameters) =>
        SubmitAsync(token, new JsonObject { ["statement"] = sql, ["parameters"] = new JsonArray([.. parameters]) });

    public async Task<JsonElement> PollAsync(string token, string id)
    {
        using var response = await SendAsync(HttpMethod.Get, $"/api/2.0/sql/statements/{id}", token);
        Assert.Equal(200, (int)response.StatusCode);
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }

    /// <summary>The rows of a statement that succeeded with one inline chunk.</summary>
    public async Task<string?[][]> RowsAsync(string token, string sql, params JsonObject[] parameters)
    {
        var reply = await ExecuteAsync(token, sql, parameters);
        Assert.True(State(reply) == "SUCCEEDED", reply.GetRawText());
        return reply.GetProperty("result").GetProperty("data_array").Deserialize<string?[][]>()!;
    }

    public static string State(JsonElement reply) => reply.GetProperty("status").GetProperty("state").GetString()!;

    public static string Id(JsonElement reply) => reply.GetProperty("statement_id").GetString()!;

    public static string Message(JsonElement reply) => reply.GetProperty("status").GetProperty("error").GetProperty("message").GetString()!;

    public static JsonObject Parameter(string name, string? value, string? type = null) =>
        new() { ["name"] = name, ["value"] = value, ["type"] = type };

    private sealed class FakeTokens : ITokenReader
    {
        private static readonly IReadOnlySet<string> Sql = new HashSet<string> { "openid", "sql" };

        private readonly Dictionary<string, Caller> callers = new()
        {
            ["ana"] = Person("ana", "Ana Ortega", ["CA"]),
            ["ana-again"] = Person("ana", "Ana Ortega", ["CA"]),
            ["ben"] = Person("ben", "Ben Whitfield", ["TX"]),
            ["chloe"] = Person("chloe", "Chloe Laurent", null),
            ["admin"] = Person("admin", "Avery Admin", null, admin: true),
            ["nowhere"] = Person("nowhere", "No States", []),
            ["service"] = new("workspace", "service", null, "postern-service", new HashSet<string> { "all-apis" }),
            ["no-scope"] = Person("ana", "Ana Ortega", ["CA"]) with { Scopes = new HashSet<string> { "openid" } },
        };

        public ValueTask<Caller?> ReadAsync(string accessToken, CancellationToken cancellation) => new(callers.GetValueOrDefault(accessToken));

        private static Caller Person(string id, string name, string[]? states, bool admin = false) =>
            new("workspace", $"ws-{id}", new DemoUser(id, $"{id}@skyline.example", name, states, admin), "postern", Sql);
    }
}

/// <summary>The system's time, moved; timers stay as they are.</summary>
public sealed class ShiftedTime : TimeProvider
{
    private long shift;

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddTicks(Interlocked.Read(ref shift));

    public void Advance(TimeSpan by) => Interlocked.Add(ref shift, by.Ticks);
}

public sealed class RecordedTraffic : ITrafficLog
{
    public ConcurrentQueue<(Caller Caller, string Sql, string State)> Entries { get; } = new();

    public void Statement(Caller caller, string sql, string state) => Entries.Enqueue((caller, sql, state));
}

/// <summary>Consumes one request at a place and phase, once armed.</summary>
public sealed class FakeFaults : IFaultScript
{
    private (string Where, string Phase)? armed;

    public ConcurrentQueue<(string Where, string Phase)> Asked { get; } = new();

    public void DropOnce(string where, string phase) => armed = (where, phase);

    public ValueTask<bool> ApplyAsync(string where, string phase, HttpContext context)
    {
        Asked.Enqueue((where, phase));
        if (armed != (where, phase))
            return new(false);
        armed = null;
        context.Features.Get<IHttpRequestLifetimeFeature>()!.Abort();
        return new(true);
    }
}

[CollectionDefinition(nameof(PlatformCollection))]
public sealed class PlatformCollection : ICollectionFixture<PlatformServer>;
