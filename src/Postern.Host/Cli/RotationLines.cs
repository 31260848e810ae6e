using System.Globalization;
using Postern.Grants.Keys;

namespace Postern.Host.Cli;

/// <summary>Progress of a rotation on standard error: one line that is written over on a terminal, else one every ten seconds.</summary>
internal sealed class RotationLines(TextWriter error, bool terminal, TimeProvider time) : IProgress<RotationProgress>
{
    private readonly TimeSpan every = terminal ? TimeSpan.FromMilliseconds(200) : TimeSpan.FromSeconds(10);
    private long last;
    private bool open;

    public void Report(RotationProgress value)
    {
        if (last != 0 && value.Left > 0 && time.GetElapsedTime(last) < every)
            return;
        last = time.GetTimestamp();
        var line = string.Create(CultureInfo.InvariantCulture, $"{value.What}: {value.Done} done, {value.Left} left, {value.PerSecond:0} a second")
            + (value.Unreadable == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $", {value.Unreadable} unreadable"));
        if (terminal)
            error.Write($"\r{line}\u001b[K");
        else
            error.WriteLine(line);
        open = terminal;
    }

    /// <summary>Ends the line that is written over.</summary>
    public void End()
    {
        if (open)
            error.WriteLine();
    }
}
