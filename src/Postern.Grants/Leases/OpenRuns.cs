using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Leases;

/// <summary>
/// The query runs of this node, so that they can be stopped: by their own person, or because the feed says that their grant or
/// session ended, or their connection was retired. Open runs of all nodes are rows; this is only what this process can cancel.
/// </summary>
internal sealed class OpenRuns(PosternStore store) : BackgroundService, IChangeListener
{
    private readonly ConcurrentDictionary<QueryRunId, QueryRun> runs = new();
    private readonly Channel<Suspicion> suspicions = Channel.CreateBounded<Suspicion>(new BoundedChannelOptions(4096) { SingleReader = true });
    private int missed;
    private long heard;

    public int Count => runs.Count;

    /// <summary>Grows with everything heard. Read before a run's intent is written, and given to <see cref="Add"/>.</summary>
    public long Heard => Interlocked.Read(ref heard);

    /// <summary>A run began. What was heard since its intent was written did not find it here, so it is looked at once more.</summary>
    public void Add(QueryRun run, long since)
    {
        runs[run.Id] = run;
        if (Interlocked.Read(ref heard) != since)
            Suspect(new(Change: null, run));
    }

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
            if (change.Kind is not (ChangeKind.Grant or ChangeKind.Session or ChangeKind.Definition))
                continue;
            Interlocked.Increment(ref heard);
            Suspect(new(change, Run: null));
        }
    }

    public void OnMissed()
    {
        Interlocked.Increment(ref heard);
        Interlocked.Exchange(ref missed, 1);
        // Full is as good: the reader comes past the flag with whatever it takes next.
        suspicions.Writer.TryWrite(default);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var suspicion in suspicions.Reader.ReadAllAsync(stoppingToken))
        {
            try
            {
                var suspects = Interlocked.Exchange(ref missed, 0) != 0 ? runs.Values : Suspects(suspicion);
                foreach (var run in suspects)
                    await CheckAsync(run, stoppingToken);
            }
            catch (Exception) when (!stoppingToken.IsCancellationRequested)
            {
                // Unknown whether they stand: they stop. A query may be asked for again, rows shown after a revocation may not be taken back.
                foreach (var run in runs.Values)
                    run.Stop("unknown");
            }
        }
    }

    private void Suspect(Suspicion suspicion)
    {
        if (!suspicions.Writer.TryWrite(suspicion))
            OnMissed();
    }

    private IEnumerable<QueryRun> Suspects(Suspicion suspicion) => suspicion switch
    {
        { Run: { } run } => [run],
        { Change: { Kind: ChangeKind.Session } session } => runs.Values.Where(run => run.Run.Session.Hex == session.Key),
        { Change: { Kind: ChangeKind.Definition } definition } => runs.Values.Where(run =>
            run.Run.Subject.Tenant == definition.Tenant && DefinitionRow.FeedKey(DefinitionKind.Connection, run.Run.Connection.Value) == definition.Key),
        { Change: { } grant } => runs.Values.Where(run => run.Run.Grant.ToString() == grant.Key),
        _ => [],
    };

    private async Task CheckAsync(QueryRun run, CancellationToken cancellation)
    {
        var tenant = run.Run.Subject.Tenant;
        if (await store.Sessions.FindAsync(tenant, run.Run.Session, cancellation) is not { EndedAt: null })
        {
            run.Stop("session-ended");
            return;
        }
        if (await store.Definitions.CurrentAsync(tenant, DefinitionKind.Connection, run.Run.Connection.Value, cancellation) is { IsRetired: true })
        {
            run.Stop("retired");
            return;
        }
        var grant = await store.Grants.FindAsync(tenant, run.Run.Grant, cancellation);
        if (grant is not { State: GrantState.Active })
            run.StopWithGrant(grant);
    }

    /// <summary>Why runs are looked at: something changed, or one run may have missed a change. Neither: something was missed.</summary>
    private readonly record struct Suspicion(ChangeRow? Change, QueryRun? Run);
}
