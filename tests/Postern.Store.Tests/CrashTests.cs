using Microsoft.Extensions.DependencyInjection;
using Postern.Audit;

namespace Postern.Store.Tests;

/// <summary>A process that is killed with SIGKILL, anywhere: what it acknowledged is stored, and nothing is stored in part.</summary>
public abstract class CrashTests<TDatabase> : StoreSuite<TDatabase> where TDatabase : ITestDatabase
{
    // As many as the process has writers.
    private const int UnderWay = 4;

    [Fact]
    public async Task Write_KilledAgainAndAgain_StoresWhatItAcknowledgedAndNothingInPart()
    {
        await using var fixture = await StartAsync();
        var options = fixture.Database.Options;
        var seed = Environment.TickCount;
        TestContext.Current.SendDiagnosticMessage($"seed {seed}");
        var random = new Random(seed);
        var acknowledged = new List<string>();
        var rounds = CrashProcess.Full ? 100 : 8;

        for (var round = 0; round < rounds; round++)
            acknowledged.AddRange(await CrashProcess.KillAfterAsync(random.Next(1, 80), "write", $"{options.Provider}", options.ConnectionString, $"r{round}"));

        Assert.DoesNotContain(acknowledged, name => name.StartsWith("refused", StringComparison.Ordinal));
        await AssertWholeAsync(fixture, acknowledged, rounds * UnderWay);
    }

    [Fact]
    public async Task Migrate_ByEightProcessesAtOnceOnAnEmptyDatabase_RunsOnce()
    {
        await using var fixture = new StoreFixture(await TDatabase.CreateAsync(), StoreTime.Database);
        var options = fixture.Database.Options;

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => CrashProcess.RunAsync(
            new Dictionary<string, string>(), "migrate", $"{options.Provider}", options.ConnectionString)));

        await fixture.Store.RecordAsync(Given.Event(), Cancellation);
        Assert.Equal(1, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM leases"));
        Assert.Equal(1, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM counters"));
    }

    /// <summary>Every acknowledged commit is there, whole, at most so many others, and the audit log verifies.</summary>
    internal static async Task AssertWholeAsync(StoreFixture fixture, IReadOnlyList<string> acknowledged, int others)
    {
        var stored = await fixture.Database.ListAsync<string>("SELECT name FROM definitions");
        Assert.Empty(acknowledged.Except(stored));
        Assert.InRange(stored.Count - acknowledged.Count, 0, others);
        // Change, event and notice stand or fall together, and places in the feed have no gap.
        var events = await fixture.First.GetRequiredService<AuditReader>().ListAsync(Given.Tenant, new() { Limit = int.MaxValue }, Cancellation);
        Assert.Equal(stored.Order(StringComparer.Ordinal), events.Select(e => e.Recorded!.Event.Facts["name"]).Order(StringComparer.Ordinal));
        var notices = await fixture.Database.ListAsync<string>("SELECT entity_key FROM changes ORDER BY id");
        Assert.Equal(stored.Select(name => $"policy/{name}").Order(StringComparer.Ordinal), notices.Order(StringComparer.Ordinal));
        Assert.Equal(stored.Count, await fixture.ScalarAsync<long>("SELECT MAX(id) FROM changes"));

        await fixture.First.GetRequiredService<Sequencer>().RunAsync(Cancellation);
        var report = await fixture.First.GetRequiredService<AuditReader>().VerifyAsync(Given.Tenant, null, Cancellation);
        Assert.True(report.IsValid, report.ToString());
        Assert.Equal(stored.Count, report.Checked);
    }
}

public sealed class SqliteCrashTests : CrashTests<Sqlite>;

public sealed class PostgreSqlCrashTests : CrashTests<PostgreSql>;

public sealed class MariaDbCrashTests : CrashTests<MariaDb>;
