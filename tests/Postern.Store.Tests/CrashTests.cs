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

    /// <summary>
    /// Killed before its first step, and, run again on what that left, before its second, and so on: each run begins in what the one
    /// before left. Then as a whole, killed at one step and finished, for every step.
    /// </summary>
    [Fact]
    public async Task Migrate_KilledAtEveryStep_GoesOnWhereItStopped()
    {
        var expected = await ColumnsAsync(await TDatabase.CreateMigratedAsync());
        await using var always = new StoreFixture(await TDatabase.CreateAsync(), StoreTime.Database);
        var (steps, stride) = (1, CrashProcess.Full ? 1 : 7);
        while (!await MigratesAsync(always, steps))
            steps += stride;
        Assert.InRange(steps, 20, 1000);
        Assert.Equal(expected, await ColumnsAsync(always.Database));

        for (var step = 2; step <= steps; step += stride)
        {
            await using var once = new StoreFixture(await TDatabase.CreateAsync(), StoreTime.Database);
            if (await MigratesAsync(once, step))
                break;
            Assert.True(await CrashProcess.TryAsync("migrate", $"{once.Database.Options.Provider}", once.Database.Options.ConnectionString));
            Assert.Equal(expected, await ColumnsAsync(once.Database));
            await once.Store.RecordAsync(Given.Event(), Cancellation);
            Assert.Equal((1, 1), (await once.ScalarAsync<long>("SELECT COUNT(*) FROM leases"), await once.ScalarAsync<long>("SELECT COUNT(*) FROM counters")));
        }

        static Task<bool> MigratesAsync(StoreFixture fixture, int step) => CrashProcess.TryAsync(
            "migrate", $"{fixture.Database.Options.Provider}", fixture.Database.Options.ConnectionString, step.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    /// <summary>All tables, columns and indexes, as the database names them.</summary>
    private static async Task<IReadOnlyList<string>> ColumnsAsync(TestDatabase database) => await database.ListAsync<string>(database.Options.Provider switch
    {
        StoreProvider.PostgreSql =>
            """
            SELECT table_name || '.' || column_name || ' ' || data_type || is_nullable FROM information_schema.columns WHERE table_schema = 'public'
            UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1
            """,
        StoreProvider.MySql =>
            """
            SELECT CONCAT(table_name, '.', column_name, ' ', column_type, is_nullable) FROM information_schema.columns WHERE table_schema = DATABASE()
            UNION ALL SELECT CONCAT(table_name, '.', index_name, ' ', column_name, non_unique, seq_in_index) FROM information_schema.statistics WHERE table_schema = DATABASE()
            ORDER BY 1
            """,
        _ => "SELECT COALESCE(sql, name) FROM sqlite_master ORDER BY 1",
    });

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
