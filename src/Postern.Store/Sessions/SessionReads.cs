using Postern.Model;

namespace Postern.Store;

/// <summary>Finds sessions and sign-ins.</summary>
public sealed class SessionReads
{
    private readonly Database database;

    internal SessionReads(Database database) => this.database = database;

    /// <summary>The session, live or not; null if unknown. Check <see cref="SessionRow.IsLive"/> and its MAC.</summary>
    public Task<SessionRow?> FindAsync(TenantId tenant, SecretHash id, CancellationToken cancellation) => database.FindAsync(
        "SELECT * FROM sessions WHERE id_hash = @id AND tenant = @tenant", new { id = id.Hex, tenant = tenant.Value }, SessionRow.Read, cancellation);

    /// <summary>A person's sessions that were not ended, latest first.</summary>
    public Task<IReadOnlyList<SessionRow>> ListOfAsync(SubjectKey subject, CancellationToken cancellation) => database.ListAsync(
        """
        SELECT * FROM sessions WHERE tenant = @tenant AND subject_authority = @authority AND subject_id = @subjectId AND ended_at IS NULL
            AND idle_expires_at > {now} AND absolute_expires_at > {now}
        ORDER BY created_at DESC
        """,
        new { tenant = subject.Tenant.Value, authority = subject.Authority, subjectId = subject.Id }, SessionRow.Read, cancellation);

    /// <summary>The sign-in of that state, used or not; null if unknown.</summary>
    public Task<SignInRow?> FindSignInAsync(TenantId tenant, SecretHash state, CancellationToken cancellation) => database.FindAsync(
        "SELECT * FROM sign_ins WHERE state_hash = @state AND tenant = @tenant",
        new { state = state.Hex, tenant = tenant.Value }, SignInRow.Read, cancellation);
}
