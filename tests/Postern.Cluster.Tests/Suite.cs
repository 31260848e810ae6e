using System.Diagnostics;
using Postern.Cluster.Tests.Processes;
using Postern.TestDatabases;

// Each test drives several processes on a machine that may have two cores: one test at a time keeps times honest.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
[assembly: AssemblyFixture(typeof(Servers))]

namespace Postern.Cluster.Tests;

/// <summary>What every journey needs of the suite.</summary>
internal static class Suite
{
    /// <summary>Ends with the test that runs.</summary>
    public static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Whether lengthy suites take their full length (<c>POSTERN_TEST_FULL=1</c>).</summary>
    public static bool Full { get; } = Environment.GetEnvironmentVariable("POSTERN_TEST_FULL") == "1";

    /// <summary>Looks until something is so; the only waiting these tests do for other processes. Fails with <paramref name="what"/>.</summary>
    public static async Task UntilAsync(string what, TimeSpan within, Func<Task<bool>> holds)
    {
        var began = Stopwatch.GetTimestamp();
        while (!await holds())
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < within, $"Not within {within.TotalSeconds:0.#} s: {what}");
            await Task.Delay(20, Token);
        }
    }

    /// <summary>As the other, for what is known without asking.</summary>
    public static Task UntilAsync(string what, TimeSpan within, Func<bool> holds) => UntilAsync(what, within, () => Task.FromResult(holds()));
}
