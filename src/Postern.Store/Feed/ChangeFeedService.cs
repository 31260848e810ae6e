using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Postern.Store;

/// <summary>Reads the feed in turns, woken by this node's commits, and subscribes the listeners that are registered.</summary>
internal sealed class ChangeFeedService(
    ChangeFeed feed, CommitSignals signals, StoreOptions options, TimeProvider time, IEnumerable<IChangeListener> listeners, ILogger logger)
    : BackgroundService
{
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
}
