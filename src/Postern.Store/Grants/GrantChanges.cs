using Postern.Model;

namespace Postern.Store;

/// <summary>
/// Changes of a grant's life: stored, confirmed, used, ended, revoked. What makes a grant count gives it a MAC, what ends it erases the
/// MAC. Its renewal is in <see cref="RenewalChanges"/>.
/// </summary>
public static class GrantChanges
{
    private const string Insert =
        """
        INSERT INTO grants (id, tenant, subject_authority, subject_id, connection, slot, active_slot, session_hash, state, reason, generation,
            access_sealed, refresh_sealed, access_expires_at, refresh_expires_at, absolute_end_at, scopes,
            principal_issuer, principal_id, principal_name, principal_email, connection_digest, definition_revision,
            confirmation_hash, confirm_before, renewal_state, renewal_fence, renewal_attempts, renewal_takeovers, renewal_due_at,
            created_at, confirmed_at, last_used_at, mac)
        VALUES (@id, @tenant, @authority, @subjectId, @connection, @slot, @activeSlot, @session, @state, 0, 1,
            @access, @refresh, @accessExpiresAt, @refreshExpiresAt, @absoluteEndAt, @scopes,
            @principalIssuer, @principalId, @principalName, @principalEmail, @digest, @revision,
            @confirmation, {now} + @confirmWithin, 0, 0, 0, 0, @dueAt,
            {now}, CASE WHEN @state = 1 THEN {now} END, CASE WHEN @state = 1 THEN {now} END, @mac)
        """;

    /// <summary>Stores tokens that wait for the asking frame's confirmation.</summary>
    /// <param name="grant">The grant.</param>
    /// <param name="confirmation">The hash of the secret that the asking frame gives back.</param>
    /// <param name="confirmWithin">How long it may take.</param>
    public static Change InsertUnconfirmed(NewGrant grant, SecretHash confirmation, TimeSpan confirmWithin) =>
        new("grant-insert", Insert, Parameters(grant, GrantState.Unconfirmed, confirmation, confirmWithin), Notice(grant.Subject.Tenant, grant.Id));

    /// <summary>Stores tokens that need no confirmation, because no browser took part: <c>service</c> and <c>federated</c> connections.</summary>
    public static Change InsertActive(NewGrant grant) =>
        new("grant-insert", Insert, Parameters(grant, GrantState.Active, null, null), Notice(grant.Subject.Tenant, grant.Id));

    /// <summary>
    /// The asking frame confirms. Refused when it is another session, another confirmation, too late, or done already, or while the
    /// slot still has another active grant (<see cref="Replace"/> it in the same commit).
    /// </summary>
    /// <param name="mac">Over the grant as it becomes.</param>
    public static Change Confirm(TenantId tenant, GrantId id, SecretHash session, SecretHash confirmation, byte[] mac) => new(
        "grant-confirm",
        """
        UPDATE grants SET state = 1, reason = 0, active_slot = slot, confirmation_hash = NULL, confirmed_at = {now}, last_used_at = {now},
            mac = @mac
        WHERE id = @id AND tenant = @tenant AND state = 0 AND session_hash = @session AND confirmation_hash = @confirmation
            AND confirm_before > {now}
        """,
        new { id = id.ToString(), tenant = tenant.Value, session = session.Hex, confirmation = confirmation.Hex, mac },
        Notice(tenant, id));

    /// <summary>
    /// Revokes the grant that a new one takes the place of. One commit holds, in this order,
    /// <see cref="RevocationChanges.EnqueueFromGrant"/> of the old one, this, and <see cref="Confirm"/> of the new one.
    /// </summary>
    public static Change Replace(TenantId tenant, GrantId old) => RevokeAs("grant-replace", tenant, old);

    /// <summary>
    /// Revokes: no query starts after this commits, on any node, and a renewal under way cannot be stored. The sealed tokens are
    /// erased from the grant, so enqueue the provider's part first (<see cref="RevocationChanges.EnqueueFromGrant"/>, same commit).
    /// </summary>
    public static Change Revoke(TenantId tenant, GrantId id) => RevokeAs("grant-revoke", tenant, id);

