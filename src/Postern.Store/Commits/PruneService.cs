using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Postern.Store;

/// <summary>Removes rows that nothing can use any more: old changes, ended sessions, expired codes and connects.</summary>
internal sealed class PruneService(PosternStore store, StoreOptions options, TimeProvider time, ILogger logger) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(10);

    /// <summary>Prunes once.</summary>
    public static async Task PruneAsync(PosternStore store, StoreOptions options, CancellationToken cancellation)
    {
        Upkeep[] all =
        [
            FeedChanges.Prune(options.KeepChanges),
            SessionChanges.Prune(),
            SignInChanges.Prune(),
            ConnectChanges.Prune(),
            EmbedCodeChanges.Prune(),
        ];
        foreach (var upkeep in all)
            await store.UpkeepAsync(upkeep, cancellation);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await PruneAsync(store, options, stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                logger.UpkeepFailed(e);
            }
        }
    }
}
