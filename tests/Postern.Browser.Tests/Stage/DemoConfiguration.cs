using System.Text.Json;

namespace Postern.Browser.Tests.Stage;

/// <summary>The demo's own configuration, moved to other ports and to a folder of its own.</summary>
public sealed record DemoConfiguration(int PosternPort, int SandboxPort, int SkylinePort, string State)
{
    /// <summary>A different site than <see cref="Skyline"/> and <see cref="Sandbox"/> to a browser: the embed is a true third party.</summary>
    public string Postern => $"http://localhost:{PosternPort}";

    public string Sandbox => $"http://127.0.0.1:{SandboxPort}";

    public string Skyline => $"http://127.0.0.1:{SkylinePort}";

    public string PosternFile => Path.Combine(State, "postern.json");

    public string SandboxFile => Path.Combine(State, "sandbox.json");

    public string SandboxData => Path.Combine(State, "sandbox");

    public string Database => Path.Combine(State, "data", "postern.db");

    /// <summary>Every secret that stands in a configuration; none of them may show up anywhere else.</summary>
    public static IReadOnlyList<string> Secrets { get; } =
        ["sandbox-secret-postern", "sandbox-secret-portal", "sandbox-secret-service", "demo-embed-secret-skyline", "demo-embed-secret-partners"];

    /// <summary>Writes both files.</summary>
    public void Write()
    {
        Directory.CreateDirectory(SandboxData);
        File.WriteAllText(PosternFile, Moved(File.ReadAllText(Checkout.At("src", "Postern.Host", "Demo", "postern.demo.json"))));
        File.WriteAllText(SandboxFile, JsonSerializer.Serialize(new
        {
            clients = new object[]
            {
                new { issuer = "workspace", id = "postern", redirectUris = new[] { Postern + "/oauth/callback" } },
                new { issuer = "generic", id = "postern", redirectUris = new[] { Postern + "/oauth/callback" } },
                new { issuer = "corp", id = "postern-portal", redirectUris = new[] { Postern + "/sign-in/callback" } },
            },
        }));
    }

    private string Moved(string demo)
    {
        var moved = demo
            .Replace("http://localhost:7300", Postern, StringComparison.Ordinal)
            .Replace("http://127.0.0.1:7310", Sandbox, StringComparison.Ordinal)
            .Replace("http://127.0.0.1:7320", Skyline, StringComparison.Ordinal)
            .Replace(".postern/data/postern.db", Database, StringComparison.Ordinal)
            .Replace(".postern/keys", Path.Combine(State, "keys"), StringComparison.Ordinal)
            .Replace("\"DisplayName\": \"Skyline\",\n        \"Hosts\"", $"\"DisplayName\": \"Skyline\",\n        \"Workbooks\": [ {JsonSerializer.Serialize(Checkout.At("samples", "workbooks"))} ],\n        \"Hosts\"", StringComparison.Ordinal);
        return moved.Contains("\"Workbooks\": [ \"" + Checkout.Root, StringComparison.Ordinal) && !moved.Contains(":73", StringComparison.Ordinal)
            ? moved
            : throw new InvalidOperationException("The demo's configuration changed its shape; this class has to follow.");
    }
}
