using Postern.Model;

namespace Postern.Store;

/// <summary>
/// The steps of a renewal, "claim before spend" (architecture, decision 2): claim → sending → stored, each one compare-and-set
/// statement under the claim's fence, by the store's clock. A late writer finds another fence and is refused.
/// </summary>
public static class RenewalChanges
{
    /// <summary>
    /// Claims the renewal of the grant as it was read. The claim's fence is <c>seen.RenewalFence + 1</c>. Refused when anybody claimed
    /// since, when somebody holds a claim or is sending, before <see cref="GrantRow.RenewalNotBefore"/>, and when the grant is not
    /// active in this generation. A claim past its deadline may be taken; nothing was sent under it.
    /// </summary>
    /// <param name="seen">The grant as read.</param>
    /// <param name="node">The claiming node.</param>
    /// <param name="claimFor">How long the claim holds.</param>
    public static Change Claim(GrantRow seen, string node, TimeSpan claimFor) => new(
        "renewal-claim",
        """
        UPDATE grants SET renewal_state = 1, renewal_fence = renewal_fence + 1, renewal_node = @node, renewal_deadline = {now} + @claimFor
        WHERE id = @id AND tenant = @tenant AND state = 1 AND reason = 0 AND generation = @generation AND renewal_fence = @fence
            AND (renewal_state = 0 OR (renewal_state = 1 AND renewal_deadline <= {now}))
            AND (renewal_not_before IS NULL OR renewal_not_before <= {now})
        """,
        new
        {
            id = seen.Id.ToString(),
            tenant = seen.Subject.Tenant.Value,
            generation = seen.Generation,
            fence = seen.RenewalFence,
            node,
            claimFor = claimFor.ToMs(),
        });

    /// <summary>
    /// Takes over a renewal whose sending is past its deadline, so its outcome is uncertain; only where the provider's profile has a
    /// grace period, and once. The fence is <c>seen.RenewalFence + 1</c>; go on with <see cref="MarkSending"/>.
    /// </summary>
    public static Change TakeOverUncertain(GrantRow seen, string node, TimeSpan claimFor) => new(
        "renewal-take-over",
        """
        UPDATE grants SET renewal_state = 1, renewal_fence = renewal_fence + 1, renewal_node = @node, renewal_deadline = {now} + @claimFor,
            renewal_takeovers = renewal_takeovers + 1
        WHERE id = @id AND tenant = @tenant AND state = 1 AND generation = @generation AND renewal_fence = @fence
            AND renewal_state = 2 AND renewal_deadline <= {now} AND renewal_takeovers = 0
        """,
        new
        {
            id = seen.Id.ToString(),
            tenant = seen.Subject.Tenant.Value,
            generation = seen.Generation,
            fence = seen.RenewalFence,
            node,
            claimFor = claimFor.ToMs(),
        });

    /// <summary>The last step before the token endpoint is called. Refused when the claim is past its deadline or lost.</summary>
    /// <param name="sendFor">How long the answer may take before the outcome counts as uncertain.</param>
    public static Change MarkSending(TenantId tenant, GrantId id, long fence, TimeSpan sendFor) => new(
        "renewal-sending",
        """
        UPDATE grants SET renewal_state = 2, renewal_deadline = {now} + @sendFor
        WHERE id = @id AND tenant = @tenant AND state = 1 AND renewal_state = 1 AND renewal_fence = @fence AND renewal_deadline > {now}
        """,
        new { id = id.ToString(), tenant = tenant.Value, fence, sendFor = sendFor.ToMs() });

    /// <summary>
    /// Stores the new pair under the next generation. Refused when the grant was revoked or the renewal was taken over meanwhile; the
    /// pair must then be revoked at the provider, not used.
    /// </summary>
    /// <param name="mac">Over the grant in the new generation, with its new scopes.</param>
    public static Change StoreRenewed(TenantId tenant, GrantId id, long fence, int newGeneration, SealedPair pair, byte[] mac) => new(
        "renewal-store",
        """
        UPDATE grants SET generation = @newGeneration, access_sealed = @access, refresh_sealed = @refresh, access_expires_at = @accessExpiresAt,
            refresh_expires_at = @refreshExpiresAt, scopes = COALESCE(@scopes, scopes), renewal_due_at = @dueAt,
            renewal_state = 0, renewal_node = NULL, renewal_deadline = NULL, renewal_not_before = NULL, renewal_attempts = 0, renewal_takeovers = 0,
            mac = @mac
        WHERE id = @id AND tenant = @tenant AND state = 1 AND renewal_state = 2 AND renewal_fence = @fence AND generation = @newGeneration - 1
        """,
        new
        {
            id = id.ToString(),
            tenant = tenant.Value,
            fence,
            newGeneration,
            access = pair.Access,
            refresh = pair.Refresh,
            accessExpiresAt = pair.AccessExpiresAt.ToMs(),
            refreshExpiresAt = pair.RefreshExpiresAt.ToMs(),
            scopes = pair.Scopes,
            dueAt = pair.RenewalDueAt.ToMs(),
            mac,
        },
        GrantChanges.Notice(tenant, id));

