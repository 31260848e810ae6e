using Postern.Grants.Connects;
using Postern.Grants.Definitions;
using Postern.Grants.Leases;
using Postern.Grants.Metrics;
using Postern.Grants.Pacing;
using Postern.Grants.Renewal;
using Postern.Grants.Revocation;
using Postern.Grants.Sessions;
using Postern.Grants.Spooling;
using Postern.Model;
using Postern.Policy;
using Postern.Store;

namespace Postern.Grants;

/// <summary>
/// The token lifecycle, all of it, as the gateway sees it. Nothing here hands out a token: a query gets a lease, a started run gets
/// a bearer that writes its own header.
/// </summary>
public sealed class GrantDesk
{
    private const int RevokedAtOnce = 500;
    private readonly PosternStore store;
    private readonly Renewer renewer;
    private readonly Revoker revoker;
    private readonly ServiceGrants service;
    private readonly LeaseCache cache;
    private readonly OpenRuns runs;
    private readonly RunFactory factory;
    private readonly SteadyClock clock;
    private readonly IChance chance;
    private readonly NodeIdentity node;
    private readonly FeedWatch feed;
    private readonly IssuerGates gates;
    private readonly PairSpool spool;
    private readonly GrantMetrics metrics;
    private readonly TimeProvider time;
    private readonly CoarseTime coarse;
    private readonly GrantOptions options;

    internal GrantDesk(
        PosternStore store, Renewer renewer, Revoker revoker, ServiceGrants service, LeaseCache cache, OpenRuns runs, RunFactory factory, SteadyClock clock,
        IChance chance, NodeIdentity node, FeedWatch feed, SessionBook sessions, SignInDesk signIns, ConnectDesk connects, DefinitionBook definitions,
        IssuerGates gates, PairSpool spool, GrantMetrics metrics, TimeProvider time, GrantOptions options)
    {
        this.store = store;
        this.renewer = renewer;
        this.revoker = revoker;
        this.service = service;
        this.cache = cache;
        this.runs = runs;
        this.factory = factory;
        this.clock = clock;
        this.chance = chance;
        this.node = node;
        this.feed = feed;
        this.gates = gates;
        this.spool = spool;
        this.metrics = metrics;
        this.time = time;
        coarse = new CoarseTime(time);
        this.options = options;
        Sessions = sessions;
        SignIns = signIns;
        Connects = connects;
        Definitions = definitions;
    }

    /// <summary>Sessions and embed codes.</summary>
    public SessionBook Sessions { get; }

    /// <summary>Sign-ins to the portal.</summary>
    public SignInDesk SignIns { get; }

    /// <summary>Connects under way.</summary>
    public ConnectDesk Connects { get; }

    /// <summary>What is degraded on this node.</summary>
    public GrantHealth Health => new(gates.Standings.Count(gate => gate.Circuit != CircuitState.Closed), spool.Count);

    /// <summary>Tenants, connections and what else is defined.</summary>
    public DefinitionBook Definitions { get; }

    /// <summary>
    /// The right to use a token for one query: from the cache while it serves, else from the database, renewed when needed. Refused
    /// with "reconnect" when there is no grant that stands.
    /// </summary>
    public ValueTask<Outcome<TokenLease>> LeaseAsync(PermittedQuery permitted, CancellationToken cancellation) =>
        TryLease(permitted, out var lease) ? new(lease) : new(LeaseSlowlyAsync(permitted, cancellation));

    /// <summary>From what this node knows: the feed is heard, the clock's sample is young, and the access token serves.</summary>
    private bool TryLease(PermittedQuery permitted, out TokenLease lease)
    {
        var at = coarse.Timestamp;
        if (feed.IsFreshAt(at) && clock.TryNow(at, out var now)
            && cache.TryGet(permitted.GrantOwner, permitted.Connection.Id, out var known) && known.Serves(now))
        {
            lease = new(permitted, known.Row);
            return true;
        }
        lease = default;
        return false;
    }

