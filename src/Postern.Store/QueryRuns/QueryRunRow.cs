using Postern.Model;

namespace Postern.Store;

/// <summary>A query about to run.</summary>
/// <param name="Id">Its id, as clients and the platform's query tags know it.</param>
/// <param name="Subject">Who asked.</param>
/// <param name="Session">In which session.</param>
/// <param name="Connection">On which connection.</param>
/// <param name="Grant">With which grant.</param>
/// <param name="Generation">With which pair of tokens.</param>
/// <param name="SqlHash">SHA-256 of the SQL text, 64 hexadecimal digits.</param>
/// <param name="DefinitionRevision">The revision of the connection that policy was judged by.</param>
/// <param name="Node">The node that runs it.</param>
/// <param name="NodeBoot">Which start of that node.</param>
public sealed record NewQueryRun(
    QueryRunId Id,
    SubjectKey Subject,
    SecretHash Session,
    ConnectionId Connection,
    GrantId Grant,
    int Generation,
    SecretHash SqlHash,
    long DefinitionRevision,
    string Node,
    Guid NodeBoot)
{
    /// <summary>The grant's MAC as it was checked; asked for at the start, and not kept.</summary>
    public byte[]? GrantMac { get; init; }

    /// <summary>
    /// The sum of the revisions of all the tenant's policies as they were judged, or 0 where no policy of Postern decides. Revisions only
    /// grow and policies are not taken away, so the same sum is the same policies. Asked for at the start, and not kept.
    /// </summary>
    public long PolicyRevisions { get; init; }

    /// <summary>The workbook, if it is a published query.</summary>
    public WorkbookId? Workbook { get; init; }

    /// <summary>The query's name in the workbook.</summary>
    public string? Query { get; init; }
}

/// <summary>A query run as stored.</summary>
/// <param name="Run">What was about to run.</param>
/// <param name="StartedAt">When its intent was written.</param>
public sealed record QueryRunRow(NewQueryRun Run, DateTimeOffset StartedAt)
{
    /// <summary>When it ended; null while it runs.</summary>
    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>How it ended: a short stable word.</summary>
    public string? Outcome { get; init; }

    /// <summary>Rows delivered.</summary>
    public long? Rows { get; init; }

    /// <summary>Bytes delivered.</summary>
    public long? Bytes { get; init; }

    /// <summary>The statement's id at the platform.</summary>
    public string? StatementId { get; init; }

    internal static QueryRunRow Read(Columns row) => new(
        new(new(row.Id("id")), row.Subject(), row.Hash("session_hash"), row.Connection(), new(row.Id("grant_id")), row.Int("generation"),
            row.Hash("sql_hash"), row.Number("definition_revision"), row.Text("node"), row.Id("node_boot"))
        {
            Workbook = row.TextOrNull("workbook") is { } workbook ? WorkbookId.Parse(workbook) : null,
            Query = row.TextOrNull("query_name"),
        },
        row.Time("started_at"))
    {
        FinishedAt = row.TimeOrNull("finished_at"),
        Outcome = row.TextOrNull("outcome"),
        Rows = row.NumberOrNull("row_count"),
        Bytes = row.NumberOrNull("byte_count"),
        StatementId = row.TextOrNull("statement_id"),
    };
}
