using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postern.Grants.Leases;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Renewal;

/// <summary>
/// Renews grants in use before they end, on any node: every node looks, the claim decides. Also says of every lost sending what is
/// known, gives up connects that nobody confirmed, and closes the query runs of dead nodes.
/// </summary>
internal sealed partial class BackgroundRenewer(
    PosternStore store, Renewer renewer, Revocation.Revoker revoker, NodeIdentity node, IChance chance, TimeProvider time, GrantOptions options,
    ILogger<BackgroundRenewer> log) : BackgroundService
{
    private const int Batch = 256;
    // Per connection this is narrower (Lifetimes.KeepFreshAfterUse); the list only has to contain them all.
    private static readonly TimeSpan UsedWithin = TimeSpan.FromHours(1);
    private static readonly TimeSpan PruneEvery = TimeSpan.FromMinutes(10);

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await store.CommitAsync(
            NodeChanges.Join(node.Name, node.Boot),
            new AuditEvent(EventKind.NodeStarted, SystemTenant) { Actor = node.Name }, null, cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await store.CommitAsync(
            [NodeChanges.Leave(node.Name, node.Boot)],
            new AuditEvent(EventKind.NodeStopped, SystemTenant) { Actor = node.Name }, null, CancellationToken.None);
    }

    /// <summary>The log that events of the deployment itself belong to.</summary>
    internal static TenantId SystemTenant { get; } = TenantId.Parse("postern");

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pruned = time.GetTimestamp();
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await store.UpkeepAsync(NodeChanges.Heartbeat(node.Name, node.Boot), stoppingToken);
                await RenewAsync(stoppingToken);
                await GiveUpAsync(stoppingToken);
                await CloseLostRunsAsync(stoppingToken);
                if (time.GetElapsedTime(pruned) > PruneEvery)
                {
                    await PruneAsync(stoppingToken);
                    pruned = time.GetTimestamp();
                }
                await Task.Delay(options.WorkPeriod * (0.5 + chance.NextFraction()), time, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception broken)
            {
                TurnFailed(log, broken);
                await Task.Delay(options.WorkPeriod, time, stoppingToken);
            }
        }
    }

    private async Task RenewAsync(CancellationToken cancellation)
    {
        var due = await store.Grants.DueForRenewalAsync(UsedWithin, Batch, cancellation);
        var lost = await store.Grants.ExpiredSendingAsync(Batch, cancellation);
        var ended = await store.Grants.EndedUncertainAsync(Batch, cancellation);
        await Parallel.ForEachAsync(
            due.Select(row => (row, RenewalNeed.InTime)).Concat(lost.Select(row => (row, RenewalNeed.InTime))).Concat(ended.Select(row => (row, RenewalNeed.ToUse))),
            new ParallelOptions { MaxDegreeOfParallelism = options.BackgroundRenewals, CancellationToken = cancellation },
            async (work, token) => await renewer.EnsureAsync(work.row.Subject.Tenant, work.row.Id, work.Item2, token));
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

    private async Task PruneAsync(CancellationToken cancellation)
    {
        foreach (var prune in new[] { ConnectChanges.Prune(), SessionChanges.Prune(), SignInChanges.Prune(), EmbedCodeChanges.Prune() })
            await store.UpkeepAsync(prune, cancellation);
    }

    [LoggerMessage(4102, LogLevel.Warning, "A turn of the background renewal failed; it goes on at the next turn.")]
    private static partial void TurnFailed(ILogger log, Exception broken);
}