    private async Task<Outcome<TokenLease>> LeaseSlowlyAsync(PermittedQuery permitted, CancellationToken cancellation)
    {
        await clock.NowAsync(cancellation);
        return TryLease(permitted, out var lease) ? lease : await LeaseAnewAsync(permitted, cancellation);
    }

    /// <summary>From the database, whatever this node knows.</summary>
    private async Task<Outcome<TokenLease>> LeaseAnewAsync(PermittedQuery permitted, CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        try
        {
            return await LeaseFromStoreAsync(permitted, cancellation);
        }
        finally
        {
            metrics.Waited(time.GetElapsedTime(began));
        }
    }

    private async Task<Outcome<TokenLease>> LeaseFromStoreAsync(PermittedQuery permitted, CancellationToken cancellation)
    {
        var connection = permitted.Connection;
        var mark = cache.Mark;
        var row = await store.Grants.FindLatestAsync(permitted.GrantOwner, connection.Id, cancellation);
        if (row is not { State: GrantState.Active } && connection.Identity == IdentityMode.Service)
        {
            if (row is { State: GrantState.Revoked })
                return ServiceRevoked(connection);
            var acquired = await service.AcquireAsync(connection, cancellation);
            if (!acquired.TryGet(out row, out var why))
                return why;
        }
        if (row is not { State: GrantState.Active })
            return GrantFacts.Reconnect(row, connection);

        var ensured = await renewer.EnsureAsync(row.Subject.Tenant, row.Id, RenewalNeed.ToUse, cancellation);
        if (!ensured.TryGet(out var ready, out var refusal))
            return refusal;
        // After the renewal, which may have come with fewer scopes.
        if (options.Profiles(connection.Authorization)?.AllowsQueries(ready.Scopes.Split(' ')) == false)
            return GrantFacts.Reconnect(ready with { State = GrantState.Reconnect, Reason = ReconnectReason.Scope }, connection);
        cache.Keep(new(ready, RenewalProtocol.ServesUntil(GrantFacts.Of(ready, connection))), mark);
        return new TokenLease(permitted, ready);
    }

    /// <summary>
    /// Writes the query run and its intent event in one transaction, only if session, grant, connection and policies still stand as they
    /// were judged; the answer is the only thing that opens the token. No row, no token.
    /// </summary>
    /// <param name="lease">The lease; when its generation was renewed meanwhile, the newer one is taken.</param>
    /// <param name="session">The session that asks.</param>
    /// <param name="sqlHash">SHA-256 of the SQL text, in hex.</param>
    /// <param name="caller">Ends the run when the caller hangs up.</param>
    public async Task<Outcome<QueryRun>> StartAsync(TokenLease lease, Session session, ReadOnlyMemory<byte> sqlHash, CancellationToken caller)
    {
        for (var tries = 0; tries < 2; tries++)
        {
            var permitted = lease.Permitted;
            var hash = SecretHash.FromBytes(sqlHash.Span);
            var run = new NewQueryRun(
                new QueryRunId(chance.NewId()), permitted.Subject.Key, session.Id, permitted.Connection.Id, lease.Grant, lease.Generation,
                hash, permitted.Connection.Revision, node.Name, node.Boot)
            {
                GrantMac = lease.Row.Mac,
                PolicyRevisions = permitted.PolicyRevisions,
                Workbook = permitted.Workbook,
                Query = permitted.Query,
            };
            var intent = new AuditEvent(EventKind.QueryStarted, permitted.Subject.Key.Tenant)
            {
                Subject = permitted.Subject.Key,
                Connection = permitted.Connection.Id,
                Grant = lease.Grant,
                Generation = lease.Generation,
                Principal = lease.Principal,
                Query = run.Id,
            }.With("workbook", permitted.Workbook?.Value).With("query", permitted.Query).With("sql", hash.Hex)
             .With("policy", permitted.PolicyRevision).With("connectionRevision", permitted.Connection.Revision);

            var heard = runs.Heard;
            var result = await store.CommitAsync([QueryRunChanges.Start(run), GrantChanges.TouchUsed(run.Subject.Tenant, run.Grant)], intent, null, caller);
            if (result.Committed)
                return factory.Make(run, lease.Row, permitted.Connection, heard, caller);

            // Something that the decision rested on changed. What was judged cannot be judged here again; a lease can be taken anew.
            cache.Drop(lease.Grant);
            if (await WhyNotAsync(permitted, session, caller) is { } over)
                return over;
            // Not from the cache, into which others may put what they read before that, for as long as it takes them to hear of the change.
            var again = await LeaseAnewAsync(permitted, caller);
            if (!again.TryGet(out var newer, out var why))
                return why;
            lease = newer;
        }
        return new Refusal(RefusalKind.Conflict, "Your connection was renewed or replaced while the query was starting. Try again.")
        { Code = "grant-changed", Connection = lease.Permitted.Connection.Id, RetryAfter = TimeSpan.FromSeconds(1) };
    }

