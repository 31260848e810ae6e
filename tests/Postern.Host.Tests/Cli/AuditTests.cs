using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Postern.Host.Composition;
using Postern.Model;
using Postern.Store;

namespace Postern.Host.Tests.Cli;

/// <summary>Positions that an operator noted, and exports past the end.</summary>
public sealed class AuditTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Verify_WithAPositionNotedEarlier_PassesAfterTheLogGrew()
    {
        var config = await LogAsync(3);
        var noted = await PositionAsync(config);
        await AppendAsync(2);

        var ran = await Verb.RunAsync("audit", "verify", "--config", config, "--tenant", "skyline", "--known", noted);

        Assert.StartsWith("3:", noted, StringComparison.Ordinal);
        Assert.Equal(0, ran.Code);
        Assert.StartsWith("skyline: 5 entries are intact", ran.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verify_OfALogWhoseEndWasCutWithItsHead_IsTruncatedAgainstTheNotedPosition()
    {
        var config = await LogAsync(3);
        var noted = await PositionAsync(config);
        // As somebody who owns the database would: the last entry goes, and the stored position goes back with it.
        await SqlAsync("""
            DELETE FROM audit_log WHERE tenant = 'skyline' AND position = 2;
            UPDATE audit_heads SET size = 2, entry_hash = (SELECT entry_hash FROM audit_log WHERE tenant = 'skyline' AND position = 1) WHERE tenant = 'skyline';
            """);

        var alone = await Verb.RunAsync("audit", "verify", "--config", config, "--tenant", "skyline");
        var known = await Verb.RunAsync("audit", "verify", "--config", config, "--tenant", "skyline", "--known", noted, "--json");

        Assert.Equal((0, 1), (alone.Code, known.Code));
        Assert.Equal(("truncated", 2), ((string?)known.Json[0]!["fault"], (long)known.Json[0]!["badIndex"]!));
    }

    [Fact]
    public async Task Verify_OfALogWrittenAnew_IsRewrittenAgainstTheNotedPosition()
    {
        var noted = await PositionAsync(await LogAsync(3));
        using var other = new AuditTests();
        var config = await other.LogAsync(4);

        var alone = await Verb.RunAsync("audit", "verify", "--config", config, "--tenant", "skyline");
        var known = await Verb.RunAsync("audit", "verify", "--config", config, "--tenant", "skyline", "--known", noted);

        Assert.Equal((0, 1), (alone.Code, known.Code));
        Assert.StartsWith("skyline: Rewritten at index 2", known.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verify_OfAnExportThatBeginsAfterTheNotedPosition_SaysThatItWasNotMet()
    {
        var config = await LogAsync(3);
        var noted = await PositionAsync(config);
        await AppendAsync(2);
        var (at, after) = (folder.In("at.jsonl"), folder.In("after.jsonl"));
        await Verb.RunAsync("audit", "export", "--config", config, "--tenant", "skyline", "--from", "3", "--output", at);
        await Verb.RunAsync("audit", "export", "--config", config, "--tenant", "skyline", "--from", "4", "--output", after);

        var met = await Verb.RunAsync("audit", "verify", "--file", at, "--known", noted);
        var unmet = await Verb.RunAsync("audit", "verify", "--file", after, "--known", noted);
        var forged = await Verb.RunAsync("audit", "verify", "--file", at, "--known", "3:" + new string('a', 64));

        Assert.Equal((0, 1, 1), (met.Code, unmet.Code, forged.Code));
        Assert.Contains("Unmet at index 4", unmet.Output, StringComparison.Ordinal);
        Assert.Contains("Rewritten at index 3", forged.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("3")]
    [InlineData("3:abc")]
    [InlineData("-1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public async Task Verify_KnownThatIsNoPosition_IsRefused(string known)
    {
        var ran = await Verb.RunAsync("audit", "verify", "--config", await LogAsync(1), "--tenant", "skyline", "--known", known);

        Assert.Equal(1, ran.Code);
        Assert.Contains("--known is no position", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verify_KnownWithoutOneLog_IsRefused()
    {
        var ran = await Verb.RunAsync("audit", "verify", "--config", await LogAsync(1), "--known", "1:" + new string('a', 64));

        Assert.Equal(1, ran.Code);
        Assert.Contains("name it with --tenant or --file", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Export_FromTheEnd_IsAnEmptyExportThatVerifies()
    {
        var config = await LogAsync(3);
        var file = folder.In("export.jsonl");

        var export = await Verb.RunAsync("audit", "export", "--config", config, "--tenant", "skyline", "--from", "3", "--output", file);
        var verify = await Verb.RunAsync("audit", "verify", "--file", file);

        Assert.Equal((0, 0), (export.Code, verify.Code));
        Assert.Contains("0 entries are intact", verify.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Export_FromPastTheEnd_SaysSoAndLeavesTheFileAlone()
    {
        var config = await LogAsync(3);
        var file = folder.Write("export.jsonl", "an earlier export");

        var ran = await Verb.RunAsync("audit", "export", "--config", config, "--tenant", "skyline", "--from", "4", "--output", file);
        var negative = await Verb.RunAsync("audit", "export", "--config", config, "--tenant", "skyline", "--from", "-1", "--output", file);

        Assert.Equal((1, 1), (ran.Code, negative.Code));
        Assert.Equal("Nothing was exported: the log of 'skyline' has 3 entries and does not reach index 4. The next one will be 3.", ran.Error.Trim());
        Assert.Contains("--from is negative", negative.Error, StringComparison.Ordinal);
        Assert.Equal("an earlier export", await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));
    }

    private async Task<string> LogAsync(int events)
    {
        var config = folder.Write("postern.json", Given.Demo(folder).ToJsonString());
        Assert.Equal(0, (await Verb.RunAsync("migrate", "--config", config)).Code);
        await AppendAsync(events);
        return config;
    }

    private async Task AppendAsync(int events)
    {
        await using var rooms = PosternApplication.BuildRooms(Given.Read(Given.Demo(folder)).Settings!);
        for (var i = 0; i < events; i++)
        {
            await rooms.GetRequiredService<PosternStore>().RecordAsync(
                new AuditEvent(EventKind.QueryRefused, TenantId.Parse("skyline")) { Code = "test" }.With("folder", folder.Path).With("i", i), TestContext.Current.CancellationToken);
        }
        var sequencer = rooms.GetRequiredService<Sequencer>();
        Assert.Equal(events, await sequencer.RunAsync(TestContext.Current.CancellationToken));
        await sequencer.ReleaseAsync(TestContext.Current.CancellationToken);
    }

    private static async Task<string> PositionAsync(string config) =>
        (string)(await Verb.RunAsync("audit", "verify", "--config", config, "--tenant", "skyline", "--json")).Json[0]!["position"]!;

    private async Task SqlAsync(string sql)
    {
        await using var connection = new SqliteConnection("Data Source=" + folder.In("data/postern.db"));
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
    }
}
