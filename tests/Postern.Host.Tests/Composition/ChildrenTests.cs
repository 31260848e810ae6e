using System.Diagnostics;
using Postern.Host.Demo;

namespace Postern.Host.Tests.Composition;

/// <summary>The demo's processes: none outlives it, and none ends unnoticed.</summary>
public sealed class ChildrenTests
{
    [Fact]
    public async Task Children_AfterDispose_NoneLives()
    {
        using var stop = new CancellationTokenSource();
        using var error = new StringWriter();
        var marker = $"600.{Environment.ProcessId}1";
        await using (var children = new Children(stop, error))
        {
            children.Start("one", new ProcessStartInfo("sleep", [marker]));
            // A child of a child, as a shell would leave it behind.
            children.Start("two", new ProcessStartInfo("sh", ["-c", $"sleep {marker}; true"]));
            Assert.Equal(3, await LivingAsync(marker, expected: 3));
        }

        Assert.Equal(0, await LivingAsync(marker, expected: 0));
        Assert.Empty(error.ToString());
    }

    [Fact]
    public async Task Children_OneEndsByItself_IsToldAndStopsTheOthers()
    {
        using var stop = new CancellationTokenSource();
        using var error = new StringWriter();
        await using var children = new Children(stop, error);
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var told = stop.Token.Register(stopped.SetResult);

        children.Start("The sandbox", new ProcessStartInfo("sh", ["-c", "exit 7"]));
        await stopped.Task.WaitAsync(TestContext.Current.CancellationToken);

        Assert.True(children.OneFailed);
        Assert.Equal("The sandbox ended by itself with exit code 7; the demo stops.", error.ToString().Trim());
    }

    [Fact]
    public async Task Children_ProgramThatIsNotThere_SaysWhich()
    {
        using var stop = new CancellationTokenSource();
        using var error = new StringWriter();
        await using var children = new Children(stop, error);

        var refused = Assert.Throws<InvalidOperationException>(() => children.Start("Skyline", new ProcessStartInfo("no-such-program-here")));

        Assert.StartsWith("Skyline did not start: no-such-program-here cannot be run", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>How many live, at the latest after 10 s: a shell takes a moment to start its child, and a killed grandchild to be gone.</summary>
    private static async Task<int> LivingAsync(string marker, int expected)
    {
        for (var tries = 0; tries < 200 && Living(marker) != expected; tries++)
            await Task.Delay(50, TestContext.Current.CancellationToken);
        return Living(marker);
    }

    private static int Living(string marker) => Directory.EnumerateDirectories("/proc")
        .Where(folder => int.TryParse(Path.GetFileName(folder), out _))
        .Count(folder =>
        {
            try
            {
                return File.ReadAllText(Path.Combine(folder, "cmdline")).Contains(marker, StringComparison.Ordinal);
            }
            catch (IOException)
            {
                return false;
            }
        });
}