    /// <summary>Why an intent was refused, when a newer lease does not help; null when one may. Asks the database, as the intent did.</summary>
    private async Task<Refusal?> WhyNotAsync(PermittedQuery permitted, Session session, CancellationToken cancellation)
    {
        var (tenant, connection) = (permitted.Subject.Key.Tenant, permitted.Connection);
        if (await store.Sessions.FindAsync(tenant, session.Id, cancellation) is not { } row || !row.IsLive(await clock.NowAsync(cancellation)))
            return new Refusal(RefusalKind.Unauthenticated, "Your session ended while the query was starting. Reload the page.") { Code = "session-ended" };
        var current = await store.Definitions.CurrentAsync(tenant, DefinitionKind.Connection, connection.Id.Value, cancellation);
        if (current?.Revision != connection.Revision)
            return Changed("connection-changed", "The settings of this connection changed while the query was starting. Try again.");
        if (permitted.PolicyRevisions > 0
            && (await store.Definitions.CurrentAsync(tenant, DefinitionKind.Policy, cancellation)).Where(policy => !policy.IsRetired).Sum(policy => policy.Revision) != permitted.PolicyRevisions)
        {
            return Changed("policy-changed", "The row policies changed while the query was starting. Try again.");
        }
        return null;

        Refusal Changed(string code, string detail) =>
            new(RefusalKind.Conflict, detail) { Code = code, Connection = connection.Id, RetryAfter = TimeSpan.FromSeconds(1) };
    }

    /// <summary>Records that a query was refused before it started.</summary>
    public Task RefusedAsync(Subject subject, ConnectionId? connection, string what, Refusal refusal, CancellationToken cancellation) => store.RecordAsync(
        new AuditEvent(EventKind.QueryRefused, subject.Key.Tenant) { Subject = subject.Key, Connection = connection, Code = refusal.Code }.With("query", what), cancellation);

    /// <summary>Cancels a run of this person on this node; false when there is none such.</summary>
    public bool TryCancel(Subject subject, QueryRunId id) => runs.TryStop(subject.Key, id);

    /// <summary>What a person granted, latest first; revoked grants too.</summary>
    public async Task<IReadOnlyList<GrantSummary>> ListAsync(SubjectKey subject, CancellationToken cancellation)
    {
        var summaries = new List<GrantSummary>();
        foreach (var row in await store.Grants.ListOfAsync(subject, withRevoked: true, cancellation))
            summaries.Add(await SummariseAsync(row, cancellation));
        return summaries;
    }

    /// <summary>Where a person stands on a connection: their active grant, else the latest one, else null.</summary>
    public async Task<GrantSummary?> StandingAsync(SubjectKey subject, ConnectionId connection, CancellationToken cancellation) =>
        await store.Grants.FindLatestAsync(subject, connection, cancellation) is { } row ? await SummariseAsync(row, cancellation) : null;

