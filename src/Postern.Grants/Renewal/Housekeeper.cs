using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postern.Grants.Definitions;
using Postern.Grants.Leases;
using Postern.Grants.Pacing;
using Postern.Grants.Revocation;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Renewal;

/// <summary>
/// Says that this node lives, gives up connects that nobody confirmed, and closes the query runs of dead nodes. Apart from the
/// renewals, because a node whose authorization servers are slow is not dead.
/// </summary>
internal sealed partial class Housekeeper(
    PosternStore store, Revoker revoker, IssuerGates gates, DefinitionBook definitions, NodeIdentity node, IChance chance, TimeProvider time, GrantOptions options, ILogger<Housekeeper> log)
    : BackgroundService
{
    private const int Batch = 256;

    /// <summary>The log that events of the deployment itself belong to.</summary>
    internal static TenantId SystemTenant { get; } = TenantId.Parse("postern");

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await store.CommitAsync(
            NodeChanges.Join(node.Name, node.Boot),
            new AuditEvent(EventKind.NodeStarted, SystemTenant) { Actor = node.Name }, null, cancellationToken);
        // Before anything is sent.
        await CountNodesAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await store.CommitAsync(
            [NodeChanges.Leave(node.Name, node.Boot)],
            new AuditEvent(EventKind.NodeStopped, SystemTenant) { Actor = node.Name }, null, CancellationToken.None);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                await TurnAsync(stoppingToken);
            }
            catch (Exception broken) when (!stoppingToken.IsCancellationRequested)
            {
                TurnFailed(log, broken);
            }
            await Task.Delay(options.WorkPeriod * (0.5 + chance.NextFraction()), time, stoppingToken);
        }
    }

    /// <summary>One turn of everything.</summary>
    internal async Task TurnAsync(CancellationToken cancellation)
    {
        await store.UpkeepAsync(NodeChanges.Heartbeat(node.Name, node.Boot), cancellation);
        await CountNodesAsync(cancellation);
        await GiveUpAsync(cancellation);
        await EndSessionsAsync(cancellation);
        await RevokeUnusedAsync(cancellation);
        await CloseLostRunsAsync(cancellation);
    }

    /// <summary>The nodes that live share the cap of each authorization server.</summary>
    private async Task CountNodesAsync(CancellationToken cancellation)
    {
        var silent = await store.Clock.NowAsync(cancellation) - options.NodeSilence;
        gates.LiveNodes = (await store.Nodes.ListAsync(cancellation)).Count(other => other.HeartbeatAt >= silent);
    }

    private async Task GiveUpAsync(CancellationToken cancellation)
    {
        foreach (var row in await store.Grants.UnconfirmedPastDeadlineAsync(Batch, cancellation))
        {
            var tenant = row.Subject.Tenant;
            await store.CommitAsync(
                [RevocationChanges.EnqueueFromGrant(chance.NewId(), tenant, row.Id), GrantChanges.Abandon(tenant, row.Id)],
                GrantFacts.Event(EventKind.GrantAbandoned, row, "not-confirmed"), null, cancellation);
            revoker.Wake();
        }
    }

    /// <summary>Grants whose provider ends them by the clock: said when it happens, not at the next query.</summary>
    private async Task EndSessionsAsync(CancellationToken cancellation)
    {
        foreach (var row in await store.Grants.PastAbsoluteEndAsync(Batch, cancellation))
        {
            await store.CommitAsync(
                [GrantChanges.EndToReconnect(row.Subject.Tenant, row.Id, row.Generation, ReconnectReason.Expired)],
                GrantFacts.Event(EventKind.GrantEnded, row, "absolute-end"), null, cancellation);
        }
    }

    /// <summary>Where a connection says so: what nobody uses any more is a risk and no use. Never a service connection's grant.</summary>
    private async Task RevokeUnusedAsync(CancellationToken cancellation)
    {
        foreach (var connection in await definitions.ConnectionsAsync(cancellation))
        {
            if (connection.Lifetimes.RevokeUnusedAfter is not { } unusedFor || connection.Identity == IdentityMode.Service)
                continue;
            foreach (var row in await store.Grants.UnusedAsync(connection.Tenant, connection.Id, unusedFor, Batch, cancellation))
                await revoker.RevokeAsync(row, "unused", actor: node.Name, cancellation);
        }
    }

    private async Task CloseLostRunsAsync(CancellationToken cancellation)
    {
        foreach (var lost in await store.QueryRuns.OpenOfDeadNodesAsync(options.NodeSilence, Batch, cancellation))
        {
            await store.CommitAsync(
                [QueryRunChanges.Finish(lost.Run.Subject.Tenant, lost.Run.Id, "lost")],
                new AuditEvent(EventKind.QueryLost, lost.Run.Subject.Tenant)
                {
                    Subject = lost.Run.Subject,
                    Connection = lost.Run.Connection,
                    Grant = lost.Run.Grant,
                    Generation = lost.Run.Generation,
                    Query = lost.Run.Id,
                    Actor = node.Name,
                }.With("node", lost.Run.Node),
                null, cancellation);
        }
    }

    [LoggerMessage(4104, LogLevel.Warning, "A turn of the housekeeping failed; it goes on at the next turn.")]
    private static partial void TurnFailed(ILogger log, Exception broken);
}
