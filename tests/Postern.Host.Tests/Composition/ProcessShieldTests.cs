using System.Diagnostics;
using Postern.Host.Composition;

namespace Postern.Host.Tests.Composition;

/// <summary>Nobody takes keys out of a running node, or out of what it leaves when it falls.</summary>
public sealed class ProcessShieldTests : IDisposable
{
    private readonly TempFolder folder = new();
    private Process? started;

    public void Dispose()
    {
        started?.Kill();
        started?.WaitForExit();
        started?.Dispose();
        folder.Dispose();
    }

    [Fact]
    public async Task Serve_Running_HasNoDiagnosticsSocketAndLeavesNoCore()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Linux only.");
        var process = Start(diagnostics: null);
        await ReadyAsync(process);

        Assert.Empty(Sockets(process));
        Assert.Contains("DOTNET_EnableDiagnostics=0", (await File.ReadAllTextAsync($"/proc/{process.Id}/environ", TestContext.Current.CancellationToken)).Split('\0'));
        var core = (await File.ReadAllLinesAsync($"/proc/{process.Id}/limits", TestContext.Current.CancellationToken)).Single(line => line.StartsWith("Max core file size", StringComparison.Ordinal));
        Assert.Equal(["0", "0"], core["Max core file size".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[..2]);
    }

    [Fact]
    public async Task Serve_ToldToAllowDiagnostics_AllowsThem()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Linux only.");
        var process = Start(diagnostics: "1");
        await ReadyAsync(process);

        Assert.Single(Sockets(process));
    }

    [Fact]
    public void Process_WithItsShieldUp_IsNotDumpable()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Linux only.");

        ProcessShield.Raise(diagnostics: false);

        Assert.False(ProcessShield.IsDumpable);
    }

    // In a folder of its own: the next process of the same id finds no socket of a dead one there.
    private string[] Sockets(Process process) => Directory.GetFiles(folder.Path, $"dotnet-diagnostic-{process.Id}-*-socket");

    private static async Task ReadyAsync(Process process)
    {
        while (await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            if (line.Contains("Postern is ready", StringComparison.Ordinal))
                return;
        }
        Assert.Fail("It ended before it was ready: " + await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
    }

    private Process Start(string? diagnostics)
    {
        var start = new ProcessStartInfo("dotnet", [
            Path.Combine(AppContext.BaseDirectory, "postern.dll"), "serve", "--config", folder.Write("postern.json", Given.Demo(folder).ToJsonString()),
            "--front-end", Given.FrontEnd(folder), "--listen", "http://127.0.0.1:0",
        ])
        { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["TMPDIR"] = folder.Path;
        start.Environment.Remove("DOTNET_EnableDiagnostics");
        if (diagnostics is not null)
            start.Environment["DOTNET_EnableDiagnostics"] = diagnostics;
        return started = Process.Start(start)!;
    }
}
