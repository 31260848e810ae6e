using System.Collections.Immutable;
using Postern.Model;

namespace Postern.Policy;

/// <summary>A published query as the judge needs to know it.</summary>
/// <param name="Workbook">The workbook.</param>
/// <param name="Revision">The workbook's revision; bound queries must come from the same one.</param>
/// <param name="Query">The query's name within it.</param>
/// <param name="Connection">The connection it runs on.</param>
/// <param name="Identities">The identities its author accepts; there is no falling back to another.</param>
/// <param name="Policies">The policies its SQL was published with; never empty when <see cref="IdentityMode.Service"/> is accepted.</param>
/// <param name="OpenNames">The names its SQL mentions without a policy, in lower case; tables are among them.</param>
public sealed record WorkbookQuery(
    WorkbookId Workbook,
    long Revision,
    string Query,
    ConnectionId Connection,
    ImmutableArray<IdentityMode> Identities,
    ImmutableArray<PolicyStamp> Policies,
    ImmutableArray<string> OpenNames);

/// <summary>The ticket to run one query. Only <see cref="QueryPolicy"/> makes one.</summary>
public sealed class PermittedQuery
{
    internal PermittedQuery(Viewer viewer, Connection connection, WorkbookQuery? published, IReadOnlyCollection<TablePolicy> current)
    {
        Subject = viewer.Subject;
        Kind = viewer.Kind;
        Connection = connection;
        GrantOwner = connection.Identity == IdentityMode.Service ? SubjectKey.Service(viewer.Subject.Key.Tenant) : viewer.Subject.Key;
        Workbook = published?.Workbook;
        WorkbookRevision = published?.Revision;
        Query = published?.Query;
        PolicyRevisions = connection.Identity == IdentityMode.Service ? current.Sum(policy => policy.Revision) : 0;
        Policies = published is null || connection.Identity != IdentityMode.Service ? [] : published.Policies;
    }

    /// <summary>Who runs it.</summary>
    public Subject Subject { get; }

    /// <summary>The kind of session that asked.</summary>
    public SessionKind Kind { get; }

    /// <summary>Where it runs, at the revision that was judged.</summary>
    public Connection Connection { get; }

    /// <summary>The workbook; null for free SQL.</summary>
    public WorkbookId? Workbook { get; }

    /// <summary>The workbook's revision; null for free SQL.</summary>
    public long? WorkbookRevision { get; }

    /// <summary>The query's name in the workbook; null for free SQL.</summary>
    public string? Query { get; }

    /// <summary>True when the person may send SQL of their own with this ticket.</summary>
    public bool IsFreeSql => Query is null;

    /// <summary>
    /// The policies the gateway enforces itself; empty when the platform decides alone (<c>user</c>, <c>federated</c>). They must still
    /// stand, at these revisions, when the query run is written.
    /// </summary>
    public ImmutableArray<PolicyStamp> Policies { get; }

    /// <summary>
    /// The sum of the revisions of all policies of the tenant as they were judged, on a service connection; 0 elsewhere. Revisions only
    /// grow, so the same sum when the query run is written says that no policy changed or was added since.
    /// </summary>
    public long PolicyRevisions { get; }

    /// <summary>For events: <c>platform</c>, or the policies with their revisions, such as <c>partner-state@3</c>.</summary>
    public string PolicyRevision => Policies.IsEmpty ? "platform" : string.Join(',', Policies);

    /// <summary>
    /// Whose grant pays for it: the person's own, or the tenant's on a <c>service</c> connection. Decided by the connection alone,
    /// so a missing personal grant can never turn into the tenant's.
    /// </summary>
    public SubjectKey GrantOwner { get; }
}

