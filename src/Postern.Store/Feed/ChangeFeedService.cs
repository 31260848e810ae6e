using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Postern.Store;

/// <summary>
/// Reads the feed in turns, woken by this node's commits and, where the database can tell, by those of other nodes; subscribes the
/// listeners that are registered.
/// </summary>
internal sealed class ChangeFeedService(
    ChangeFeed feed, SqlDialect dialect, CommitSignals signals, StoreOptions options, TimeProvider time, IEnumerable<IChangeListener> listeners, ILogger logger)
    : BackgroundService
{
    private static readonly TimeSpan RelistenAfter = TimeSpan.FromSeconds(5);

    /// <summary>The first read comes before the node serves anything.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var listener in listeners)
            feed.Subscribe(listener);
        await feed.ReadAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await using var timer = time.CreateTimer(_ => signals.Feed.Set(), null, options.FeedPeriod, options.FeedPeriod);
        await Task.WhenAll(ListenAsync(stoppingToken), ReadInTurnsAsync(stoppingToken));
    }

    private async Task ReadInTurnsAsync(CancellationToken stoppingToken)
    {
        var failing = false;
        while (true)
        {
            await signals.Feed.WaitAsync(stoppingToken);
            try
            {
                await feed.ReadAsync(stoppingToken);
                failing = false;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // Once an outage, not four times a second.
                if (!failing)
                    logger.FeedUnreadable(e);
                failing = true;
            }
        }
    }

    // Only a wake-up: the turns above go on while it fails, and what it missed they find.
    private async Task ListenAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await dialect.ListenAsync(signals.Feed.Set, stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                logger.WakeUpLost(e);
            }
            await Task.Delay(RelistenAfter, time, stoppingToken);
        }
    }
}
