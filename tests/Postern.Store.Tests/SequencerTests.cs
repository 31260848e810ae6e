using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Postern.Audit;
using Postern.Model;

namespace Postern.Store.Tests;

public abstract class SequencerTests<TDatabase> : StoreSuite<TDatabase> where TDatabase : ITestDatabase
{
    private const string EditALeaf = "the bytes of a leaf";

    private static readonly TenantId Other = TenantId.Parse("other");

    [Fact]
    public async Task Run_OverTwoTenants_GivesEachAGapFreeLogThatVerifies()
    {
        await using var fixture = await StartAsync();
        for (var i = 0; i < 10; i++)
        {
            await fixture.Store.RecordAsync(Given.Event().With("n", i), Cancellation);
            await fixture.Store.RecordAsync(new AuditEvent(EventKind.NodeStarted, Other), Cancellation);
        }
        var reader = fixture.First.GetRequiredService<AuditReader>();
        Assert.Equal(20, await reader.WaitingAsync(Cancellation));

        Assert.Equal(20, await SequencerOf(fixture.First).RunAsync(Cancellation));

        Assert.Equal(0, await reader.WaitingAsync(Cancellation));
        foreach (var tenant in (TenantId[])[Given.Tenant, Other])
        {
            var report = await reader.VerifyAsync(tenant, null, Cancellation);
            Assert.True(report.IsValid, report.ToString());
            Assert.Equal(10, report.Checked);
        }
        var listed = await reader.ListAsync(Given.Tenant, new(), Cancellation);
        Assert.Equal(Enumerable.Range(0, 10).Reverse().Select(i => ((long?)i, $"{i}")), listed.Select(r => (r.Index, r.Recorded!.Event.Facts["n"])));
    }

    [Fact]
    public async Task Run_OverMoreThanATurn_OrdersAll()
    {
        await using var fixture = await StartAsync();
        await Task.WhenAll(Enumerable.Range(0, Sequencer.PerTurn + 50).Select(_ => fixture.Store.RecordAsync(Given.Event(), Cancellation)));

        Assert.Equal(Sequencer.PerTurn + 50, await SequencerOf(fixture.First).RunAsync(Cancellation));

        Assert.True((await VerifyAsync(fixture)).IsValid);
    }

    [Fact]
    public async Task Run_ByASecondNode_WaitsForTheLeaseToEnd()
    {
        await using var fixture = await StartAsync();
        var (one, two) = (SequencerOf(fixture.First), SequencerOf(fixture.AddNode("two")));
        await fixture.Store.RecordAsync(Given.Event(), Cancellation);
        Assert.Equal(1, await one.RunAsync(Cancellation));
        await fixture.Store.RecordAsync(Given.Event(), Cancellation);

        Assert.Null(await two.RunAsync(Cancellation));
        fixture.Clock.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(1, await two.RunAsync(Cancellation));
        await fixture.Store.RecordAsync(Given.Event(), Cancellation);

        // The first, paused meanwhile, finds its lease gone.
        Assert.Null(await one.RunAsync(Cancellation));
        await two.ReleaseAsync(Cancellation);
        Assert.Equal(1, await one.RunAsync(Cancellation));
        Assert.Equal(3, (await VerifyAsync(fixture)).Checked);
        Assert.Equal(3, await fixture.ScalarAsync<long>("SELECT fence FROM leases WHERE name = 'sequencer'"));
    }

    [Theory]
    [InlineData("BEFORE INSERT", "audit_log", "NEW.position = 4")]
    [InlineData("AFTER UPDATE", "event_leaves", "NEW.id = 5")]
    [InlineData("BEFORE UPDATE", "audit_heads", "NEW.size > 0")]
    [InlineData("AFTER UPDATE", "audit_heads", "NEW.size > 0")]
    public async Task Run_ThatDiesMidway_LeavesNothingHalfDone(string moment, string table, string condition)
    {
        await using var fixture = await StartAsync();
        await RecordAsync(fixture, 3);
        await SequencerOf(fixture.First).RunAsync(Cancellation);
        await RecordAsync(fixture, 5);
        var before = await fixture.First.GetRequiredService<AuditReader>().HeadAsync(Given.Tenant, Cancellation);
        await fixture.Database.BreakAsync(moment, table, condition);

        await Assert.ThrowsAnyAsync<System.Data.Common.DbException>(() => SequencerOf(fixture.First).RunAsync(Cancellation));

        var after = await fixture.First.GetRequiredService<AuditReader>().HeadAsync(Given.Tenant, Cancellation);
        Assert.Equal(before!.Entry, after!.Entry);
        Assert.Equal(3, (await VerifyAsync(fixture)).Checked);
        await fixture.Database.HealAsync(table);
        // A fresh instance, as after a crash: it waits for the dead one's lease and goes on.
        fixture.Clock.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(5, await SequencerOf(fixture.AddNode("fresh")).RunAsync(Cancellation));
        var report = await VerifyAsync(fixture);
        Assert.True(report.IsValid, report.ToString());
        Assert.Equal(8, report.Checked);
    }