/// <summary>Who may run what.</summary>
public static class QueryPolicy
{
    /// <summary>
    /// Judges a wish to run a published query: 1 a frame asks for its own workbook only; 2 the query and its connection are within
    /// reach; 3 the connection's identity is one the author accepts; 4 on a service connection, every policy the SQL was published with
    /// still stands at that revision and no table it reads openly has got one since.
    /// </summary>
    /// <param name="viewer">Who asks.</param>
    /// <param name="found">The published query they named, or null when there is none.</param>
    /// <param name="connection">The connection <paramref name="found"/> names, or null when the tenant has none of that name.</param>
    /// <param name="current">All policies of the tenant as they stand now.</param>
    public static Outcome<PermittedQuery> Judge(Viewer viewer, WorkbookQuery? found, Connection? connection, IReadOnlyCollection<TablePolicy> current)
    {
        // 1
        if (found is null || viewer.Kind == SessionKind.Frame && viewer.FrameWorkbook != found.Workbook)
            return Refusals.NoSuchQuery;
        // 2
        if (viewer.Reachable(connection) is not { } reachable || reachable.Id != found.Connection)
            return Refusals.NoSuchQuery;
        // 3
        if (!found.Identities.Contains(reachable.Identity))
        {
            return Refused(reachable, "identity-refused",
                "This workbook does not run under the identity its connection uses now. Its author has to publish it again.");
        }
        // 4
        if (reachable.Identity == IdentityMode.Service && PolicyProblem(found, current) is { } code)
        {
            return Refused(reachable, code,
                "The row policies of this workbook changed since it was published. Its author has to publish it again.");
        }
        return new PermittedQuery(viewer, reachable, found, current);
    }

    /// <summary>
    /// Whether a published query is of any use to this viewer: permitted, and on a service connection none of its policies lets no row
    /// through for want of an attribute. For lists; what is not listed may still be asked for, and gets no rows.
    /// </summary>
    /// <inheritdoc cref="Judge"/>
    public static bool CanShowRows(Viewer viewer, WorkbookQuery? found, Connection? connection, IReadOnlyCollection<TablePolicy> current) =>
        Judge(viewer, found, connection, current).TryGet(out var permitted, out _)
        && permitted.Policies.All(stamp => current.All(policy => policy.Name != stamp.Name || policy.Rows.For(viewer.Subject) is not RowFilter.Nothing));

    /// <summary>
    /// Judges a wish to send free SQL: a portal session, on a connection that allows it, under the person's own identity. Never on a
    /// service connection, whatever it says: free SQL would walk around the row policies there.
    /// </summary>
    /// <param name="viewer">Who asks.</param>
    /// <param name="found">The connection they named, or null when the tenant has none of that name.</param>
    public static Outcome<PermittedQuery> JudgeFreeSql(Viewer viewer, Connection? found)
    {
        if (viewer.Reachable(found) is not { } connection)
            return Refusals.NoSuchConnection;
        if (viewer.Kind != SessionKind.Portal)
            return Refused(connection, "free-sql-frame", "An embedded workbook runs its own queries only.");
        if (connection.Identity == IdentityMode.Service)
            return Refused(connection, "free-sql-service", "Free SQL is not possible where everybody shares one identity at the platform.");
        if (!connection.FreeSql)
            return Refused(connection, "free-sql-off", "Free SQL is switched off on this connection.");
        return new PermittedQuery(viewer, connection, published: null, current: []);
    }

    private static string? PolicyProblem(WorkbookQuery query, IReadOnlyCollection<TablePolicy> current)
    {
        if (query.Policies.IsDefaultOrEmpty)
            return "policy-missing";
        foreach (var stamp in query.Policies)
        {
            var now = current.FirstOrDefault(policy => string.Equals(policy.Name, stamp.Name, StringComparison.Ordinal));
            if (now is null)
                return "policy-missing";
            if (now.Revision != stamp.Revision)
                return "policy-changed";
        }
        // A policy added later: to a table this SQL reads openly, or a further one to a table it reads through others.
        var known = query.Policies.Select(stamp => stamp.Name).ToHashSet(StringComparer.Ordinal);
        var protectedTables = current.Where(policy => known.Contains(policy.Name)).Select(policy => policy.Table).ToList();
        foreach (var policy in current.Where(policy => !known.Contains(policy.Name)))
        {
            if (query.OpenNames.Any(policy.Protects) || protectedTables.Any(policy.Protects))
                return "policy-changed";
        }
        return null;
    }

    private static Refusal Refused(Connection connection, string code, string detail) =>
        new(RefusalKind.Forbidden, detail) { Code = code, Connection = connection.Id };
}
