using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Leases;

/// <summary>
/// The query runs of this node, so that they can be stopped: by their own person, or because the feed says that their grant or
/// session ended. Open runs of all nodes are rows; this is only what this process can cancel.
/// </summary>
internal sealed class OpenRuns(PosternStore store) : BackgroundService, IChangeListener
{
    private readonly ConcurrentDictionary<QueryRunId, QueryRun> runs = new();
    private readonly Channel<ChangeRow?> heard = Channel.CreateBounded<ChangeRow?>(
        new BoundedChannelOptions(4096) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private int missed;

    public int Count => runs.Count;

    public void Add(QueryRun run) => runs[run.Id] = run;

    public void Remove(QueryRun run) => runs.TryRemove(run.Id, out _);

    /// <summary>Stops a run of this person; false when there is none such on this node.</summary>
    public bool TryStop(SubjectKey subject, QueryRunId id)
    {
        if (!runs.TryGetValue(id, out var run) || run.Run.Subject != subject)
            return false;
        run.Stop("cancelled");
        return true;
    }

    public void OnChanges(IReadOnlyList<ChangeRow> changes)
    {
        foreach (var change in changes)
        {
            if (change.Kind is ChangeKind.Grant or ChangeKind.Session && !heard.Writer.TryWrite(change))
                OnMissed();
        }
    }

    public void OnMissed()
    {
        Interlocked.Exchange(ref missed, 1);
        heard.Writer.TryWrite(null);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var change in heard.Reader.ReadAllAsync(stoppingToken))
        {
            try
            {
                if (Interlocked.Exchange(ref missed, 0) != 0)
                    await CheckAllAsync(stoppingToken);
                else if (change is not null)
                    await CheckAsync(change, stoppingToken);
            }
            catch (System.Data.Common.DbException)
            {
                // Unknown whether they stand: they stop. A query may be asked for again, rows shown after a revocation may not be taken back.
                foreach (var run in runs.Values)
                    run.Stop("unknown");
            }
        }
    }

    private async Task CheckAsync(ChangeRow change, CancellationToken cancellation)
    {
        if (change.Kind == ChangeKind.Session)
        {
            foreach (var run in runs.Values)
            {
                if (run.Run.Session.Hex == change.Key)
                    run.Stop("session-ended");
            }
            return;
        }
        foreach (var run in runs.Values)
        {
            if (run.Run.Grant.ToString() == change.Key)
                await CheckGrantAsync(run, cancellation);
        }
    }

    private async Task CheckAllAsync(CancellationToken cancellation)
    {
        foreach (var run in runs.Values)
            await CheckGrantAsync(run, cancellation);
    }

    private async Task CheckGrantAsync(QueryRun run, CancellationToken cancellation)
    {
        var grant = await store.Grants.FindAsync(run.Run.Subject.Tenant, run.Run.Grant, cancellation);
        if (grant is not { State: GrantState.Active })
            run.StopWithGrant(grant);
    }
}
