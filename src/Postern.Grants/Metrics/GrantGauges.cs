using System.Diagnostics.Metrics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postern.Grants.Pacing;
using Postern.Grants.Renewal;
using Postern.Grants.Spooling;
using Postern.Store;

namespace Postern.Grants.Metrics;

/// <summary>What can be asked at any moment: queues, circuits, and two counts that the store is asked for once a minute.</summary>
internal sealed partial class GrantGauges(
    GrantMetrics metrics, PosternStore store, Renewer renewer, IssuerGates gates, PairSpool spool, TimeProvider time, ILogger<GrantGauges> log) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Near = TimeSpan.FromDays(1);
    private long nearEnd;
    private long pending;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        var meter = metrics.Meter;
        meter.CreateObservableGauge("postern.renewals.waiting", () => (long)renewer.Waiting, "{query}", "Queries that look for a token that serves, or wait for one.");
        meter.CreateObservableGauge("postern.issuer.queue", () => gates.Standings.Select(gate => Of(gate, gate.Waiting)), "{renewal}", "Renewals that wait for their place under the cap of an authorization server.");
        meter.CreateObservableGauge("postern.issuer.circuit", () => gates.Standings.Select(gate => Of(gate, (long)gate.Circuit)), "{state}", "Whether an authorization server gets requests: 0 yes, 1 none for now, 2 one at a time.");
        meter.CreateObservableGauge("postern.nodes", () => (long)gates.LiveNodes, "{node}", "Nodes that live, which share the caps.");
        meter.CreateObservableGauge("postern.spool.pairs", () => (long)spool.Count, "{pair}", "Renewed pairs that wait on this node for the store to take them.");
        meter.CreateObservableGauge("postern.grants.near_end", () => Volatile.Read(ref nearEnd), "{grant}", "Active grants whose absolute end is within a day.");
        meter.CreateObservableGauge("postern.revocations.pending", () => Volatile.Read(ref pending), "{revocation}", "Revocations that a provider was not told of yet.");
        return base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                await CountAsync(stoppingToken);
            }
            catch (Exception broken) when (!stoppingToken.IsCancellationRequested)
            {
                NotCounted(log, broken);
            }
            await Task.Delay(Period, time, stoppingToken);
        }
    }

    internal async Task CountAsync(CancellationToken cancellation)
    {
        Volatile.Write(ref nearEnd, await store.Grants.CountEndingAsync(Near, cancellation));
        Volatile.Write(ref pending, await store.Revocations.CountPendingAsync(cancellation));
    }

    private static Measurement<long> Of(GateStanding gate, long value) => new(value, new KeyValuePair<string, object?>("issuer", gate.Issuer));

    [LoggerMessage(4501, LogLevel.Warning, "The counts for the metrics could not be read; they keep their last values.")]
    private static partial void NotCounted(ILogger log, Exception broken);
}