    /// <summary>Revokes a grant of this person. Somebody else's is "not found", whoever asks.</summary>
    public async Task<Outcome<GrantSummary>> RevokeAsync(SubjectKey subject, GrantId id, CancellationToken cancellation)
    {
        var row = await store.Grants.FindAsync(subject.Tenant, id, cancellation);
        if (row is null || row.Subject != subject)
            return new Refusal(RefusalKind.NotFound, "There is no such permission.") { Code = "grant-unknown" };
        await revoker.RevokeAsync(row, "by-person", actor: null, cancellation);
        var after = await store.Grants.FindAsync(subject.Tenant, id, cancellation);
        return await SummariseAsync(after ?? row, cancellation);
    }

    /// <summary>Revokes any grant of a tenant, as an administrator or operator; false when there is none such or it was revoked already.</summary>
    public async Task<bool> RevokeAsOperatorAsync(TenantId tenant, GrantId id, string actor, CancellationToken cancellation) =>
        await store.Grants.FindAsync(tenant, id, cancellation) is { } row && await revoker.RevokeAsync(row, "by-operator", actor, cancellation);

    /// <summary>Revokes every grant of a tenant that the filter names, whatever its state, and says how many; the providers are told by running nodes, within their caps.</summary>
    /// <param name="filter">Connection and subject; its state, limit and offset are not looked at.</param>
    public async Task<int> RevokeAllAsOperatorAsync(TenantId tenant, GrantFilter filter, string actor, CancellationToken cancellation)
    {
        var revoked = 0;
        foreach (var state in new[] { GrantState.Active, GrantState.Unconfirmed, GrantState.Reconnect })
        {
            // What was revoked is in this state no more, so each page is the first; one of which nothing was revoked is the last.
            for (var before = -1; before < revoked;)
            {
                before = revoked;
                var page = await store.Grants.ListAsync(tenant, filter with { State = state, Limit = RevokedAtOnce, Offset = 0 }, cancellation);
                await Parallel.ForEachAsync(page, cancellation, async (row, token) =>
                {
                    if (await revoker.RevokeAsync(row, "by-operator", actor, token))
                        Interlocked.Increment(ref revoked);
                });
            }
        }
        return revoked;
    }

    /// <summary>Signs a person out. At the portal, where a connection says so, their grant on it is revoked first, so that nothing is left undone when the session is gone.</summary>
    public async Task SignOutAsync(Session session, CancellationToken cancellation)
    {
        foreach (var row in session.Kind == SessionKind.Portal ? await store.Grants.ListOfAsync(session.Subject.Key, withRevoked: false, cancellation) : [])
        {
            if (row.State == GrantState.Active
                && (await Definitions.ConnectionAsync(row.Subject.Tenant, row.Connection, cancellation)).TryGet(out var connection, out _) && connection.RevokeAtSignOut)
                await revoker.RevokeAsync(row, "sign-out", actor: null, cancellation);
        }
        await Sessions.EndAsync(session, cancellation);
    }

    /// <summary>
    /// Lets a service connection make a new grant after its grant was revoked; the revocation stands until somebody asks for this. False
    /// when there is no such grant, it is a person's, or it is not revoked.
    /// </summary>
    public async Task<bool> LiftRevocationAsync(TenantId tenant, GrantId id, string actor, CancellationToken cancellation) =>
        await store.Grants.FindAsync(tenant, id, cancellation) is { } row
        && (await store.CommitAsync(
            [GrantChanges.LiftRevocation(tenant, id)], GrantFacts.Event(EventKind.RevocationLifted, row) with { Actor = actor }, null, cancellation)).Committed;

    private static Refusal ServiceRevoked(Connection connection) => new(
        RefusalKind.Forbidden, $"The service account's access to {connection.DisplayName} was revoked by an administrator, and stays so until an administrator lifts that.")
    {
        Code = "service-revoked",
        Connection = connection.Id,
    };

    private async Task<GrantSummary> SummariseAsync(GrantRow row, CancellationToken cancellation)
    {
        var found = await Definitions.ConnectionAsync(row.Subject.Tenant, row.Connection, cancellation);
        var revocations = row.State == GrantState.Revoked ? await store.Revocations.ListOfAsync(row.Subject.Tenant, row.Id, cancellation) : [];
        return new(row, found.TryGet(out var connection, out _) ? connection : null, revocations);
    }
}
