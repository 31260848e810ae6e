using System.Runtime.CompilerServices;
using Dapper;
using Postern.Audit;
using Postern.Model;

namespace Postern.Store;

/// <summary>Which events of a tenant; null names all.</summary>
public sealed record AuditFilter
{
    /// <summary>Not before.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Before.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>Of these kinds; empty for all.</summary>
    public IReadOnlyCollection<EventKind> Kinds { get; init; } = [];

    /// <summary>About the person with this id, under any authority.</summary>
    public string? SubjectId { get; init; }

    /// <summary>About this grant.</summary>
    public GrantId? Grant { get; init; }

    /// <summary>Older than the record with this <see cref="AuditRecord.Id"/>; for the next page.</summary>
    public long? BeforeId { get; init; }

    /// <value>How many; 100.</value>
    public int Limit { get; init; } = 100;
}

/// <summary>An event as stored.</summary>
/// <param name="Id">Names the record for paging; no place in the log.</param>
/// <param name="Index">Its place in the tenant's log; null until the sequencer gave it one.</param>
/// <param name="Recorded">The event; null when its bytes cannot be read any more, which a verification names.</param>
public sealed record AuditRecord(long Id, long? Index, RecordedEvent? Recorded);

/// <summary>Reads, exports and verifies the audit log.</summary>
public sealed class AuditReader
{
    private const int PageSize = 1000;
    private readonly Database database;

    internal AuditReader(Database database) => this.database = database;

    /// <summary>Events, latest first.</summary>
    public Task<IReadOnlyList<AuditRecord>> ListAsync(TenantId tenant, AuditFilter filter, CancellationToken cancellation) => database.ListAsync(
        $"""
        SELECT e.id, e.bytes, l.position FROM event_leaves e LEFT JOIN audit_log l ON l.leaf_id = e.id
        WHERE e.tenant = @tenant
            AND (@from IS NULL OR e.at >= @from) AND (@until IS NULL OR e.at < @until)
            {(filter.Kinds.Count == 0 ? "" : $"AND e.kind IN ({string.Join(',', filter.Kinds.Select(kind => (int)kind))})")}
            AND (@subject IS NULL OR e.subject_id = @subject)
            AND (@grant IS NULL OR e.grant_id = @grant)
            AND (@beforeId IS NULL OR e.id < @beforeId)
        ORDER BY e.id DESC LIMIT @limit
        """,
        new
        {
            tenant = tenant.Value,
            from = filter.From.ToMs(),
            until = filter.Until.ToMs(),
            subject = filter.SubjectId,
            grant = filter.Grant?.ToString(),
            beforeId = filter.BeforeId,
            limit = filter.Limit,
        },
        row => new AuditRecord(
            row.Number("id"), row.NumberOrNull("position"), AuditLeaf.TryRead(row.Bytes("bytes"), out var recorded) ? recorded : null),
        cancellation);

    /// <summary>The log's position as stored; null for an empty log. Remember it elsewhere to notice a cut end.</summary>
    public Task<AuditHead?> HeadAsync(TenantId tenant, CancellationToken cancellation) => database.FindAsync(
        "SELECT size, entry_hash FROM audit_heads WHERE tenant = @tenant", new { tenant = tenant.Value }, ReadHead, cancellation);

    /// <summary>How many events of all tenants wait for their place; more than a moment's worth means that no sequencer runs.</summary>
    public async Task<long> WaitingAsync(CancellationToken cancellation)
    {
        await using var connection = await database.Dialect.OpenAsync(cancellation);
        return await connection.ExecuteScalarAsync<long>(
            database.Bind("SELECT COUNT(*) FROM event_leaves WHERE sequenced = 0", null, null, cancellation));
    }

