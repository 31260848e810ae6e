using System.Diagnostics;

namespace Postern.Cluster.Tests;

/// <summary>What the shared people and processes need of whoever drives them; here the benchmark, in the tests the test.</summary>
internal static class Suite
{
    public static CancellationToken Token => CancellationToken.None;

    public static async Task UntilAsync(string what, TimeSpan within, Func<Task<bool>> holds)
    {
        var began = Stopwatch.GetTimestamp();
        while (!await holds())
        {
            if (Stopwatch.GetElapsedTime(began) > within)
                throw new TimeoutException($"Not within {within.TotalSeconds:0.#} s: {what}");
            await Task.Delay(20);
        }
    }

    public static Task UntilAsync(string what, TimeSpan within, Func<bool> holds) => UntilAsync(what, within, () => Task.FromResult(holds()));
}
