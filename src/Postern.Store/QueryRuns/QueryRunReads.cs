using Postern.Model;

namespace Postern.Store;

/// <summary>Finds query runs.</summary>
public sealed class QueryRunReads
{
    private readonly Database database;

    internal QueryRunReads(Database database) => this.database = database;

    /// <summary>The run, or null.</summary>
    public Task<QueryRunRow?> FindAsync(TenantId tenant, QueryRunId id, CancellationToken cancellation) => database.FindAsync(
        "SELECT * FROM query_runs WHERE id = @id AND tenant = @tenant",
        new { id = id.ToString(), tenant = tenant.Value }, QueryRunRow.Read, cancellation);

    /// <summary>Runs of a grant that have not ended.</summary>
    public Task<IReadOnlyList<QueryRunRow>> OpenByGrantAsync(TenantId tenant, GrantId grant, CancellationToken cancellation) => database.ListAsync(
        "SELECT * FROM query_runs WHERE grant_id = @grant AND tenant = @tenant AND finished_at IS NULL ORDER BY started_at",
        new { grant = grant.ToString(), tenant = tenant.Value }, QueryRunRow.Read, cancellation);

    /// <summary>
    /// Open runs whose node has been silent for so long, has started anew since, or is gone. Close each with
    /// <see cref="QueryRunChanges.Finish"/> as <c>lost</c> and its event.
    /// </summary>
    public Task<IReadOnlyList<QueryRunRow>> OpenOfDeadNodesAsync(TimeSpan silentFor, int limit, CancellationToken cancellation) => database.ListAsync(
        """
        SELECT r.* FROM query_runs r LEFT JOIN nodes n ON n.name = r.node AND n.boot_id = r.node_boot
        WHERE r.finished_at IS NULL AND (n.name IS NULL OR n.heartbeat_at < {now} - @silentFor)
        ORDER BY r.started_at LIMIT @limit
        """,
        new { silentFor = silentFor.ToMs(), limit }, QueryRunRow.Read, cancellation);
}