    /// <summary>
    /// Verifies a tenant's log in the database from its first entry, against the position stored beside it and one remembered
    /// elsewhere. Without the latter, whoever owns the database could have cut or rewritten all of it.
    /// </summary>
    public async Task<ChainReport> VerifyAsync(TenantId tenant, AuditHead? known, CancellationToken cancellation)
    {
        // Read first: the log may grow while it is verified, but never falls behind this.
        var stored = await HeadAsync(tenant, cancellation);
        var start = ChainVerifier.StartOf(tenant);
        var report = await ChainVerifier.VerifyAsync(start, LinksAsync(tenant, 0, null, cancellation), known ?? stored, cancellation);
        return report.IsValid && known is not null && stored is not null && stored.Size > report.Head.Size
            ? report with { Fault = ChainFault.Truncated, BadIndex = report.Head.Size }
            : report;
    }

    /// <summary>True when an export can begin at this index: it is 0, or there is an entry before it.</summary>
    public async Task<bool> ReachesAsync(TenantId tenant, long index, CancellationToken cancellation) =>
        index == 0 || await EntryBeforeAsync(tenant, index, cancellation) is not null;

    /// <summary>
    /// Writes the log as it is stored, good or not, as an export that <see cref="AuditExport.VerifyAsync"/> reads.
    /// </summary>
    /// <param name="output">Where to; not closed.</param>
    /// <param name="from">The first index; one that the log reaches (<see cref="ReachesAsync"/>).</param>
    /// <param name="to">The index after the last; null for all there are.</param>
    /// <exception cref="ArgumentOutOfRangeException">The log does not reach <paramref name="from"/>; nothing was written.</exception>
    public async Task ExportAsync(Stream output, TenantId tenant, long from, long? to, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(from);
        var end = from == 0
            ? ChainVerifier.StartOf(tenant)
            : new(from, await EntryBeforeAsync(tenant, from, cancellation) ?? throw new ArgumentOutOfRangeException(nameof(from), from, "The log does not reach this index."));
        var writer = new AuditExportWriter(output);
        await writer.BeginAsync(tenant, end, cancellation);
        await foreach (var link in LinksAsync(tenant, from, to, cancellation))
        {
            await writer.WriteAsync(link, cancellation);
            end = new(link.Index + 1, link.Entry!);
        }
        await writer.EndAsync(end, cancellation);
    }

    internal static AuditHead ReadHead(Columns row) => new(row.Number("size"), Convert.FromHexString(row.Text("entry_hash")));

    private Task<byte[]?> EntryBeforeAsync(TenantId tenant, long index, CancellationToken cancellation) => database.FindAsync(
        "SELECT entry_hash FROM audit_log WHERE tenant = @tenant AND position = @before",
        new { tenant = tenant.Value, before = index - 1 },
        row => EntryOf(row.Text("entry_hash")),
        cancellation);

    // Page by page, each on a connection of its own: a long export must not keep the write-ahead log from being checkpointed.
    private async IAsyncEnumerable<ChainLink> LinksAsync(
        TenantId tenant, long from, long? to, [EnumeratorCancellation] CancellationToken cancellation)
    {
        while (true)
        {
            var page = await database.ListAsync(
                """
                SELECT l.position, l.entry_hash, e.bytes FROM audit_log l LEFT JOIN event_leaves e ON e.id = l.leaf_id
                WHERE l.tenant = @tenant AND l.position >= @from AND (@to IS NULL OR l.position < @to)
                ORDER BY l.position LIMIT @limit
                """,
                new { tenant = tenant.Value, from, to, limit = PageSize },
                row => new ChainLink(row.Number("position"), row.BytesOrNull("bytes"), EntryOf(row.Text("entry_hash"))),
                cancellation);
            foreach (var link in page)
                yield return link;
            if (page.Count < PageSize)
                yield break;
            from = page[^1].Index + 1;
        }
    }

    // An edited hash may be no hash at all; then it is at least not the right one.
    private static byte[] EntryOf(string hex)
    {
        try
        {
            return Convert.FromHexString(hex);
        }
        catch (FormatException)
        {
            return [];
        }
    }
}
