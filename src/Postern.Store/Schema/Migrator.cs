using FluentMigrator.Runner;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Postern.Store;

/// <summary>Brings the schema up to date, one process at a time. Killed anywhere, it goes on when it is run again.</summary>
/// <param name="loggers">Who is told of each statement, as information of <c>FluentMigrator</c>; null for nobody.</param>
internal sealed class Migrator(SqlDialect dialect, ILoggerFactory? loggers = null)
{
    public async Task MigrateAsync(CancellationToken cancellation)
    {
        await using var held = await dialect.LockForMigrationAsync(cancellation);
        await UnlockedAsync();
    }

    /// <summary>
    /// The work alone, for those who hold the lock: each database was seen to fail when eight processes do it at once, which tests keep true.
    /// </summary>
    /// <param name="version">No further than this one; for tests.</param>
    internal async Task UnlockedAsync(long version = long.MaxValue)
    {
        await using var services = new ServiceCollection()
            .AddSingleton(loggers ?? NullLoggerFactory.Instance)
            .AddFluentMigratorCore()
            .ConfigureRunner(runner =>
            {
                dialect.ConfigureMigrations(runner);
                runner.ScanIn(typeof(Migrator).Assembly).For.Migrations();
            })
            .BuildServiceProvider();
        await using var scope = services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<IMigrationRunner>().MigrateUp(version);
    }
}

/// <summary>How long, and how often, a process asks for the migration lock while another holds it.</summary>
internal static class MigrationPatience
{
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <summary>Tries until it gets the lock.</summary>
    /// <exception cref="TimeoutException">Another process held it for two minutes.</exception>
    public static async Task<T> WaitAsync<T>(Func<Task<T?>> take, CancellationToken cancellation) where T : class
    {
        // Real time, whatever clock the store runs on: another process is waited for.
        var time = TimeProvider.System;
        var began = time.GetTimestamp();
        while (true)
        {
            if (await take() is { } held)
                return held;
            if (time.GetElapsedTime(began) > Limit)
                throw new TimeoutException("Another process has been migrating this database for two minutes.");
            await Task.Delay(Retry, time, cancellation);
        }
    }
}