    /// <summary>Gives up a grant that nobody confirmed in time. Refused while the frame may still confirm.</summary>
    public static Change Abandon(TenantId tenant, GrantId id) => new(
        "grant-abandon",
        """
        UPDATE grants SET state = 3, confirmation_hash = NULL, access_sealed = NULL, refresh_sealed = NULL, mac = NULL, revoked_at = {now}
        WHERE id = @id AND tenant = @tenant AND state = 0 AND confirm_before <= {now}
        """,
        new { id = id.ToString(), tenant = tenant.Value },
        Notice(tenant, id));

    /// <summary>Ends an active grant of exactly this generation: the person must connect again. For what the renewal itself learns, see <see cref="RenewalChanges.End"/>.</summary>
    public static Change EndToReconnect(TenantId tenant, GrantId id, int generation, ReconnectReason reason) => new(
        "grant-end",
        """
        UPDATE grants SET state = 2, reason = @reason, active_slot = NULL, renewal_state = 0, renewal_due_at = NULL,
            renewal_fence = renewal_fence + 1, mac = NULL
        WHERE id = @id AND tenant = @tenant AND state = 1 AND generation = @generation
        """,
        new { id = id.ToString(), tenant = tenant.Value, generation, reason = (int)reason },
        Notice(tenant, id));

    /// <summary>
    /// Lets a <c>service</c> connection's revoked grant be followed by a new one: it is over as if it had ended by itself. Refused for a
    /// person's grant, which only that person replaces, and for one that is not revoked.
    /// </summary>
    public static Change LiftRevocation(TenantId tenant, GrantId id) => new(
        "grant-lift",
        "UPDATE grants SET state = 2 WHERE id = @id AND tenant = @tenant AND state = 3 AND subject_authority = @service",
        new { id = id.ToString(), tenant = tenant.Value, service = SubjectKey.Service(tenant).Authority },
        Notice(tenant, id));

    /// <summary>Notes that a query uses the grant, so that the background keeps it fresh. Never refuses a commit.</summary>
    public static Upkeep TouchUsed(TenantId tenant, GrantId id) => new(
        "grant-touch",
        "UPDATE grants SET last_used_at = {now} WHERE id = @id AND tenant = @tenant AND state = 1",
        new { id = id.ToString(), tenant = tenant.Value },
        expected: RowCount.Any);

    internal static FeedNotice Notice(TenantId tenant, GrantId id) => new(ChangeKind.Grant, tenant, id.ToString());

    private static Change RevokeAs(string name, TenantId tenant, GrantId id) => new(
        name,
        """
        UPDATE grants SET state = 3, reason = @reason, active_slot = NULL, confirmation_hash = NULL, access_sealed = NULL, refresh_sealed = NULL,
            renewal_state = 0, renewal_due_at = NULL, renewal_fence = renewal_fence + 1, mac = NULL,
            revoked_at = {now}
        WHERE id = @id AND tenant = @tenant AND state <> 3
        """,
        new { id = id.ToString(), tenant = tenant.Value, reason = (int)ReconnectReason.Revoked },
        Notice(tenant, id));

    private static object Parameters(NewGrant grant, GrantState state, SecretHash? confirmation, TimeSpan? confirmWithin)
    {
        var slot = GrantSlot.Of(grant.Subject, grant.Connection);
        return new
        {
            id = grant.Id.ToString(),
            tenant = grant.Subject.Tenant.Value,
            authority = grant.Subject.Authority,
            subjectId = grant.Subject.Id,
            connection = grant.Connection.Value,
            slot,
            activeSlot = state == GrantState.Active ? slot : null,
            session = grant.Session?.Hex,
            state = (int)state,
            access = grant.Pair.Access,
            refresh = grant.Pair.Refresh,
            accessExpiresAt = grant.Pair.AccessExpiresAt.ToMs(),
            refreshExpiresAt = grant.Pair.RefreshExpiresAt.ToMs(),
            absoluteEndAt = grant.AbsoluteEndAt.ToMs(),
            scopes = grant.Scopes,
            principalIssuer = grant.Principal.Issuer,
            principalId = grant.Principal.Id,
            principalName = grant.Principal.Name,
            principalEmail = grant.Principal.Email,
            digest = grant.ConnectionDigest,
            revision = grant.DefinitionRevision,
            confirmation = confirmation?.Hex,
            confirmWithin = confirmWithin?.ToMs(),
            dueAt = grant.Pair.RenewalDueAt.ToMs(),
            mac = grant.Mac,
        };
    }
}
