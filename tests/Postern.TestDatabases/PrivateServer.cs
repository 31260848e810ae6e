using System.Data.Common;
using System.Diagnostics;

namespace Postern.TestDatabases;

/// <summary>
/// A database server as a child process, with its data and its socket in a temporary folder. Its shell reads from a pipe that this
/// process holds: however this process ends, kill -9 included, the pipe closes, and the shell stops the server and removes the folder.
/// </summary>
public sealed class PrivateServer : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process shell;

    private PrivateServer(Process shell, string folder) => (this.shell, Folder) = (shell, folder);

    /// <summary>Where its socket lies.</summary>
    public string Folder { get; }

    /// <summary>Starts a server and waits until it answers. Skips the test where it is not installed; in CI that is a failure.</summary>
    /// <param name="package">The package that brings it.</param>
    /// <param name="binaries">Where it was found; null if it was not.</param>
    /// <param name="user">Who runs it when this process is root's, whom the servers refuse.</param>
    /// <param name="prepare">Makes the data folder.</param>
    /// <param name="run">Runs it.</param>
    /// <param name="probe">Throws while it does not answer.</param>
    public static async Task<PrivateServer> StartAsync(
        string package, string? binaries, string user, string prepare, string run, Func<string, Task> probe)
    {
        if (binaries is null)
        {
            var missing = $"The package {package} is not installed; './test store' installs it when run by root.";
            Assert.SkipUnless(Environment.GetEnvironmentVariable("CI") == "true", missing);
            Assert.Fail(missing);
        }
        var folder = Directory.CreateTempSubdirectory("postern-db-").FullName;
        var start = new ProcessStartInfo("sh") { RedirectStandardInput = true, WorkingDirectory = folder };
        string[] unprivileged = Environment.IsPrivilegedProcess ? ["setpriv", $"--reuid={user}", $"--regid={user}", "--clear-groups"] : [];
        if (Environment.IsPrivilegedProcess)
            await RunAsync("chown", user, folder);
        var script =
            $"""
            {prepare} >log 2>&1 || exit 1
            {run} >>log 2>&1 &
            server=$!
            trap : INT TERM HUP
            cat >/dev/null
            kill -TERM $server
            for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 $server 2>/dev/null || break; sleep 0.5; done
            kill -KILL $server 2>/dev/null
            wait $server
            cd / && rm -rf "{folder}"
            """;
        string[] command = [.. unprivileged, "sh", "-c", script];
        start.FileName = command[0];
        foreach (var argument in command[1..])
            start.ArgumentList.Add(argument);

        var server = new PrivateServer(Process.Start(start)!, folder);
        var began = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                await probe(folder);
                return server;
            }
            catch (DbException e)
            {
                if (!server.shell.HasExited && Stopwatch.GetElapsedTime(began) < Patience)
                {
                    await Task.Delay(50);
                    continue;
                }
                var log = File.Exists($"{folder}/log") ? await File.ReadAllTextAsync($"{folder}/log") : "It wrote no log.";
                await server.DisposeAsync();
                throw new InvalidOperationException($"The server of {package} did not start: {e.Message}\n{log}", e);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        shell.StandardInput.Close();
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            await shell.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            shell.Kill(entireProcessTree: true);
        }
        shell.Dispose();
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }
}