    /// <summary>The attempt failed for certain (nothing was spent) and the grant stands: idle again, not before the given time.</summary>
    /// <param name="notBefore">When the next claim is allowed: <c>Retry-After</c> or backoff.</param>
    /// <param name="attempts">Failed attempts since the last success, this one included.</param>
    public static Change Failed(TenantId tenant, GrantId id, long fence, DateTimeOffset notBefore, int attempts) => new(
        "renewal-failed",
        """
        UPDATE grants SET renewal_state = 0, renewal_node = NULL, renewal_deadline = NULL, renewal_not_before = @notBefore, renewal_attempts = @attempts
        WHERE id = @id AND tenant = @tenant AND state = 1 AND renewal_state IN (1, 2) AND renewal_fence = @fence
        """,
        new { id = id.ToString(), tenant = tenant.Value, fence, notBefore = notBefore.ToMs(), attempts });

    /// <summary>Gives the claim up before anything was sent.</summary>
    public static Change Abandon(TenantId tenant, GrantId id, long fence) => new(
        "renewal-abandon",
        """
        UPDATE grants SET renewal_state = 0, renewal_node = NULL, renewal_deadline = NULL
        WHERE id = @id AND tenant = @tenant AND renewal_state = 1 AND renewal_fence = @fence
        """,
        new { id = id.ToString(), tenant = tenant.Value, fence });

    /// <summary>
    /// The sending is past its deadline and the profile forbids trying the same refresh token again: never renewed any more, while its
    /// access token stays usable until it ends (then <see cref="GrantChanges.EndToReconnect"/>). The fence grows, so that a late
    /// answer of the lost node is refused.
    /// </summary>
    public static Change MarkUncertain(TenantId tenant, GrantId id, long fence) => new(
        "renewal-uncertain",
        """
        UPDATE grants SET reason = @reason, renewal_state = 0, renewal_node = NULL, renewal_deadline = NULL, renewal_due_at = NULL,
            renewal_fence = renewal_fence + 1
        WHERE id = @id AND tenant = @tenant AND state = 1 AND renewal_state = 2 AND renewal_fence = @fence AND renewal_deadline <= {now}
        """,
        new { id = id.ToString(), tenant = tenant.Value, fence, reason = (int)ReconnectReason.Uncertain },
        GrantChanges.Notice(tenant, id));

    /// <summary>As <see cref="MarkUncertain"/>, for when the access token is of no use either: the person must connect again at once.</summary>
    public static Change MarkUncertainToReconnect(TenantId tenant, GrantId id, long fence) => new(
        "renewal-uncertain-end",
        """
        UPDATE grants SET state = 2, reason = @reason, active_slot = NULL, renewal_state = 0, renewal_node = NULL, renewal_deadline = NULL,
            renewal_due_at = NULL, renewal_fence = renewal_fence + 1, mac = NULL
        WHERE id = @id AND tenant = @tenant AND state = 1 AND renewal_state = 2 AND renewal_fence = @fence AND renewal_deadline <= {now}
        """,
        new { id = id.ToString(), tenant = tenant.Value, fence, reason = (int)ReconnectReason.Uncertain },
        GrantChanges.Notice(tenant, id));

    /// <summary>The authorization server ended the grant (<c>invalid_grant</c>), as this claim learned.</summary>
    public static Change End(TenantId tenant, GrantId id, long fence, ReconnectReason reason) => new(
        "renewal-end",
        """
        UPDATE grants SET state = 2, reason = @reason, active_slot = NULL, renewal_state = 0, renewal_node = NULL, renewal_deadline = NULL,
            renewal_due_at = NULL, mac = NULL
        WHERE id = @id AND tenant = @tenant AND state = 1 AND renewal_state IN (1, 2) AND renewal_fence = @fence
        """,
        new { id = id.ToString(), tenant = tenant.Value, fence, reason = (int)reason },
        GrantChanges.Notice(tenant, id));
}
