using Microsoft.Extensions.Logging;
using Postern.Model;

namespace Postern.Store;

/// <summary>
/// The database of a deployment. Reads go through the finders of each table; everything that means something is written by
/// <see cref="CommitAsync"/>, changes and events in one transaction.
/// </summary>
/// <remarks>
/// Expected answers are values (<see cref="CommitResult"/>, null). A <see cref="System.Data.Common.DbException"/> means that the
/// database is out of reach or broken; nothing of the commit stands then, unless the connection was lost while the database
/// committed or the disk failed to confirm it, which nobody can know: read again. What stands, stands whole.
/// </remarks>
public sealed class PosternStore : IAsyncDisposable
{
    private readonly IWriter writer;
    private readonly Committer committer;
    private readonly Migrator migrator;
    private readonly IReadOnlyList<IEventListener> listeners;
    private readonly CommitSignals signals;
    private readonly ILogger logger;

    internal PosternStore(
        Database database, IWriter writer, Committer committer, Migrator migrator, CommitSignals signals, IEnumerable<IEventListener> listeners,
        ILogger logger)
    {
        this.writer = writer;
        this.committer = committer;
        this.migrator = migrator;
        this.signals = signals;
        this.logger = logger;
        this.listeners = [.. listeners];
        Clock = database;
        Grants = new(database);
        Connects = new(database);
        Sessions = new(database);
        EmbedCodes = new(database);
        QueryRuns = new(database);
        Definitions = new(database);
        Revocations = new(database);
        Nodes = new(database);
        Keys = new(database);
        SealedRows = new(database);
    }

    /// <summary>The time that claims and expiry are decided by.</summary>
    public IStoreClock Clock { get; }

    /// <summary>Grants; written by <see cref="GrantChanges"/> and <see cref="RenewalChanges"/>.</summary>
    public GrantReads Grants { get; }

    /// <summary>Connects under way; written by <see cref="ConnectChanges"/>.</summary>
    public ConnectReads Connects { get; }

    /// <summary>Sessions and sign-ins; written by <see cref="SessionChanges"/> and <see cref="SignInChanges"/>.</summary>
    public SessionReads Sessions { get; }

    /// <summary>Embed codes; written by <see cref="EmbedCodeChanges"/>.</summary>
    public EmbedCodeReads EmbedCodes { get; }

    /// <summary>Query runs; written by <see cref="QueryRunChanges"/>.</summary>
    public QueryRunReads QueryRuns { get; }

    /// <summary>Definitions; written by <see cref="DefinitionChanges"/>.</summary>
    public DefinitionReads Definitions { get; }

    /// <summary>The outbox of provider revocations; written by <see cref="RevocationChanges"/>.</summary>
    public RevocationReads Revocations { get; }

    /// <summary>Nodes; written by <see cref="NodeChanges"/>.</summary>
    public NodeReads Nodes { get; }

    /// <summary>Wrapped tenant keys; written by <see cref="KeyChanges"/>.</summary>
    public KeyReads Keys { get; }

    /// <summary>Everything under a tenant's key, for rotation and inventories; moved by <see cref="ResealChanges"/>.</summary>
    public SealedRowReads SealedRows { get; }

    /// <summary>Brings the schema up to date. Any number of processes may call it at once; one works, the others wait.</summary>
    public Task MigrateAsync(CancellationToken cancellation) => migrator.MigrateAsync(cancellation);

    /// <summary>
    /// Commits all changes and events, or nothing. Refused, naming the first change that did not touch the rows it must; the caller
    /// reads again and decides again. Answered only when durable.
    /// </summary>
    /// <param name="changes">What changes, in order; may be empty only for events that stand alone (<see cref="RecordAsync"/>).</param>
    /// <param name="first">What happened.</param>
    /// <param name="more">What else happened.</param>
    /// <exception cref="OperationCanceledException">Cancelled before it began; nothing was written.</exception>
    public async Task<CommitResult> CommitAsync(
        IReadOnlyList<Change> changes, AuditEvent first, IReadOnlyList<AuditEvent>? more = null, CancellationToken cancellation = default)
    {
        AuditEvent[] events = [first, .. more ?? []];
        var result = await writer.RunAsync(scope => committer.WriteAsync(scope, changes, events), cancellation);
        if (!result.Committed)
            return result;

        signals.Committed(changes.Any(c => c.Notice is not null), hasEvents: true);
        foreach (var e in events)
        {
            foreach (var listener in listeners)
                Tell(listener, e);
        }
        return result;
    }

    // The commit stands whatever a listener does with the news; its caller must not be told otherwise.
    private void Tell(IEventListener listener, AuditEvent e)
    {
        try
        {
            listener.On(e);
        }
        catch (Exception broken)
        {
            logger.EventListenerThrew(e.Kind, broken);
        }
    }

    /// <summary>Records an event that changes nothing, such as a refusal.</summary>
    public async Task RecordAsync(AuditEvent recorded, CancellationToken cancellation = default) =>
        await CommitAsync([], recorded, null, cancellation);

    /// <summary>Writes upkeep, which needs no event. Refused as <see cref="CommitAsync"/> is.</summary>
    public async Task<CommitResult> UpkeepAsync(Upkeep upkeep, CancellationToken cancellation = default)
    {
        var result = await writer.RunAsync(scope => committer.WriteAsync(scope, [upkeep], []), cancellation);
        if (result.Committed)
            signals.Committed(upkeep.Notice is not null, hasEvents: false);
        return result;
    }

    /// <summary>
    /// Writes pieces of upkeep in one transaction, each for itself: one that does not find its row is passed over, and disturbs no other.
    /// Answers how many stand.
    /// </summary>
    /// <param name="upkeep">Updates of one row each, of different rows.</param>
    public async Task<int> UpkeepAsync(IReadOnlyList<Upkeep> upkeep, CancellationToken cancellation = default)
    {
        if (upkeep.Count == 0)
            return 0;
        var stand = await writer.RunAsync(scope => committer.WriteFittingAsync(scope, upkeep), cancellation);
        signals.Committed(upkeep.Any(piece => piece.Notice is not null), hasEvents: false);
        return stand;
    }

    /// <summary>
    /// Claims the renewal of a grant as it was read (<see cref="RenewalChanges.Claim"/>): the fence that every later step names, or
    /// null when another was first.
    /// </summary>
    public async Task<long?> ClaimRenewalAsync(
        GrantRow seen, string node, TimeSpan claimFor, AuditEvent claimed, CancellationToken cancellation = default)
    {
        // The claim is a compare-and-set on the fence, so the new one is known without reading it back.
        var result = await CommitAsync([RenewalChanges.Claim(seen, node, claimFor)], claimed, null, cancellation);
        return result.Committed ? seen.RenewalFence + 1 : null;
    }

    /// <summary>Waits until everything queued is written, then closes.</summary>
    public ValueTask DisposeAsync() => writer.DisposeAsync();
}
