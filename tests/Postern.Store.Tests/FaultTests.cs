using System.Globalization;

namespace Postern.Store.Tests;

/// <summary>
/// A disk that fails under SQLite, by libfiu: for every n, the n-th call alone and every call from the n-th on. What was acknowledged
/// is stored whole, and the file is sound afterwards.
/// </summary>
public sealed class FaultTests : StoreSuite<Sqlite>
{
    private const string Preload = "/usr/lib/fiu/fiu_run_preload.so /usr/lib/fiu/fiu_posix_preload.so";

    // A commit whose synchronisation failed is an error to the caller and may still stand: its record lies in the log, and whoever opens
    // the file next after the last connection closed finds it. Nobody was told that it stands or that it does not.
    // Without a pool every commit opens the files and the last connection to close checkpoints the log: other calls that can fail.
    [Theory]
    [InlineData("posix/io/rw/pwrite", true)]
    [InlineData("posix/io/rw/pwrite", false)]
    [InlineData("posix/io/sync/fsync", true)]
    [InlineData("posix/io/sync/fsync", false)]
    [InlineData("posix/io/oc/open", false)]
    public async Task Commit_WhileTheNthCallFails_IsStoredWholeIfItWasAcknowledged(string point, bool pooled)
    {
        if (!File.Exists(Preload.Split(' ')[1]))
        {
            const string missing = "The package libfiu0 is not installed; './test store' installs it when run by root.";
            Assert.SkipUnless(Environment.GetEnvironmentVariable("CI") == "true", missing);
            Assert.Fail(missing);
        }
        await using var fixture = await StartAsync(StoreTime.Database);
        var count = CrashProcess.Full ? 500 : 30;
        var mayStand = point == "posix/io/sync/fsync" ? 2 * 3 * count : 0;

        var said = await CrashProcess.RunAsync(
            new Dictionary<string, string> { ["LD_PRELOAD"] = Preload },
            "fault", $"{fixture.Database.Options.ConnectionString};Pooling={pooled}", point, count.ToString(CultureInfo.InvariantCulture));

        Assert.StartsWith("failures ", said[^1], StringComparison.Ordinal);
        Assert.NotEqual("failures 0", said[^1]);
        Assert.Equal("ok", await fixture.ScalarAsync<string>("PRAGMA integrity_check"));
        await CrashTests<Sqlite>.AssertWholeAsync(fixture, [.. said.SkipLast(1)], mayStand);
    }
}
