using Postern.Model;

namespace Postern.Store;

/// <summary>Query runs start, only while everything that allowed them stands, and end.</summary>
public static class QueryRunChanges
{
    /// <summary>
    /// Starts a run. One statement asks again for all that the decision rested on; refused when the session ended, the grant is not
    /// active in this generation and under the MAC it was checked with, it is not this person's (nor the tenant's own <c>service</c>
    /// grant), the connection or, where they count, the policies have newer revisions, or the connection or the workbook was retired.
    /// So no query starts after a revocation committed, on any node, whatever a cache believed: the rows that it
    /// rests on are locked until the run is written, and a revocation waits for that.
    /// </summary>
    public static Change Start(NewQueryRun run) => new(
        "query-start",
        """
        INSERT INTO query_runs (id, tenant, subject_authority, subject_id, grant_id, generation, session_hash, connection, workbook,
            query_name, sql_hash, definition_revision, node, node_boot, started_at)
        SELECT @id, s.tenant, s.subject_authority, s.subject_id, g.id, g.generation, s.id_hash, g.connection, @workbook,
            @query, @sqlHash, d.revision, @node, @nodeBoot, {now}
        FROM grants g
        JOIN sessions s ON s.tenant = g.tenant
        JOIN definitions d ON d.tenant = g.tenant AND d.name = g.connection
        WHERE g.id = @grant AND g.tenant = @tenant AND g.connection = @connection AND g.state = 1 AND g.generation = @generation
            AND (g.absolute_end_at IS NULL OR g.absolute_end_at > {now})
            AND s.id_hash = @session AND s.subject_authority = @authority AND s.subject_id = @subjectId
            AND s.ended_at IS NULL AND s.idle_expires_at > {now} AND s.absolute_expires_at > {now}
            AND ((g.subject_authority = s.subject_authority AND g.subject_id = s.subject_id) OR g.subject_authority = @service)
            AND g.mac = @grantMac
            AND d.kind = @definitionKind AND d.revision = @revision AND d.superseded_at IS NULL AND d.body <> ''
            AND (@policies = 0 OR @policies = (SELECT SUM(p.revision) FROM definitions p
                WHERE p.tenant = g.tenant AND p.kind = @policyKind AND p.superseded_at IS NULL AND p.body <> ''))
            AND NOT EXISTS (SELECT 1 FROM definitions w WHERE w.tenant = s.tenant AND w.kind = @workbookKind AND w.name = @workbook
                AND w.superseded_at IS NULL AND w.body = '')
        """,
        new
        {
            id = run.Id.ToString(),
            tenant = run.Subject.Tenant.Value,
            authority = run.Subject.Authority,
            subjectId = run.Subject.Id,
            session = run.Session.Hex,
            connection = run.Connection.Value,
            grant = run.Grant.ToString(),
            generation = run.Generation,
            workbook = run.Workbook?.Value,
            query = run.Query,
            sqlHash = run.SqlHash.Hex,
            revision = run.DefinitionRevision,
            node = run.Node,
            nodeBoot = run.NodeBoot.ToString("D"),
            service = SubjectKey.Service(run.Subject.Tenant).Authority,
            grantMac = run.GrantMac,
            policies = run.PolicyRevisions,
            definitionKind = (int)DefinitionKind.Connection,
            policyKind = (int)DefinitionKind.Policy,
            workbookKind = (int)DefinitionKind.Workbook,
        })
    {
        // The grant for this transaction alone and not shared, because the same commit may write it (TouchUsed): two that shared it
        // would wait for one another.
        Lock = """
            SELECT id FROM grants WHERE id = @grant AND tenant = @tenant {update};
            SELECT id_hash FROM sessions WHERE id_hash = @session AND tenant = @tenant {share};
            SELECT name FROM definitions WHERE tenant = @tenant AND superseded_at IS NULL AND ((kind = @definitionKind AND name = @connection)
                OR (kind = @policyKind AND @policies <> 0) OR (kind = @workbookKind AND name = @workbook)) {share}
            """,
    };

    /// <summary>Ends a run. Refused when it was ended already, for example as lost.</summary>
    /// <param name="outcome">A short stable word: <c>finished</c>, <c>failed</c>, <c>cancelled</c>, <c>lost</c>.</param>
    public static Change Finish(
        TenantId tenant, QueryRunId id, string outcome, long? rows = null, long? bytes = null, string? statementId = null) => new(
        "query-finish",
        """
        UPDATE query_runs SET finished_at = {now}, outcome = @outcome, row_count = @rows, byte_count = @bytes, statement_id = @statementId
        WHERE id = @id AND tenant = @tenant AND finished_at IS NULL
        """,
        new { id = id.ToString(), tenant = tenant.Value, outcome, rows, bytes, statementId });
}
