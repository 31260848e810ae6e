using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Postern.Store;

/// <summary>Runs the sequencer in turns, woken by this node's commits. On every node; the lease decides which one works.</summary>
internal sealed class SequencerService(Sequencer sequencer, CommitSignals signals, StoreOptions options, TimeProvider time, ILogger logger)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await using var timer = time.CreateTimer(_ => signals.Sequencer.Set(), null, options.FeedPeriod, options.FeedPeriod);
        var failing = false;
        while (true)
        {
            await signals.Sequencer.WaitAsync(stoppingToken);
            try
            {
                await sequencer.RunAsync(stoppingToken);
                failing = false;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                if (!failing)
                    logger.SequencingFailed(e);
                failing = true;
            }
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        try
        {
            await sequencer.RunAsync(cancellationToken);
            await sequencer.ReleaseAsync(cancellationToken);
        }
        catch (Exception e)
        {
            // The next holder waits for the lease to end, and orders what is left.
            logger.SequencingFailed(e);
        }
    }
}