    [Fact]
    public async Task Run_ByManyNodesAtOnceWhileOthersCommit_KeepsOneChain()
    {
        await using var fixture = await StartAsync(StoreTime.Database);
        var nodes = Enumerable.Range(0, 3).Select(i => fixture.AddNode($"n{i}")).ToArray();

        await Task.WhenAll(nodes.Select(node => Task.Run(async () =>
        {
            var store = node.GetRequiredService<PosternStore>();
            for (var i = 0; i < 20; i++)
            {
                await store.RecordAsync(Given.Event(), Cancellation);
                await SequencerOf(node).RunAsync(Cancellation);
                await SequencerOf(node).ReleaseAsync(Cancellation);
            }
        })));
        await SequencerOf(nodes[0]).RunAsync(Cancellation);

        var report = await VerifyAsync(fixture);
        Assert.True(report.IsValid, report.ToString());
        Assert.Equal(60, report.Checked);
    }

    [Theory]
    [InlineData(EditALeaf, ChainFault.Edited, 4)]
    [InlineData("UPDATE audit_log SET entry_hash = 'no hash' WHERE position = 4", ChainFault.Edited, 4)]
    [InlineData("DELETE FROM event_leaves WHERE id = 5", ChainFault.Missing, 4)]
    [InlineData("DELETE FROM audit_log WHERE position = 4", ChainFault.Missing, 4)]
    [InlineData("DELETE FROM audit_log WHERE position >= 6", ChainFault.Truncated, 6)]
    [InlineData("DELETE FROM audit_log WHERE position = 3; UPDATE audit_log SET position = position - 1 WHERE position > 3", ChainFault.Edited, 3)]
    [InlineData("UPDATE audit_log SET leaf_id = -leaf_id WHERE position IN (2, 7); UPDATE audit_log SET leaf_id = 11 + leaf_id WHERE leaf_id < 0", ChainFault.Edited, 2)]
    [InlineData("UPDATE audit_heads SET size = 12", ChainFault.Truncated, 10)]
    public async Task Verify_AfterSomebodyEditedTheDatabase_NamesTheIndex(string tampering, ChainFault fault, long index)
    {
        await using var fixture = await StartAsync();
        await RecordAsync(fixture, 10);
        await SequencerOf(fixture.First).RunAsync(Cancellation);
        Assert.True((await VerifyAsync(fixture)).IsValid);

        if (tampering == EditALeaf)
            await EditLeafAsync(fixture, 5, "\"n\":\"4\"", "\"n\":\"5\"");
        else
            await fixture.SqlAsync(tampering);

        var report = await VerifyAsync(fixture);
        Assert.Equal((fault, (long?)index), (report.Fault, report.BadIndex));
        // An export of it tells the same to somebody who has neither the database nor this program's word.
        var exported = await VerifyExportAsync(fixture, await fixture.First.GetRequiredService<AuditReader>().HeadAsync(Given.Tenant, Cancellation));
        Assert.Equal((fault, (long?)index), (exported.Fault, exported.BadIndex));
    }

    [Fact]
    public async Task Verify_OfALogCutTogetherWithItsHead_IsFoundByAPositionRememberedElsewhere()
    {
        await using var fixture = await StartAsync();
        await RecordAsync(fixture, 10);
        await SequencerOf(fixture.First).RunAsync(Cancellation);
        var reader = fixture.First.GetRequiredService<AuditReader>();
        var known = await reader.HeadAsync(Given.Tenant, Cancellation);
        await fixture.SqlAsync(
            """
            DELETE FROM audit_log WHERE position >= 6;
            UPDATE audit_heads SET size = 6, entry_hash = (SELECT entry_hash FROM audit_log WHERE position = 5);
            """);
        Assert.True((await VerifyAsync(fixture)).IsValid);

        var report = await reader.VerifyAsync(Given.Tenant, known, Cancellation);

        Assert.Equal((ChainFault.Truncated, 6L), (report.Fault, report.BadIndex));
    }

    [Fact]
    public async Task Leaf_EditedBeforeItGotItsPlace_ShowsAsEdited()
    {
        await using var fixture = await StartAsync();
        await RecordAsync(fixture, 3);
        await EditLeafAsync(fixture, 2, "}", "} ");
        await SequencerOf(fixture.First).RunAsync(Cancellation);

        var report = await VerifyAsync(fixture);

        Assert.Equal((ChainFault.Edited, 1L), (report.Fault, report.BadIndex));
    }

