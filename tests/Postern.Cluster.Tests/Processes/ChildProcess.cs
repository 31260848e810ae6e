using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace Postern.Cluster.Tests.Processes;

/// <summary>A process of the system under test, with everything it said.</summary>
internal sealed class ChildProcess : IDisposable
{
    private readonly Process process;
    private readonly ConcurrentQueue<string> lines = new();
    private readonly Lock gate = new();
    private readonly List<(Func<string, bool> Is, Action Then)> triggers = [];

    private ChildProcess(string name, ProcessStartInfo start)
    {
        Name = name;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) => Heard(line.Data);
        process.ErrorDataReceived += (_, line) => Heard(line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>For messages.</summary>
    public string Name { get; }

    /// <summary>Its process id.</summary>
    public int Id => process.Id;

    /// <summary>Whether it ended.</summary>
    public bool HasExited => process.HasExited;

    /// <summary>Its exit code, once it ended.</summary>
    public int ExitCode => process.ExitCode;

    /// <summary>What it has cost so far; zero once it ended.</summary>
    public TimeSpan ProcessorTime => process.HasExited ? TimeSpan.Zero : process.TotalProcessorTime;

    /// <summary>Both of its outputs so far, line by line.</summary>
    public IReadOnlyCollection<string> Lines => [.. lines];

    /// <summary>Starts a .NET executable of the checkout.</summary>
    public static ChildProcess DotNet(string name, string assembly, IReadOnlyDictionary<string, string> environment, params string[] arguments) =>
        DotNet([], name, assembly, environment, arguments);

    /// <summary>The same by a command that runs it in its own place, and is replaced by it.</summary>
    public static ChildProcess DotNet(
        IReadOnlyList<string> by, string name, string assembly, IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        string[] command = [.. by, "dotnet", assembly];
        return With(name, new ProcessStartInfo(command[0]) { WorkingDirectory = Checkout.Root }, environment, [.. command[1..], .. arguments]);
    }

    /// <summary>Starts any program.</summary>
    public static ChildProcess Program(string program, params string[] arguments) =>
        With(program, new ProcessStartInfo(program), new Dictionary<string, string>(), arguments);

    private static ChildProcess With(string name, ProcessStartInfo start, IReadOnlyDictionary<string, string> environment, string[] arguments)
    {
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        // Nothing of the surrounding shell configures what is tested.
        foreach (var key in start.Environment.Keys.Where(key => key.StartsWith("POSTERN", StringComparison.OrdinalIgnoreCase)).ToList())
            start.Environment.Remove(key);
        start.Environment["DOTNET_TieredPGO"] = "0";
        foreach (var (key, value) in environment)
            start.Environment[key] = value;
        return new ChildProcess(name, start);
    }

    /// <summary>Does something at the first line from now on that contains a text, on the thread that reads it.</summary>
    public void When(string text, Action then)
    {
        lock (gate)
            triggers.Add((line => line.Contains(text, StringComparison.Ordinal), then));
    }

    /// <summary>How many lines contained a text.</summary>
    public int Count(string text) => lines.Count(line => line.Contains(text, StringComparison.Ordinal));

    /// <summary>Waits for a line that contains a text, said already or not.</summary>
    public Task SaysAsync(string text, TimeSpan? within = null) => Suite.UntilAsync(
        $"{Name} says '{text}'. It said:\n{string.Join('\n', lines.TakeLast(30))}", within ?? TimeSpan.FromSeconds(60), () =>
        {
            if (Count(text) > 0)
                return true;
            Assert.False(process.HasExited, $"{Name} ended before it said '{text}'. It said:\n{string.Join('\n', lines)}");
            return false;
        });

    /// <summary>Ends it at once, as <c>kill -9</c> does: nothing of it runs any more.</summary>
    public void Kill()
    {
        try
        {
            process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It ended by itself.
        }
    }

    /// <summary>Asks it to end (SIGTERM).</summary>
    public void Terminate() => Signal("TERM");

    /// <summary>Stops it where it stands (SIGSTOP): it lives, holds what it holds, and does nothing.</summary>
    public void Pause() => Signal("STOP");

    /// <summary>Lets it go on (SIGCONT) as if no time had passed.</summary>
    public void Resume() => Signal("CONT");

    /// <summary>Waits for its end and everything it said.</summary>
    public async Task<int> EndedAsync(TimeSpan within)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Suite.Token);
        patience.CancelAfter(within);
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException) when (!Suite.Token.IsCancellationRequested)
        {
            Assert.Fail($"{Name} did not end within {within.TotalSeconds:0} s. It said:\n{string.Join('\n', lines.TakeLast(20))}");
        }
        return process.ExitCode;
    }

    public void Dispose()
    {
        Kill();
        process.WaitForExit();
        process.Dispose();
    }

    private void Signal(string name)
    {
        using var kill = Process.Start("kill", ["-" + name, process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    private void Heard(string? line)
    {
        if (line is null)
            return;
        lines.Enqueue(line);
        List<Action> due = [];
        lock (gate)
        {
            for (var i = triggers.Count - 1; i >= 0; i--)
            {
                if (!triggers[i].Is(line))
                    continue;
                due.Add(triggers[i].Then);
                triggers.RemoveAt(i);
            }
        }
        foreach (var then in due)
            then();
    }
}
