using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;

namespace Postern.Sandbox.Tests;

public sealed class ServerTests
{
    [Fact]
    public async Task Server_StartedAgainOnItsData_KnowsTokensFromBefore()
    {
        var data = Directory.CreateTempSubdirectory("postern-sandbox-test-").FullName;
        try
        {
            TokenAnswer tokens;
            int port;
            await using (var server = await StartAsync(data, port: 0))
            {
                port = server.Address.Port;
                using var client = new OAuthClient(server.Address, "workspace");
                using var browser = new Browser(server.Address);
                tokens = await client.ConnectAsync(browser);
                await client.RefreshAsync((await client.ConnectAsync(browser)).RefreshToken);
            }

            await using (var server = await StartAsync(data, port))
            {
                using var client = new OAuthClient(server.Address, "workspace");
                Assert.NotNull(await server.Services.GetRequiredService<ITokenReader>().ReadAsync(tokens.AccessToken, TestContext.Current.CancellationToken));
                Assert.Equal(HttpStatusCode.OK, (await client.RefreshAsync(tokens.RefreshToken)).Status);
            }
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    [Fact]
    public void Additions_WithAnUnknownMember_AreRefused()
    {
        Assert.Throws<JsonException>(() => SandboxAdditions.Parse("""{"clients":[{"issuer":"workspace","id":"x","redirectUri":"http://x"}]}"""));
    }

    [Fact]
    public async Task Additions_OfUsersAndRedirectUris_JoinTheDemo()
    {
        var additions = SandboxAdditions.Parse("""
            {
              "users": [{"id": "dora", "email": "dora@skyline.example", "name": "Dora Lind", "states": ["NY"], "admin": false}],
              "clients": [{"issuer": "workspace", "id": "postern", "redirectUris": ["https://staging.example/oauth/callback"]}]
            }
            """);
        await using var server = await SandboxServer.StartAsync(
            new SandboxOptions { Port = 0, Additions = additions }, TestContext.Current.CancellationToken);
        using var browser = new Browser(server.Address);
        using var client = new OAuthClient(server.Address, "workspace") { Callback = "https://staging.example/oauth/callback" };

        var tokens = await client.ConnectAsync(browser, "dora");

        var caller = await server.Services.GetRequiredService<ITokenReader>().ReadAsync(tokens.AccessToken, TestContext.Current.CancellationToken);
        Assert.Equal("Dora Lind", caller!.User!.Name);
        using var original = new OAuthClient(server.Address, "workspace");
        Assert.Equal(["NY"], caller.User.States!);
        Assert.True((await original.CodeAsync(browser)).Code.Length > 0);
    }

    [Fact]
    public async Task Options_WithAnUnknownIssuerOrNoLifetime_AreRefused()
    {
        var stray = new SandboxAdditions { Clients = [new SandboxClient { Issuer = "nowhere", Id = "x" }] };

        await Assert.ThrowsAsync<ArgumentException>(() => SandboxServer.StartAsync(new SandboxOptions { Port = 0, Additions = stray }));
        await Assert.ThrowsAsync<ArgumentException>(() => SandboxServer.StartAsync(
            new SandboxOptions { Port = 0, Lifetimes = new Lifetimes { AccessTokenSeconds = 0 } }));
    }

    [Fact]
    public async Task Serve_ParentEnds_EndsToo()
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var parent = Process.Start(new ProcessStartInfo("sleep", "600"))!;
        using var serve = Process.Start(new ProcessStartInfo(
            "dotnet", [typeof(SandboxServer).Assembly.Location, "serve", "--port", "0", "--parent-pid", $"{parent.Id}"])
        {
            RedirectStandardOutput = true,
        })!;
        try
        {
            var ready = await serve.StandardOutput.ReadLineAsync(cancellation);
            Assert.StartsWith("Sandbox ready at http://127.0.0.1:", ready, StringComparison.Ordinal);

            parent.Kill();
            await parent.WaitForExitAsync(cancellation);

            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            patience.CancelAfter(TimeSpan.FromSeconds(20));
            await serve.WaitForExitAsync(patience.Token);
            Assert.Equal(0, serve.ExitCode);
        }
        finally
        {
            parent.Kill();
            serve.Kill();
        }
    }

    [Fact]
    public async Task Verbs_MintAndFault_SpeakToARunningServer()
    {
        await using var server = await SandboxServer.StartAsync(new SandboxOptions { Port = 0 }, TestContext.Current.CancellationToken);
        var url = server.Address.GetLeftPart(UriPartial.Authority);

        var mint = await RunAsync("mint", "--url", url, "--issuer", "generic", "--user", "ana", "--scope", "sql");
        var fault = await RunAsync("fault", "add", "--url", url, "--where", "token", "--kind", "status", "--status", "503");
        var unknown = await RunAsync("mint", "--url", url, "--user", "nobody");

        Assert.Equal(0, mint.ExitCode);
        var token = JsonSerializer.Deserialize<JsonElement>(mint.Output).GetProperty("access_token").GetString()!;
        var caller = await server.Services.GetRequiredService<ITokenReader>().ReadAsync(token, TestContext.Current.CancellationToken);
        Assert.Equal("gen-ana", caller!.Subject);
        Assert.Equal(0, fault.ExitCode);
        Assert.Equal((1, ""), (unknown.ExitCode, unknown.Output));
        using var client = new OAuthClient(server.Address, "workspace");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await client.RefreshAsync("x")).Status);
    }

    private static Task<SandboxServer> StartAsync(string data, int port) =>
        SandboxServer.StartAsync(new SandboxOptions { Port = port, DataDirectory = data }, TestContext.Current.CancellationToken);

    private static async Task<(int ExitCode, string Output)> RunAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [typeof(SandboxServer).Assembly.Location, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await errors;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, output.Trim());
    }
}
