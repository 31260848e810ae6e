using Postern.Model;

namespace Postern.Store;

/// <summary>The steps of a connect, each possible once: begun → redirected → used.</summary>
public static class ConnectChanges
{
    /// <summary>How many connects one session may have under way.</summary>
    public const int MaxPendingPerSession = 8;

    /// <summary>
    /// Begins. Refused when the session ended or has <see cref="MaxPendingPerSession"/> connects under way.
    /// </summary>
    public static Change Begin(PendingConnectRow connect) => new(
        "connect-begin",
        """
        INSERT INTO pending_connects (id, tenant, subject_authority, subject_id, connection, attributes, session_hash, kind, host_origin,
            host_display, handle_hash, sealed, issuer, redirect_uri, stage, created_at, expires_at, mac)
        SELECT @id, @tenant, @authority, @subjectId, @connection, @attributes, s.id_hash, @kind, @hostOrigin,
            @hostDisplay, @handle, @sealed, @issuer, @redirectUri, 0, {now}, @expiresAt, @mac
        FROM sessions s
        WHERE s.id_hash = @session AND s.tenant = @tenant AND s.ended_at IS NULL AND s.idle_expires_at > {now} AND s.absolute_expires_at > {now}
            AND (SELECT COUNT(*) FROM pending_connects p WHERE p.session_hash = @session AND p.stage IN (0, 1) AND p.expires_at > {now}) < @max
        """,
        new
        {
            id = connect.Id.ToString("D"),
            tenant = connect.Subject.Tenant.Value,
            authority = connect.Subject.Authority,
            subjectId = connect.Subject.Id,
            connection = connect.Connection.Value,
            attributes = connect.Attributes,
            session = connect.Session.Hex,
            kind = (int)connect.Kind,
            hostOrigin = connect.HostOrigin,
            hostDisplay = connect.HostDisplay,
            handle = connect.Handle.Hex,
            @sealed = connect.Sealed,
            issuer = connect.Issuer,
            redirectUri = connect.RedirectUri,
            expiresAt = connect.ExpiresAt.ToMs(),
            mac = connect.Mac,
            max = MaxPendingPerSession,
        })
    {
        // One session's connects begin one after the other, so that each counts those before it.
        Lock = "SELECT id_hash FROM sessions WHERE id_hash = @session AND tenant = @tenant {update}",
    };

    /// <summary>
    /// The popup goes on, with the handle of its opener: redirect URI, state, browser binding and sealed part are fixed now, with a new
    /// MAC. Once.
    /// </summary>
    /// <param name="redirected">The connect as it becomes; what was fixed when it began is not written again.</param>
    public static Change Redirect(PendingConnectRow redirected) => new(
        "connect-redirect",
        """
        UPDATE pending_connects SET stage = 1, redirect_uri = @redirectUri, state_hash = @state, binding_hash = @binding, sealed = @sealed, mac = @mac
        WHERE handle_hash = @handle AND stage = 0 AND expires_at > {now}
        """,
        new
        {
            handle = redirected.Handle.Hex,
            redirectUri = redirected.RedirectUri,
            state = redirected.State?.Hex,
            binding = redirected.Binding?.Hex,
            @sealed = redirected.Sealed,
            mac = redirected.Mac,
        });

    /// <summary>
    /// The callback came, with this state and from the browser of this binding. Once: it stands before the code is sent, so a replayed
    /// callback is refused whatever becomes of the first. Its MAC is erased. May be committed alone, since the answer's own event follows.
    /// </summary>
    public static Upkeep Use(SecretHash state, SecretHash binding) => new(
        "connect-use",
        """
        UPDATE pending_connects SET stage = 2, mac = NULL
        WHERE state_hash = @state AND binding_hash = @binding AND stage = 1 AND expires_at > {now}
        """,
        new { state = state.Hex, binding = binding.Hex });

    /// <summary>Gives up a connect that was not used yet.</summary>
    public static Change Fail(TenantId tenant, Guid id) => new(
        "connect-fail",
        "UPDATE pending_connects SET stage = 3, mac = NULL WHERE id = @id AND tenant = @tenant AND stage IN (0, 1)",
        new { id = id.ToString("D"), tenant = tenant.Value });

    /// <summary>Forgets connects that ended an hour ago or earlier.</summary>
    public static Upkeep Prune() => new(
        "connect-prune", "DELETE FROM pending_connects WHERE expires_at < {now} - 3600000", new { }, expected: RowCount.Any);
}
