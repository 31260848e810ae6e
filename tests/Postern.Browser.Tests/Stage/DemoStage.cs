using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.Playwright;
using Postern.Browser.Tests.Evidence;

[assembly: AssemblyFixture(typeof(Postern.Browser.Tests.Stage.DemoStage))]
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

namespace Postern.Browser.Tests.Stage;

/// <summary>A line of <c>postern grants list --json</c>.</summary>
public sealed record GrantLine(Guid Id, string Subject, string Connection, string State, string Principal);

/// <summary>The three servers as real processes and one real Chromium, once per run.</summary>
public sealed class DemoStage : IAsyncLifetime
{
    private static readonly string[] BrowserArguments =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync",
        // Browsers end third-party cookies; everything here has to work without them.
        "--test-third-party-cookie-phaseout",
    ];

    private readonly List<ServerProcess> servers = [];
    private IPlaywright? playwright;
    private IBrowser? browser;

    public DemoConfiguration Addresses { get; private set; } = null!;

    /// <summary>What every browser of this run saw and sent.</summary>
    public SeenEverything Seen { get; } = new();

    public IEnumerable<ServerProcess> Servers => servers;

    private static string PosternDll => Checkout.Executable("Postern.Host", "postern");

    public async ValueTask InitializeAsync()
    {
        var ports = FreePorts(3);
        Addresses = new(ports[0], ports[1], ports[2], Directory.CreateTempSubdirectory("postern-browser-").FullName);
        Addresses.Write();
        var parent = Environment.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture);

        servers.Add(await ServerProcess.StartAsync("sandbox", Checkout.Executable("Postern.Sandbox", "postern-sandbox"),
            ["serve", "--port", $"{Addresses.SandboxPort}", "--data", Addresses.SandboxData, "--config", Addresses.SandboxFile, "--parent-pid", parent],
            new Dictionary<string, string> { ["POSTERN_SANDBOX_DATA"] = Checkout.At("web", "node_modules", "vega-datasets", "data") },
            new(Addresses.Sandbox + "/oidc/.well-known/openid-configuration")));
        servers.Add(await ServerProcess.StartAsync("skyline", Checkout.Executable("Skyline", "skyline"), ["--parent-pid", parent],
            new Dictionary<string, string>
            {
                ["SKYLINE__ORIGIN"] = Addresses.Skyline,
                ["SKYLINE__POSTERN"] = Addresses.Postern,
                ["SKYLINE__EMBEDSECRETS__SKYLINE"] = "demo-embed-secret-skyline",
                ["SKYLINE__EMBEDSECRETS__SKYLINE-PARTNERS"] = "demo-embed-secret-partners",
            },
            new(Addresses.Skyline + "/healthz/ready")));
        servers.Add(await ServerProcess.StartAsync("postern", PosternDll,
            ["serve", "--config", Addresses.PosternFile, "--listen", Addresses.Postern, "--front-end", Checkout.At("web", "dist")],
            new Dictionary<string, string>(),
            new(Addresses.Postern + "/healthz/ready")));

        playwright = await Playwright.CreateAsync();
        browser = await playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = Environment.GetEnvironmentVariable("CHROMIUM") ?? "/usr/bin/chromium",
            Args = BrowserArguments,
        });
    }

    public async ValueTask DisposeAsync()
    {
        if (browser is not null)
            await browser.DisposeAsync();
        playwright?.Dispose();
        foreach (var server in servers)
        {
            Directory.CreateDirectory(Checkout.At("artifacts", "test-logs"));
            await File.WriteAllTextAsync(Checkout.At("artifacts", "test-logs", $"browser-{server.Name}.log"), server.Output);
            await server.DisposeAsync();
        }
        Directory.Delete(Addresses.State, recursive: true);
    }

    /// <summary>A person at a fresh browser: no cookies, no storage.</summary>
    public async Task<Visit> VisitAsync(ColorScheme scheme = ColorScheme.Light, int width = 1280) => await Visit.BeginAsync(
        await browser!.NewContextAsync(new()
        {
            ViewportSize = new() { Width = width, Height = 900 },
            ColorScheme = scheme,
            Locale = "en-US",
            TimezoneId = "America/Los_Angeles",
            AcceptDownloads = true,
        }), this);

    /// <summary>A client that is not a browser: the attacker's tool, or another browser's cookie jar.</summary>
    public OutsideClient Outside() => new(Addresses);

    /// <summary>The grants of an id: <c>ana</c> embedded by Skyline, <c>corp-ana</c> in the portal.</summary>
    public async Task<IReadOnlyList<GrantLine>> GrantsAsync(string subject, string state = "active")
    {
        var json = await ServerProcess.RunAsync(PosternDll, "grants", "list", "--tenant", "skyline", "--json", "--config", Addresses.PosternFile);
        return [.. JsonSerializer.Deserialize<GrantLine[]>(json, JsonSerializerOptions.Web)!.Where(grant => grant.Subject == subject && grant.State == state)];
    }

    /// <summary>Takes back what the subject granted in an earlier journey, so that each begins unconnected.</summary>
    public async Task ForgetAsync(string subject)
    {
        foreach (var grant in await GrantsAsync(subject))
            await ServerProcess.RunAsync(PosternDll, "grants", "revoke", $"{grant.Id}", "--tenant", "skyline", "--config", Addresses.PosternFile);
    }

    /// <summary>The audit trail as it is exported: one JSON object a line.</summary>
    public async Task<IReadOnlyList<string>> AuditAsync() =>
        (await ServerProcess.RunAsync(PosternDll, "audit", "export", "--tenant", "skyline", "--config", Addresses.PosternFile))
        .Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Waits until an event of this kind, newer than <paramref name="since"/> lines, is in the exported trail.</summary>
    /// <param name="code">The event's code; any when empty.</param>
    public async Task<string> RecordedAsync(string kind, string code, int since)
    {
        for (var tries = 0; tries < 20; tries++)
        {
            var found = (await AuditAsync()).Skip(since - 1).FirstOrDefault(line =>
                line.Contains($"\"{kind}\"", StringComparison.Ordinal) && (code.Length == 0 || line.Contains($"\"{code}\"", StringComparison.Ordinal)));
            if (found is not null)
                return found;
            await Task.Delay(100); // The sequencer gives events their place in the log a moment after they were committed.
        }
        Assert.Fail($"No event {kind} with code {code} was recorded:\n{string.Join('\n', (await AuditAsync()).Skip(since - 1))}");
        return "";
    }

    /// <summary>What the sandbox says it was asked.</summary>
    public async Task<JsonElement> SandboxLogAsync()
    {
        using var http = new HttpClient();
        return await http.GetFromJsonAsync<JsonElement>(Addresses.Sandbox + "/__sandbox/log");
    }

    private static int[] FreePorts(int count)
    {
        // All are held until all are known, so that they differ.
        var held = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        held.ForEach(listener => listener.Start());
        var ports = held.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port).ToArray();
        held.ForEach(listener => listener.Stop());
        return ports;
    }
}
