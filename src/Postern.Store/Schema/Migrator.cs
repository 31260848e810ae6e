using FluentMigrator.Runner;
using Microsoft.Extensions.DependencyInjection;

namespace Postern.Store;

/// <summary>Brings the schema up to date, one process at a time.</summary>
internal sealed class Migrator(SqliteDialect dialect)
{
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    // Real time, whatever clock the store runs on: another process is waited for.
    private readonly TimeProvider time = TimeProvider.System;

    public async Task MigrateAsync(CancellationToken cancellation)
    {
        if (Path.GetDirectoryName(dialect.File) is { Length: > 0 } folder)
            Directory.CreateDirectory(folder);

        await using var held = await LockAsync(cancellation);
        CreatePrivately();
        // The journal mode is a property of the file; set it before anybody else opens the file.
        await using (await dialect.OpenAsync(cancellation))
        {
        }
        await using var services = new ServiceCollection()
            .AddFluentMigratorCore()
            .ConfigureRunner(runner => runner
                .AddSQLite()
                .WithGlobalConnectionString(dialect.ConnectionString)
                .ScanIn(typeof(Migrator).Assembly).For.Migrations())
            .BuildServiceProvider();
        await using var scope = services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<IMigrationRunner>().MigrateUp();
    }

    // For this user only, before SQLite would create it for everybody; its log files take the same permissions.
    private void CreatePrivately()
    {
        if (File.Exists(dialect.File))
            return;
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var created = new FileStream(dialect.File, options);
    }

    // A lock file beside the database, not a lock inside it: the migrator opens transactions of its own. The operating system
    // releases it when its process dies.
    private async Task<FileStream> LockAsync(CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        while (true)
        {
            try
            {
                return new FileStream(dialect.File + ".migrate", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (time.GetElapsedTime(began) < Patience)
            {
                await Task.Delay(Retry, time, cancellation);
            }
        }
    }
}
