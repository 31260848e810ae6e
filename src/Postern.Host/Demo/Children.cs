using System.ComponentModel;
using System.Diagnostics;

namespace Postern.Host.Demo;

/// <summary>
/// The processes of a run in the foreground. When one of them ends by itself, it is told and the run stops; when the run stops,
/// all of them end, and disposing waits until they have.
/// </summary>
internal sealed class Children(CancellationTokenSource stop, TextWriter error) : IAsyncDisposable
{
    // A terminal sends Ctrl-C to all processes at once: a child may end a moment before this process hears of it.
    private static readonly TimeSpan SignalReaches = TimeSpan.FromMilliseconds(500);

    private readonly List<(Process Process, Task Watch)> running = [];

    /// <summary>True when a child ended by itself.</summary>
    public bool OneFailed { get; private set; }

    /// <exception cref="InvalidOperationException">It cannot be started.</exception>
    public void Start(string name, ProcessStartInfo start)
    {
        Process process;
        try
        {
            process = Process.Start(start) ?? throw new InvalidOperationException($"{name} did not start.");
        }
        catch (Win32Exception missing)
        {
            throw new InvalidOperationException($"{name} did not start: {start.FileName} cannot be run ({missing.Message}).", missing);
        }
        running.Add((process, WatchAsync(name, process)));
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        foreach (var (process, watch) in running)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
            await watch;
            process.Dispose();
        }
    }

    private async Task WatchAsync(string name, Process process)
    {
        try
        {
            await process.WaitForExitAsync(stop.Token);
            await Task.Delay(SignalReaches, stop.Token);
        }
        catch (OperationCanceledException)
        {
            return;
        }
        OneFailed = true;
        await error.WriteLineAsync($"{name} ended by itself with exit code {process.ExitCode}; the demo stops.");
        await stop.CancelAsync();
    }
}
