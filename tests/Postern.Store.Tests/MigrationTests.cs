using Microsoft.Extensions.DependencyInjection;

namespace Postern.Store.Tests;

public sealed class MigrationTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Migrate_ByEightNodesAtOnceOnAnEmptyFile_RunsOnce()
    {
        await using var fixture = await StoreFixture.StartAsync();
        var file = Path.Combine(Path.GetDirectoryName(fixture.File)!, "new", "fresh.db");
        var nodes = Enumerable.Range(0, 8)
            .Select(i => fixture.AddNode($"n{i}", o => o with { ConnectionString = $"Data Source={file}" }).GetRequiredService<PosternStore>())
            .ToArray();

        await Task.WhenAll(nodes.Select(node => Task.Run(() => node.MigrateAsync(Cancellation), Cancellation)));

        foreach (var node in nodes)
            await node.RecordAsync(Given.Event(), Cancellation);
    }

    [Fact]
    public async Task Migrate_Again_ChangesNothing()
    {
        await using var fixture = await StoreFixture.StartAsync();
        const string schema = "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_master ORDER BY name)";
        var before = await fixture.ScalarAsync<string>(schema);

        await fixture.Store.MigrateAsync(Cancellation);

        Assert.Equal(before, await fixture.ScalarAsync<string>(schema));
    }

    [Fact]
    public async Task Database_AfterMigration_IsReadableByItsOwnerOnly()
    {
        await using var fixture = await StoreFixture.StartAsync();
        await fixture.Store.RecordAsync(Given.Event(), Cancellation);
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such permissions.");

        foreach (var file in (string[])[fixture.File, fixture.File + "-wal"])
        {
            if (!OperatingSystem.IsWindows())
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }
    }

    [Fact]
    public async Task Database_AfterMigration_IsDurableAndConcurrent()
    {
        await using var fixture = await StoreFixture.StartAsync();
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
}
