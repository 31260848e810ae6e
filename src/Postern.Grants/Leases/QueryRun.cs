using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using Postern.Grants.Renewal;
using Postern.Model;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Leases;

/// <summary>
/// A query run whose intent is written: the only thing that opens a token. A driver asks it for a bearer as often as it needs one,
/// so a token that dies between two chunks is replaced without anybody noticing. Dispose it when the rows are delivered.
/// </summary>
public sealed class QueryRun : IBearerSource, IAsyncDisposable
{
    private readonly PosternStore store;
    private readonly TokenVault vault;
    private readonly Renewer renewer;
    private readonly OpenRuns runs;
    private readonly SteadyClock clock;
    private readonly Connection connection;
    private readonly CancellationTokenSource stop;
    [SuppressMessage("Usage", "CA2213", Justification = "Without a wait handle it holds nothing, and disposed it would never let a late waiter go.")]
    private readonly SemaphoreSlim opening = new(1, 1);
    private readonly List<Bearer> opened = [];
    private GrantRow row;
    private DateTimeOffset? used;
    private int finished;
    private bool disposed;

    internal QueryRun(
        NewQueryRun run, GrantRow row, Connection connection, PosternStore store, TokenVault vault, Renewer renewer, OpenRuns runs, SteadyClock clock,
        CancellationToken caller)
    {
        Run = run;
        this.row = row;
        this.connection = connection;
        this.store = store;
        this.vault = vault;
        this.renewer = renewer;
        this.runs = runs;
        this.clock = clock;
        stop = CancellationTokenSource.CreateLinkedTokenSource(caller);
    }

    /// <summary>Its id, as clients and the platform's query tags know it.</summary>
    public QueryRunId Id => Run.Id;

    /// <summary>Cancelled when the caller hangs up, the query is cancelled, or the grant or session behind it ends.</summary>
    public CancellationToken Stopped => stop.Token;

    /// <summary>Why it was stopped, or null: <c>cancelled</c>, <c>revoked</c>, <c>reconnect</c>, <c>session-ended</c>, <c>retired</c>.</summary>
    public string? StopReason { get; private set; }

    /// <summary>What the viewer is told when the grant ended under the run, however it ended; null otherwise.</summary>
    public Refusal? GrantEnded { get; private set; }

    internal NewQueryRun Run { get; }

    /// <inheritdoc/>
    public ValueTask<Outcome<IBearer>> CurrentAsync(CancellationToken cancellation) => BearerAsync(RenewalNeed.ToUse, cancellation);

    /// <inheritdoc/>
    public ValueTask<Outcome<IBearer>> AfterRefusalAsync(int refusedGeneration, CancellationToken cancellation) =>
        BearerAsync(RenewalNeed.After(refusedGeneration), cancellation);

    /// <summary>Writes how the run ended, with its event. The first call counts.</summary>
    /// <param name="kind"><see cref="EventKind.QueryFinished"/>, <see cref="EventKind.QueryFailed"/> or <see cref="EventKind.QueryCancelled"/>.</param>
    /// <param name="code">A short stable word for failures.</param>
    public async Task FinishAsync(EventKind kind, string? code, long rows, long bytes, TimeSpan took, string? statementId)
    {
        if (Interlocked.Exchange(ref finished, 1) != 0)
            return;
        var outcome = kind switch { EventKind.QueryFinished => "finished", EventKind.QueryCancelled => "cancelled", _ => "failed" };
        var ended = Event(kind) with { Code = code };
        // Not the caller's cancellation: how a query ended is written even when nobody waits any more.
        await store.CommitAsync(
            [QueryRunChanges.Finish(Run.Subject.Tenant, Id, outcome, rows, bytes, statementId)],
            ended.With("rows", rows).With("bytes", bytes).With("milliseconds", (long)took.TotalMilliseconds).With("statement", statementId));
    }

    /// <summary>Stops the run: its statement is cancelled at the platform and its rows end.</summary>
    internal void Stop(string reason)
    {
        StopReason ??= reason;
        try
        {
            // Not here: whatever the drivers hang on the token must not hold up the one who stops many runs.
            _ = stop.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // It ended in this very moment.
        }
    }

    /// <summary>Stops the run because its grant does not stand any more: revoked, or ended by its own renewal.</summary>
    internal void StopWithGrant(GrantRow? grant)
    {
        GrantEnded ??= GrantFacts.Reconnect(grant, connection);
        Stop(grant is { State: GrantState.Reconnect } ? "reconnect" : "revoked");
    }

    internal AuditEvent Event(EventKind kind) => new(kind, Run.Subject.Tenant)
    {
        Subject = Run.Subject,
        Connection = Run.Connection,
        Grant = Run.Grant,
        Generation = row.Generation,
        Principal = row.Principal,
        Query = Run.Id,
    };

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        runs.Remove(this);
        try
        {
            await FinishAsync(EventKind.QueryFailed, "abandoned", 0, 0, TimeSpan.Zero, null);
        }
        finally
        {
            // Whoever opens a token at this moment is waited for, so that it is wiped with the others.
            await opening.WaitAsync(CancellationToken.None);
            disposed = true;
            foreach (var bearer in opened)
                bearer.Dispose();
            opened.Clear();
            stop.Dispose();
            opening.Release();
        }
    }

    private async ValueTask<Outcome<IBearer>> BearerAsync(RenewalNeed need, CancellationToken cancellation)
    {
        await opening.WaitAsync(cancellation);
        try
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            var now = await clock.NowAsync(cancellation);
            await NoteUseAsync(now, cancellation);
            if (!RenewalProtocol.Serves(GrantFacts.Of(row, connection), need, now))
            {
                var renewed = await renewer.EnsureAsync(Run.Subject.Tenant, Run.Grant, need, cancellation);
                if (!renewed.TryGet(out var current, out var why))
                    return why;
                row = current;
            }
            return opened.Count > 0 && opened[^1].Generation == row.Generation ? opened[^1] : await OpenAsync(cancellation);
        }
        finally
        {
            opening.Release();
        }
    }

    /// <summary>A statement that runs for hours is a use all the time: without this the background would give its grant up after one.</summary>
    private async ValueTask NoteUseAsync(DateTimeOffset now, CancellationToken cancellation)
    {
        used ??= now;
        if (now - used < connection.Lifetimes.KeepFreshAfterUse / 4)
            return;
        used = now;
        try
        {
            await store.UpkeepAsync(GrantChanges.TouchUsed(Run.Subject.Tenant, Run.Grant), cancellation);
        }
        catch (DbException)
        {
            // A store that takes no writes now does not stop a statement whose token serves.
        }
    }

    private async ValueTask<Outcome<IBearer>> OpenAsync(CancellationToken cancellation)
    {
        var access = await vault.OpenAsync(
            RecordContexts.AccessToken(row.Id, row.Subject, row.Connection, row.Generation, ConnectionDigest.Of(connection)),
            row.AccessSealed, cancellation);
        if (access.TryGet(out var token, out var why))
        {
            var bearer = new Bearer(token, row.Generation, connection.Endpoint);
            opened.Add(bearer);
            return bearer;
        }
        if (why.IsKeyUnavailable())
            return KeysUnavailable.Of(why);
        await store.CommitAsync(
            [GrantChanges.EndToReconnect(row.Subject.Tenant, row.Id, row.Generation, ReconnectReason.Changed)],
            GrantFacts.Event(EventKind.RecordRefused, row, why.Code), null, cancellation);
        return GrantFacts.Reconnect(row with { State = GrantState.Reconnect, Reason = ReconnectReason.Changed }, connection);
    }
}
