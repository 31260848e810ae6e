using System.Data.Common;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postern.Grants.Renewal;
using Postern.Model;

namespace Postern.Grants.Spooling;

/// <summary>
/// Brings pairs from the spool into the store: once before anything else of this node renews, so that a restart finds its own pairs
/// first, and then again and again while there are any.
/// </summary>
internal sealed partial class SpoolKeeper(
    PairSpool spool, FreshPairs pairs, IChance chance, TimeProvider time, GrantOptions options, ILogger<SpoolKeeper> log) : BackgroundService
{
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        spool.Prepare();
        await TurnAsync();
        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            await Task.Delay(options.WorkPeriod * (0.5 + chance.NextFraction()), time, stoppingToken);
            await TurnAsync();
        }
    }

    /// <summary>One turn: every pair that waits, until the store refuses one again.</summary>
    internal async Task TurnAsync()
    {
        try
        {
            foreach (var pair in spool.Read())
                await pairs.SettleAsync(pair);
        }
        catch (Exception broken) when (broken is DbException or IOException or UnauthorizedAccessException)
        {
            StillRefused(log, broken);
        }
    }

    [LoggerMessage(4405, LogLevel.Warning, "Pairs in the spool cannot be settled yet; they are tried again.")]
    private static partial void StillRefused(ILogger log, Exception broken);
}
