using Postern.Model;

namespace Postern.Store;

/// <summary>The outbox of revocations to be told to authorization servers, at least once each.</summary>
public static class RevocationChanges
{
    /// <summary>
    /// Enqueues the pair that the grant has at this moment, whatever its generation. To stand before
    /// <see cref="GrantChanges.Revoke"/> in one commit, which erases the pair from the grant. Refused when it is revoked already.
    /// </summary>
    public static Change EnqueueFromGrant(Guid id, TenantId tenant, GrantId grant) => new(
        "revocation-enqueue",
        """
        INSERT INTO provider_revocations (id, tenant, subject_authority, subject_id, connection, grant_id, generation, refresh_sealed, access_sealed, connection_digest,
            access_lives_until, status, attempts, not_before, fence, created_at)
        SELECT @id, tenant, subject_authority, subject_id, connection, id, generation, refresh_sealed, access_sealed, connection_digest,
            access_expires_at, 0, 0, {now}, 0, {now}
        FROM grants WHERE id = @grant AND tenant = @tenant AND state <> 3 {update}
        """,
        new { id = id.ToString("D"), tenant = tenant.Value, grant = grant.ToString() });

    /// <summary>
    /// Enqueues a pair that never was stored, such as one that came after the grant was revoked. It is told from
    /// <see cref="RevocationRow.NotBefore"/> on.
    /// </summary>
    public static Change Enqueue(RevocationRow revocation) => new(
        "revocation-enqueue",
        """
        INSERT INTO provider_revocations (id, tenant, subject_authority, subject_id, connection, grant_id, generation, refresh_sealed, access_sealed, connection_digest,
            access_lives_until, status, attempts, not_before, fence, created_at)
        VALUES (@id, @tenant, @authority, @subjectId, @connection, @grant, @generation, @refresh, @access, @digest, @accessLivesUntil, 0, 0,
            CASE WHEN @notBefore > {now} THEN @notBefore ELSE {now} END, 0, {now})
        """,
        new
        {
            id = revocation.Id.ToString("D"),
            tenant = revocation.Tenant.Value,
            authority = revocation.Subject.Authority,
            subjectId = revocation.Subject.Id,
            connection = revocation.Connection.Value,
            grant = revocation.Grant.ToString(),
            generation = revocation.Generation,
            refresh = revocation.RefreshSealed,
            access = revocation.AccessSealed,
            digest = revocation.ConnectionDigest,
            accessLivesUntil = revocation.AccessLivesUntil.ToMs(),
            notBefore = revocation.NotBefore.ToMs(),
        });

    /// <summary>
    /// Claims an attempt as read; after <paramref name="claimFor"/> it may be claimed again, since telling twice does no harm
    /// (RFC 7009 section 2.2). The fence is <c>seen.Fence + 1</c>.
    /// </summary>
    public static Upkeep Claim(RevocationRow seen, TimeSpan claimFor) => new(
        "revocation-claim",
        """
        UPDATE provider_revocations SET fence = fence + 1, attempts = attempts + 1, not_before = {now} + @claimFor
        WHERE id = @id AND tenant = @tenant AND status = 0 AND fence = @fence AND not_before <= {now}
        """,
        new { id = seen.Id.ToString("D"), tenant = seen.Tenant.Value, fence = seen.Fence, claimFor = claimFor.ToMs() });

    /// <summary>Puts an attempt off as read, because its server gets no more requests now. No attempt was made.</summary>
    public static Upkeep Defer(RevocationRow seen, TimeSpan putOff) => new(
        "revocation-defer",
        """
        UPDATE provider_revocations SET not_before = {now} + @putOff
        WHERE id = @id AND tenant = @tenant AND status = 0 AND fence = @fence AND not_before <= {now}
        """,
        new { id = seen.Id.ToString("D"), tenant = seen.Tenant.Value, fence = seen.Fence, putOff = putOff.ToMs() });

    /// <summary>It ended: confirmed, impossible or given up. The sealed tokens are erased.</summary>
    /// <param name="status">Anything but <see cref="RevocationStatus.Pending"/>.</param>
    /// <param name="error">A short stable word, or null.</param>
    public static Change Finish(TenantId tenant, Guid id, long fence, RevocationStatus status, string? error = null) =>
        status == RevocationStatus.Pending
            ? throw new ArgumentOutOfRangeException(nameof(status), status, "To try again later is Retry.")
            : new(
                "revocation-finish",
                """
                UPDATE provider_revocations SET status = @status, last_error = @error, finished_at = {now}, refresh_sealed = NULL, access_sealed = NULL
                WHERE id = @id AND tenant = @tenant AND status = 0 AND fence = @fence
                """,
                new { id = id.ToString("D"), tenant = tenant.Value, fence, status = (int)status, error },
                // A page that said "pending" learns that it is over.
                new FeedNotice(ChangeKind.Grant, tenant, "", "SELECT grant_id FROM provider_revocations WHERE id = @id AND tenant = @tenant {update}"));

    /// <summary>The attempt failed; not before the given time it is tried again.</summary>
    public static Change Retry(TenantId tenant, Guid id, long fence, DateTimeOffset notBefore, string error) => new(
        "revocation-retry",
        """
        UPDATE provider_revocations SET not_before = @notBefore, last_error = @error
        WHERE id = @id AND tenant = @tenant AND status = 0 AND fence = @fence
        """,
        new { id = id.ToString("D"), tenant = tenant.Value, fence, notBefore = notBefore.ToMs(), error });
}
