using Postern.Model;

namespace Postern.Store;

/// <summary>Finds grants. Every question about one person's or tenant's grants names the tenant; only the renewer's lists cross tenants.</summary>
public sealed class GrantReads
{
    private readonly Database database;

    internal GrantReads(Database database) => this.database = database;

    /// <summary>The grant, or null.</summary>
    public Task<GrantRow?> FindAsync(TenantId tenant, GrantId id, CancellationToken cancellation) => database.FindAsync(
        "SELECT * FROM grants WHERE id = @id AND tenant = @tenant",
        new { id = id.ToString(), tenant = tenant.Value }, GrantRow.Read, cancellation);

    /// <summary>The active grant of a person on a connection, or null.</summary>
    public Task<GrantRow?> FindActiveAsync(SubjectKey subject, ConnectionId connection, CancellationToken cancellation) => database.FindAsync(
        "SELECT * FROM grants WHERE active_slot = @slot", new { slot = GrantSlot.Of(subject, connection) }, GrantRow.Read, cancellation);

    /// <summary>
    /// The active grant of a person on a connection, else the latest one of any state, which says why there is none; null if there
    /// never was one.
    /// </summary>
    public Task<GrantRow?> FindLatestAsync(SubjectKey subject, ConnectionId connection, CancellationToken cancellation) => database.FindAsync(
        """
        SELECT * FROM grants WHERE slot = @slot AND state <> 0
        ORDER BY CASE WHEN state = 1 THEN 0 ELSE 1 END, created_at DESC, id LIMIT 1
        """,
        new { slot = GrantSlot.Of(subject, connection) }, GrantRow.Read, cancellation);

    /// <summary>All grants of a person, latest first; revoked ones only when asked for.</summary>
    public Task<IReadOnlyList<GrantRow>> ListOfAsync(SubjectKey subject, bool withRevoked, CancellationToken cancellation) => database.ListAsync(
        """
        SELECT * FROM grants WHERE tenant = @tenant AND subject_authority = @authority AND subject_id = @id AND (state <> 3 OR @withRevoked = 1)
        ORDER BY created_at DESC, id
        """,
        new { tenant = subject.Tenant.Value, authority = subject.Authority, id = subject.Id, withRevoked = withRevoked ? 1 : 0 },
        GrantRow.Read, cancellation);

    /// <summary>Grants of a tenant by what the filter names, latest first.</summary>
    public Task<IReadOnlyList<GrantRow>> ListAsync(TenantId tenant, GrantFilter filter, CancellationToken cancellation) => database.ListAsync(
        """
        SELECT * FROM grants WHERE tenant = @tenant
            AND (@connection IS NULL OR connection = @connection)
            AND (@state IS NULL OR state = @state)
            AND (@subjectId IS NULL OR subject_id = @subjectId)
        ORDER BY created_at DESC, id LIMIT @limit OFFSET @offset
        """,
        new
        {
            tenant = tenant.Value,
            connection = filter.Connection?.Value,
            state = (int?)filter.State,
            subjectId = filter.SubjectId,
            limit = filter.Limit,
            offset = filter.Offset,
        },
        GrantRow.Read, cancellation);

    /// <summary>
    /// Grants due for background renewal, idle or with a lost claim, used within the given time; the longest due first, a page at a time.
    /// </summary>
    /// <param name="after">The last one of the page before; null for the first page.</param>
    public Task<IReadOnlyList<GrantRow>> DueForRenewalAsync(TimeSpan usedWithin, GrantRow? after, int limit, CancellationToken cancellation) => database.ListAsync(
        """
        SELECT * FROM grants WHERE state = 1 AND reason = 0 AND renewal_due_at <= {now} AND last_used_at >= {now} - @usedWithin
            AND (renewal_not_before IS NULL OR renewal_not_before <= {now})
            AND (renewal_state = 0 OR (renewal_state = 1 AND renewal_deadline <= {now}))
            AND (renewal_due_at > @afterDue OR (renewal_due_at = @afterDue AND id > @afterId))
        ORDER BY renewal_due_at, id LIMIT @limit
        """,
        new { usedWithin = usedWithin.ToMs(), afterDue = after?.RenewalDueAt?.ToMs() ?? -1, afterId = after?.Id.ToString() ?? "", limit },
        GrantRow.Read, cancellation);

    /// <summary>Renewals whose sending is past its deadline: nobody knows whether the refresh token was spent.</summary>
    public Task<IReadOnlyList<GrantRow>> ExpiredSendingAsync(int limit, CancellationToken cancellation) => database.ListAsync(
        "SELECT * FROM grants WHERE renewal_state = 2 AND renewal_deadline <= {now} AND state = 1 ORDER BY renewal_deadline LIMIT @limit",
        new { limit }, GrantRow.Read, cancellation);

    /// <summary>Active grants that are never renewed any more (<see cref="ReconnectReason.Uncertain"/>) and whose access token ended.</summary>
    public Task<IReadOnlyList<GrantRow>> EndedUncertainAsync(int limit, CancellationToken cancellation) => database.ListAsync(
        "SELECT * FROM grants WHERE state = 1 AND reason <> 0 AND access_expires_at <= {now} ORDER BY access_expires_at LIMIT @limit",
        new { limit }, GrantRow.Read, cancellation);

    /// <summary>Grants that nobody confirmed in time.</summary>
    public Task<IReadOnlyList<GrantRow>> UnconfirmedPastDeadlineAsync(int limit, CancellationToken cancellation) => database.ListAsync(
        "SELECT * FROM grants WHERE state = 0 AND confirm_before <= {now} ORDER BY confirm_before LIMIT @limit",
        new { limit }, GrantRow.Read, cancellation);
}

/// <summary>Which grants of a tenant; null names all.</summary>
public sealed record GrantFilter
{
    /// <summary>On this connection.</summary>
    public ConnectionId? Connection { get; init; }

    /// <summary>In this state.</summary>
    public GrantState? State { get; init; }

    /// <summary>Of the person with this id, under any authority.</summary>
    public string? SubjectId { get; init; }

    /// <value>How many; 100.</value>
    public int Limit { get; init; } = 100;

    /// <value>How many to pass over; 0.</value>
    public int Offset { get; init; }
}