    [Fact]
    public async Task Export_OfAPart_VerifiesAndHoldsItsEventsOnly()
    {
        await using var fixture = await StartAsync();
        await RecordAsync(fixture, 10);
        await SequencerOf(fixture.First).RunAsync(Cancellation);
        using var output = new MemoryStream();

        await fixture.First.GetRequiredService<AuditReader>().ExportAsync(output, Given.Tenant, 4, 7, Cancellation);

        var text = Encoding.UTF8.GetString(output.ToArray());
        Assert.Equal(5, text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Contains("{\"n\":\"4\"}", text, StringComparison.Ordinal);
        Assert.DoesNotContain("{\"n\":\"7\"}", text, StringComparison.Ordinal);
        output.Position = 0;
        var report = await AuditExport.VerifyAsync(output, null, Cancellation);
        Assert.True(report.IsValid, report.ToString());
        Assert.Equal((3, 7), (report.Checked, report.Head.Size));
    }

    [Fact]
    public async Task Export_FromBeyondTheLog_SaysSo()
    {
        await using var fixture = await StartAsync();
        using var output = new MemoryStream();

        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() =>
            fixture.First.GetRequiredService<AuditReader>().ExportAsync(output, Given.Tenant, 4, null, Cancellation));
        Assert.Equal(0, output.Length);
    }

    [Fact]
    public async Task List_ByFilter_FindsWhatItNames()
    {
        await using var fixture = await StartAsync();
        var grant = new GrantId(fixture.Chance.NewId());
        await fixture.Store.RecordAsync(Given.Event(EventKind.QueryStarted) with { Grant = grant }, Cancellation);
        fixture.Clock.Advance(TimeSpan.FromMinutes(1));
        await fixture.Store.RecordAsync(Given.Event(EventKind.QueryRefused) with { Subject = Given.Ana with { Id = "ben" } }, Cancellation);
        var reader = fixture.First.GetRequiredService<AuditReader>();

        Assert.Equal([EventKind.QueryStarted], await KindsAsync(new() { Grant = grant }));
        Assert.Equal([EventKind.QueryRefused], await KindsAsync(new() { SubjectId = "ben" }));
        Assert.Equal([EventKind.QueryRefused], await KindsAsync(new() { Kinds = [EventKind.QueryRefused, EventKind.SignedIn] }));
        Assert.Equal([EventKind.QueryRefused], await KindsAsync(new() { From = fixture.Now }));
        Assert.Equal([EventKind.QueryStarted], await KindsAsync(new() { Until = fixture.Now }));
        var newest = Assert.Single(await reader.ListAsync(Given.Tenant, new() { Limit = 1 }, Cancellation));
        Assert.Equal([EventKind.QueryStarted], await KindsAsync(new() { BeforeId = newest.Id }));
        Assert.Null(newest.Index);
        Assert.Equal(fixture.Now, newest.Recorded!.At);
        Assert.Equal("one", newest.Recorded.Node);
        Assert.Empty(await reader.ListAsync(Other, new(), Cancellation));

        async Task<IEnumerable<EventKind>> KindsAsync(AuditFilter filter) =>
            (await reader.ListAsync(Given.Tenant, filter, Cancellation)).Select(r => r.Recorded!.Event.Kind);
    }

    private static Sequencer SequencerOf(IServiceProvider node) => node.GetRequiredService<Sequencer>();

    private static async Task RecordAsync(StoreFixture fixture, int count)
    {
        for (var i = 0; i < count; i++)
            await fixture.Store.RecordAsync(Given.Event().With("n", i), Cancellation);
    }

    private static async Task EditLeafAsync(StoreFixture fixture, int id, string old, string edited)
    {
        var bytes = (await fixture.ScalarAsync<byte[]>("SELECT bytes FROM event_leaves WHERE id = @id", new { id }))!;
        var text = Encoding.UTF8.GetString(bytes);
        Assert.Contains(old, text, StringComparison.Ordinal);
        await fixture.SqlAsync("UPDATE event_leaves SET bytes = @bytes WHERE id = @id", new { id, bytes = Encoding.UTF8.GetBytes(text.Replace(old, edited, StringComparison.Ordinal)) });
    }

    private static Task<ChainReport> VerifyAsync(StoreFixture fixture) =>
        fixture.First.GetRequiredService<AuditReader>().VerifyAsync(Given.Tenant, null, Cancellation);

    private static async Task<ChainReport> VerifyExportAsync(StoreFixture fixture, AuditHead? known)
    {
        using var output = new MemoryStream();
        await fixture.First.GetRequiredService<AuditReader>().ExportAsync(output, Given.Tenant, 0, null, Cancellation);
        output.Position = 0;
        return await AuditExport.VerifyAsync(output, known, Cancellation);
    }
}

public sealed class SequencerTestsOnSqlite : SequencerTests<Sqlite>;

public sealed class SequencerTestsOnPostgreSql : SequencerTests<PostgreSql>;

public sealed class SequencerTestsOnMariaDb : SequencerTests<MariaDb>;
