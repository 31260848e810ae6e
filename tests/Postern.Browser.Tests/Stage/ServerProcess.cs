using System.Collections.Concurrent;
using System.Diagnostics;

namespace Postern.Browser.Tests.Stage;

/// <summary>One of the three servers, as a process of its own. Everything it prints is kept: the canary reads it.</summary>
public sealed class ServerProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartWithin = TimeSpan.FromSeconds(90);

    private readonly Process process;
    private readonly ConcurrentQueue<string> lines = new();

    private ServerProcess(string name, Process process)
    {
        Name = name;
        this.process = process;
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
    }

    public string Name { get; }

    /// <summary>Standard output and standard error so far.</summary>
    public string Output => string.Join('\n', lines);

    /// <summary>Starts a server and returns when its address answers.</summary>
    public static async Task<ServerProcess> StartAsync(
        string name, string dll, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> environment, Uri ready)
    {
        var server = new ServerProcess(name, new Process { StartInfo = Info(dll, arguments, environment) });
        server.process.Start();
        server.process.BeginOutputReadLine();
        server.process.BeginErrorReadLine();
        try
        {
            await server.AnswersAsync(ready);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs a verb to its end and returns what it printed.</summary>
    /// <exception cref="InvalidOperationException">It ended with another exit code than 0.</exception>
    public static async Task<string> RunAsync(string dll, params string[] arguments)
    {
        using var run = Process.Start(Info(dll, arguments, new Dictionary<string, string>()))!;
        var output = run.StandardOutput.ReadToEndAsync();
        var error = run.StandardError.ReadToEndAsync();
        await run.WaitForExitAsync();
        return run.ExitCode == 0
            ? await output
            : throw new InvalidOperationException($"{Path.GetFileName(dll)} {string.Join(' ', arguments)} ended with {run.ExitCode}: {await error}");
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited)
            process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        process.Dispose();
    }

    private static ProcessStartInfo Info(string dll, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> environment)
    {
        var info = new ProcessStartInfo("dotnet")
        {
            WorkingDirectory = Path.GetDirectoryName(dll),
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        info.ArgumentList.Add(dll);
        foreach (var argument in arguments)
            info.ArgumentList.Add(argument);
        foreach (var (name, value) in environment)
            info.Environment[name] = value;
        return info;
    }

    private void Keep(string? line)
    {
        if (line is not null)
            lines.Enqueue(line);
    }

    private async Task AnswersAsync(Uri ready)
    {
        using var http = new HttpClient();
        using var patience = new CancellationTokenSource(StartWithin);
        while (true)
        {
            if (process.HasExited)
                throw new InvalidOperationException($"{Name} ended with {process.ExitCode} at its start:\n{Output}");
            try
            {
                using var answer = await http.GetAsync(ready, patience.Token);
                if (answer.IsSuccessStatusCode)
                    return;
            }
            catch (HttpRequestException)
            {
                // Not up yet.
            }
            await Task.Delay(100, patience.Token);
        }
    }
}
