using System.Diagnostics;

namespace Postern.Store.Tests;

/// <summary>The process of <c>Postern.Store.Crash</c>, which holds only a store.</summary>
internal static class CrashProcess
{
    /// <summary>Whether lengthy suites take their full length.</summary>
    public static bool Full => Environment.GetEnvironmentVariable("POSTERN_TEST_FULL") == "1";

    /// <summary>Runs it to its end and returns what it said.</summary>
    public static async Task<IReadOnlyList<string>> RunAsync(IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        using var process = Start(environment, arguments);
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, $"exit {process.ExitCode}: {await errors}");
        return (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>Starts it, kills it with SIGKILL after it said so many lines, and returns all it said.</summary>
    public static async Task<IReadOnlyList<string>> KillAfterAsync(int lines, params string[] arguments)
    {
        using var process = Start(new Dictionary<string, string>(), arguments);
        var errors = process.StandardError.ReadToEndAsync();
        var said = new List<string>();
        try
        {
            while (await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
            {
                said.Add(line);
                if (said.Count == lines)
                    process.Kill();
            }
        }
        finally
        {
            process.Kill();
        }
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(said.Count >= lines, $"it ended by itself: {await errors}");
        return said;
    }

    /// <summary>Runs it to its end, its own or by a signal; true when it ended in good order.</summary>
    public static async Task<bool> TryAsync(params string[] arguments)
    {
        using var process = Start(new Dictionary<string, string>(), arguments);
        var (_, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode is 0 or 128 + 9, $"exit {process.ExitCode}: {await errors}");
        return process.ExitCode == 0;
    }

    private static Process Start(IReadOnlyDictionary<string, string> environment, string[] arguments)
    {
        // Beside this project's output, under the same configuration.
        var program = Path.GetFullPath(Path.Combine(
            AppContext.BaseDirectory, "..", "..", "Postern.Store.Crash", Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/')), "Postern.Store.Crash"));
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }
}
