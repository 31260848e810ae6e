using Postern.Model;

namespace Postern.Store;

/// <summary>Sessions begin, stay and end.</summary>
public static class SessionChanges
{
    /// <summary>Begins a session.</summary>
    public static Change Create(SessionRow session) => new(
        "session-create",
        """
        INSERT INTO sessions (id_hash, tenant, subject_authority, subject_id, kind, attributes, workbook, embed_key, origin,
            created_at, idle_expires_at, absolute_expires_at, mac)
        VALUES (@id, @tenant, @authority, @subjectId, @kind, @attributes, @workbook, @embedKey, @origin,
            @createdAt, @idleExpiresAt, @absoluteExpiresAt, @mac)
        """,
        new
        {
            id = session.Id.Hex,
            tenant = session.Subject.Tenant.Value,
            authority = session.Subject.Authority,
            subjectId = session.Subject.Id,
            kind = (int)session.Kind,
            attributes = session.Attributes,
            workbook = session.Workbook?.Value,
            embedKey = session.EmbedKey,
            origin = session.Origin,
            createdAt = session.CreatedAt.ToMs(),
            idleExpiresAt = session.IdleExpiresAt.ToMs(),
            absoluteExpiresAt = session.AbsoluteExpiresAt.ToMs(),
            mac = session.Mac,
        });

    /// <summary>
    /// Extends a live session that is used, with the MAC over its new end. Refused once it ended, and when somebody else extended it
    /// since it was read.
    /// </summary>
    /// <param name="seen">The session as read.</param>
    /// <param name="idleExpiresAt">When it ends unless it is used again; not beyond its absolute end.</param>
    /// <param name="mac">Over the session with that end.</param>
    public static Upkeep Touch(SessionRow seen, DateTimeOffset idleExpiresAt, byte[] mac) => new(
        "session-touch",
        """
        UPDATE sessions SET idle_expires_at = @idleExpiresAt, mac = @mac
        WHERE id_hash = @id AND tenant = @tenant AND ended_at IS NULL AND idle_expires_at = @seen AND idle_expires_at > {now}
            AND absolute_expires_at > {now} AND absolute_expires_at >= @idleExpiresAt
        """,
        new
        {
            id = seen.Id.Hex,
            tenant = seen.Subject.Tenant.Value,
            idleExpiresAt = idleExpiresAt.ToMs(),
            seen = seen.IdleExpiresAt.ToMs(),
            mac,
        });

    /// <summary>Ends a session and erases its MAC. Refused when it was ended already.</summary>
    public static Change End(TenantId tenant, SecretHash id) => new(
        "session-end",
        "UPDATE sessions SET ended_at = {now}, mac = NULL WHERE id_hash = @id AND tenant = @tenant AND ended_at IS NULL",
        new { id = id.Hex, tenant = tenant.Value },
        new FeedNotice(ChangeKind.Session, tenant, id.Hex));

    /// <summary>Ends all sessions of a person, or only those of one kind; the feed names each. Never refused.</summary>
    public static Change EndAllOf(SubjectKey subject, SessionKind? kind = null)
    {
        const string theirs =
            "tenant = @tenant AND subject_authority = @authority AND subject_id = @subjectId AND ended_at IS NULL AND (@kind IS NULL OR kind = @kind)";
        return new(
            "session-end-all",
            $"UPDATE sessions SET ended_at = {{now}}, mac = NULL WHERE {theirs}",
            new { tenant = subject.Tenant.Value, authority = subject.Authority, subjectId = subject.Id, kind = (int?)kind },
            new FeedNotice(ChangeKind.Session, subject.Tenant, "", $"SELECT id_hash FROM sessions WHERE {theirs} {{update}}"),
            RowCount.Any);
    }

    /// <summary>Ends all sessions of a tenant; the feed names each. Never refused.</summary>
    public static Change EndAllOf(TenantId tenant) => EndAllThrough(tenant, DefinitionKind.Tenant, tenant.Value)!;

    /// <summary>
    /// Ends all sessions that rest on a definition that is no longer in force; the feed names each. Null for a kind that no session rests
    /// on. Never refused.
    /// </summary>
    internal static Change? EndAllThrough(TenantId tenant, DefinitionKind kind, string name)
    {
        var through = kind switch
        {
            DefinitionKind.Tenant => "tenant = @tenant AND ended_at IS NULL",
            DefinitionKind.EmbedKey => "tenant = @tenant AND embed_key = @name AND ended_at IS NULL",
            DefinitionKind.Workbook => "tenant = @tenant AND workbook = @name AND ended_at IS NULL",
            _ => null,
        };
        return through is null ? null : new(
            "session-end-through",
            $"UPDATE sessions SET ended_at = {{now}}, mac = NULL WHERE {through}",
            new { tenant = tenant.Value, name },
            new FeedNotice(ChangeKind.Session, tenant, "", $"SELECT id_hash FROM sessions WHERE {through} {{update}}"),
            RowCount.Any);
    }

    /// <summary>Forgets sessions that ended a day ago or earlier.</summary>
    public static Upkeep Prune() => new(
        "session-prune", "DELETE FROM sessions WHERE absolute_expires_at < {now} - 86400000", new { }, expected: RowCount.Any);
}

/// <summary>Sign-ins on their way to a session.</summary>
public static class SignInChanges
{
    /// <summary>Begins a sign-in, which decides nothing yet: no event.</summary>
    public static Upkeep Begin(SignInRow signIn) => new(
        "sign-in-begin",
        """
        INSERT INTO sign_ins (state_hash, tenant, binding_hash, sealed, return_to, expires_at)
        VALUES (@state, @tenant, @binding, @sealed, @returnTo, @expiresAt)
        """,
        new
        {
            state = signIn.State.Hex,
            tenant = signIn.Tenant.Value,
            binding = signIn.Binding.Hex,
            @sealed = signIn.Sealed,
            returnTo = signIn.ReturnTo,
            expiresAt = signIn.ExpiresAt.ToMs(),
        });

    /// <summary>The callback came, with this state and from the browser of this binding. Once, before the code is sent.</summary>
    public static Upkeep Use(TenantId tenant, SecretHash state, SecretHash binding) => new(
        "sign-in-use",
        """
        UPDATE sign_ins SET used_at = {now}
        WHERE state_hash = @state AND tenant = @tenant AND binding_hash = @binding AND used_at IS NULL AND expires_at > {now}
        """,
        new { state = state.Hex, tenant = tenant.Value, binding = binding.Hex });

    /// <summary>Forgets sign-ins that ended an hour ago or earlier.</summary>
    public static Upkeep Prune() => new(
        "sign-in-prune", "DELETE FROM sign_ins WHERE expires_at < {now} - 3600000", new { }, expected: RowCount.Any);
}
