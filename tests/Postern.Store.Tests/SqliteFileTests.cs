using Microsoft.Extensions.DependencyInjection;

namespace Postern.Store.Tests;

/// <summary>The file that a migration leaves.</summary>
public sealed class SqliteFileTests : StoreSuite<Sqlite>
{
    [Fact]
    public async Task Migrate_IntoAFolderThatIsMissing_MakesIt()
    {
        await using var fixture = await StartAsync();
        var file = Path.Combine(Path.GetDirectoryName(FileOf(fixture))!, "new", "fresh.db");
        var node = fixture.AddNode("two", o => o with { ConnectionString = $"Data Source={file}" }).GetRequiredService<PosternStore>();

        await node.MigrateAsync(Cancellation);

        await node.RecordAsync(Given.Event(), Cancellation);
        Assert.True(File.Exists(file));
    }

    [Fact]
    public async Task Database_AfterMigration_IsReadableByItsOwnerOnly()
    {
        await using var fixture = await StartAsync();
        await fixture.Store.RecordAsync(Given.Event(), Cancellation);
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such permissions.");

        foreach (var file in (string[])[FileOf(fixture), FileOf(fixture) + "-wal"])
        {
            if (!OperatingSystem.IsWindows())
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }
    }

    [Fact]
    public async Task Database_AfterMigration_IsDurableAndConcurrent()
    {
        await using var fixture = await StartAsync();
        var dialect = fixture.First.GetRequiredService<SqlDialect>();
        await using var connection = await dialect.OpenAsync(Cancellation);

        Assert.Equal("wal", await PragmaAsync("journal_mode"));
        Assert.Equal("2", await PragmaAsync("synchronous"));
        Assert.Equal("1", await PragmaAsync("foreign_keys"));
        Assert.Equal("5000", await PragmaAsync("busy_timeout"));

        async Task<string?> PragmaAsync(string name)
        {
            await using var command = connection.CreateCommand();
            command.CommandText = $"PRAGMA {name}";
            return Convert.ToString(await command.ExecuteScalarAsync(Cancellation), System.Globalization.CultureInfo.InvariantCulture);
        }
    }

    [Fact]
    public async Task Revocations_OfATenant_ArePagedByTheirIndex()
    {
        await using var fixture = await StartAsync();
        var waiting = SealedRowReads.Uses.Single(use => use.Table == "provider_revocations");

        var plan = await fixture.Database.ListAsync<dynamic>(
            $"EXPLAIN QUERY PLAN {waiting.SelectNotUnder("*")} AND id > @after ORDER BY id LIMIT 10", new { tenant = "acme", keyVersion = new byte[16], after = "" });

        Assert.Contains("ix_provider_revocations_tenant (tenant=? AND status=? AND id>?)", Assert.Single(plan.Select(step => (string)step.detail)), StringComparison.Ordinal);
    }

    private static string FileOf(StoreFixture fixture) => ((Sqlite)fixture.Database).File;
}
