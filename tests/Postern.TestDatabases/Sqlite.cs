using System.Data.Common;
using Microsoft.Data.Sqlite;
using Postern.Store;

namespace Postern.TestDatabases;

/// <summary>A SQLite file in a folder of its own.</summary>
public sealed class Sqlite : TestDatabase, ITestDatabase
{
    private readonly string folder;

    private Sqlite(string folder) => this.folder = folder;

    public string File => Path.Combine(folder, "postern.db");

    public override string Folder => folder;

    public override StoreOptions Options => new() { ConnectionString = $"Data Source={File}" };

    public static Task<TestDatabase> CreateAsync() => Task.FromResult<TestDatabase>(new Sqlite(OnDisk()));

    public static Task<TestDatabase> CreateMigratedAsync() => new Sqlite(OnDisk()).MigratedAsync();

    /// <summary>
    /// A file in memory where the system has a place for that, for suites to whom it does not matter what a disk keeps: thousands of
    /// commits would wait for thousands of synchronisations.
    /// </summary>
    public static TestDatabase InMemory()
    {
        const string Memory = "/dev/shm";
        if (!OperatingSystem.IsLinux() || !Directory.Exists(Memory))
            return new Sqlite(OnDisk());
        var folder = Path.Combine(Memory, "postern-store-" + Guid.NewGuid().ToString("N"));
        return new Sqlite(Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName);
    }

    public override DbConnection Connect() => new SqliteConnection(Options.ConnectionString);

    public override Task BreakAsync(string moment, string table, string condition) => SqlAsync(
        $"CREATE TRIGGER breaks {moment} ON {table} WHEN {condition} BEGIN SELECT RAISE(ABORT, 'broken'); END");

    public override Task HealAsync(string table) => SqlAsync("DROP TRIGGER breaks");

    public override async Task<IReadOnlyList<(string Place, byte[] Content)>> ContentAsync()
    {
        var content = new List<(string, byte[])>();
        foreach (var file in Directory.EnumerateFiles(folder))
        {
            await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var bytes = new MemoryStream();
            await stream.CopyToAsync(bytes, TestContext.Current.CancellationToken);
            content.Add((Path.GetFileName(file), bytes.ToArray()));
        }
        return content;
    }

    public override ValueTask DisposeAsync()
    {
        SqliteConnection.ClearAllPools();
        Directory.Delete(folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    private static string OnDisk() => Directory.CreateTempSubdirectory("postern-store-").FullName;
}
