using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Tokens;

namespace Postern.Sandbox.Tests;

/// <summary>One running sandbox with a few clients of its own, and everything it logged.</summary>
public sealed class SandboxFixture : IAsyncLifetime
{
    public const string PublicClient = "test-public";
    public const string AssertionClient = "test-assertion";
    public const string StrangerClient = "test-stranger";
    public const string StrangerSecret = "stranger-secret-9d1f";
    public const string TestCallback = "http://127.0.0.1:9/callback";

    private readonly Captured _captured = new();

    public SandboxServer Server { get; private set; } = null!;

    /// <summary>The key of <see cref="AssertionClient"/>.</summary>
    public RsaSecurityKey AssertionKey { get; } = new(RSA.Create(2048)) { KeyId = "test-key" };

    /// <summary>All log lines at the most talkative level.</summary>
    public IReadOnlyCollection<string> LogLines => _captured.Lines;

    public async ValueTask InitializeAsync() => Server = await SandboxServer.StartAsync(Options());

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        _captured.Dispose();
    }

    /// <summary>Whether the platform would accept this access token.</summary>
    public async Task<bool> IsAliveAsync(string accessToken) =>
        await Server.Services.GetRequiredService<ITokenReader>().ReadAsync(accessToken, TestContext.Current.CancellationToken) is not null;

    public SandboxOptions Options() => new()
    {
        Port = 0,
        // As "serve" sets it: OpenIddict writes whole requests below "warning".
        Logging = logging => logging.AddProvider(_captured).SetMinimumLevel(LogLevel.Warning),
        Additions = new SandboxAdditions
        {
            Clients =
            [
                Client(PublicClient),
                Client(StrangerClient) with { Secret = StrangerSecret },
                Client(AssertionClient) with { Jwks = Jwks() },
                Client("postern") with { RedirectUris = [TestCallback] },
            ],
        },
    };

    private static SandboxClient Client(string id) => new() { Issuer = "generic", Id = id, RedirectUris = [TestCallback] };

    private JsonElement Jwks()
    {
        var key = JsonWebKeyConverter.ConvertFromRSASecurityKey(new RsaSecurityKey(AssertionKey.Rsa.ExportParameters(false)) { KeyId = AssertionKey.KeyId });
        return JsonSerializer.SerializeToElement(new { keys = new[] { new { kty = key.Kty, n = key.N, e = key.E, kid = key.Kid, alg = "RS256", use = "sig" } } });
    }

    private sealed class Captured : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Enqueue($"{formatter(state, exception)} {exception}");

        public void Dispose()
        {
        }
    }
}
