using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using Postern.Sandbox.Platform;

namespace Postern.Sandbox.Cli;

/// <summary><c>postern-sandbox serve</c>: runs until it is told to stop, or until the process it serves has ended.</summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        var port = new Option<int>("--port") { Description = "The loopback port; 0 takes a free one.", DefaultValueFactory = _ => 7310 };
        var data = new Option<string?>("--data") { Description = "Directory of databases and keys; a temporary one when absent." };
        var config = new Option<FileInfo>("--config") { Description = "JSON file with additional users and clients." }.AcceptExistingOnly();
        var access = Seconds("--access-token-seconds", "Lifetime of access tokens.", new Lifetimes().AccessTokenSeconds);
        var refresh = Seconds("--refresh-token-seconds", "Lifetime of refresh tokens.", new Lifetimes().RefreshTokenSeconds);
        var code = Seconds("--code-seconds", "Lifetime of authorization codes.", new Lifetimes().AuthorizationCodeSeconds);
        var grace = Seconds("--grace-seconds", "How long a refresh token is taken again after its first use; 0 for never.", 0);
        var engines = new Option<int>("--max-engines")
        {
            Description = "People whose data the platform keeps loaded at once.",
            DefaultValueFactory = _ => new PlatformOptions().MaxEngines,
        };
        var parent = new Option<int?>("--parent-pid") { Description = "End when the process with this id ends." };
        var command = new Command("serve", "Runs the authorization servers and the platform on 127.0.0.1.")
        {
            port, data, config, access, refresh, code, grace, engines, parent,
        };
        command.SetAction((result, cancellation) => RunAsync(
            new SandboxOptions
            {
                Port = result.GetValue(port),
                DataDirectory = result.GetValue(data),
                Lifetimes = new Lifetimes
                {
                    AccessTokenSeconds = result.GetValue(access),
                    RefreshTokenSeconds = result.GetValue(refresh),
                    AuthorizationCodeSeconds = result.GetValue(code),
                },
                RefreshGrace = TimeSpan.FromSeconds(result.GetValue(grace)),
                Logging = Log,
            },
            new PlatformOptions { MaxEngines = result.GetValue(engines) },
            result.GetValue(config),
            result.GetValue(parent),
            result.InvocationConfiguration,
            cancellation));
        return command;
    }

    private static Option<int> Seconds(string name, string description, int initial) =>
        new(name) { Description = description, DefaultValueFactory = _ => initial };

    // OpenIddict writes whole requests to its log below "warning".
    private static void Log(ILoggingBuilder logging) => logging
        .AddSimpleConsole(console => console.SingleLine = true)
        .SetMinimumLevel(LogLevel.Warning)
        .AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Error);

    private static async Task<int> RunAsync(
        SandboxOptions options, PlatformOptions platform, FileInfo? config, int? parent, InvocationConfiguration console, CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            var additions = config is null
                ? options.Additions
                : SandboxAdditions.Parse(await File.ReadAllTextAsync(config.FullName, stop.Token));
            var composed = Compose(options with { Additions = additions }, platform);
            await using var server = await SandboxServer.StartAsync(composed, stop.Token);
            await console.Output.WriteLineAsync($"Sandbox ready at {server.Address.GetLeftPart(UriPartial.Authority)}");
            foreach (var issuer in server.IssuerIdentifiers)
            {
                await console.Output.WriteLineAsync($"  issuer {issuer}");
            }

            await UntilAsync(parent, stop.Token);
            return ExitCode.Ok;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return ExitCode.Ok;
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException or IOException)
        {
            await console.Error.WriteLineAsync($"postern-sandbox: {exception.Message}");
            return ExitCode.Failed;
        }
    }

    /// <summary>The one place where resource servers join the issuers.</summary>
    private static SandboxOptions Compose(SandboxOptions options, PlatformOptions platform) => options with
    {
        AddResources = services => services.AddPlatform(platform),
        MapResources = app => app.MapPlatform(),
    };

    private static async Task UntilAsync(int? parent, CancellationToken cancellation)
    {
        if (parent is not { } id)
        {
            await Task.Delay(Timeout.Infinite, cancellation);
            return;
        }

        try
        {
            using var process = Process.GetProcessById(id);
            await process.WaitForExitAsync(cancellation);
        }
        catch (ArgumentException)
        {
            // It has ended already.
        }
    }
}

/// <summary>What the executable tells its caller.</summary>
internal static class ExitCode
{
    public const int Ok = 0;
    public const int Failed = 1;
}
