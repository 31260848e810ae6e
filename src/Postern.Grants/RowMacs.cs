using Postern.Model;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants;

// The rows that decide access, and how each is kept honest. A MAC under the tenant's key says "this row counts, and with these columns":
//
//   row             given when                      erased when                 besides the ids it covers
//   session         it begins, and at each touch    it ends                     person, kind, attributes, workbook, key, origin, all times
//   embed code      it is issued                    it is redeemed              person, attributes, workbook, key, origin, challenge, end
//   pending connect it begins, and goes on          it is used, or given up     person, attributes, connection, session, host, handle,
//                                                                               stage, state, binding, sealed part, issuer, redirect URI, end
//   grant           it is stored, confirmed,        it ends, however it ends    person, connection, session, state, confirmation,
//                   renewed                                                     generation, scopes, principal, digest, revision, absolute end
//
// So whoever ends a row need not know what is in it, and whoever lets it go on must have checked it first: a MAC is never made over
// columns that were read and not checked. Not covered: what only makes work (renewal claims, backoff, last use), and the sealed tokens,
// which the vault binds to the same ids themselves. A copy of a whole row with its MAC, put back later, fits: docs/threats.md says what
// that is worth and what shows it.

/// <summary>Makes and checks the MACs of the rows that decide access: one message for each kind of row, and all of them here.</summary>
internal sealed class RowMacs(TokenVault vault)
{
    public ValueTask<byte[]> OfAsync(SessionRow row, CancellationToken cancellation) => vault.MacAsync(Context(row), Message(row), cancellation);

    public ValueTask<Outcome<Done>> CheckAsync(SessionRow row, CancellationToken cancellation) =>
        vault.VerifyMacAsync(Context(row), Message(row), row.Mac, cancellation);

    public ValueTask<byte[]> OfAsync(EmbedCodeRow row, CancellationToken cancellation) => vault.MacAsync(Context(row), Message(row), cancellation);

    public ValueTask<Outcome<Done>> CheckAsync(EmbedCodeRow row, CancellationToken cancellation) =>
        vault.VerifyMacAsync(Context(row), Message(row), row.Mac, cancellation);

    public ValueTask<byte[]> OfAsync(PendingConnectRow row, CancellationToken cancellation) => vault.MacAsync(Context(row), Message(row), cancellation);

    public ValueTask<Outcome<Done>> CheckAsync(PendingConnectRow row, CancellationToken cancellation) =>
        vault.VerifyMacAsync(Context(row), Message(row), row.Mac, cancellation);

    /// <summary>Of a checked grant as it becomes: confirmed, or in its next generation.</summary>
    public ValueTask<byte[]> OfAsync(GrantRow row, CancellationToken cancellation) => vault.MacAsync(Context(row.Subject.Tenant, row.Id), Message(row), cancellation);

    public ValueTask<Outcome<Done>> CheckAsync(GrantRow row, CancellationToken cancellation) =>
        vault.VerifyMacAsync(Context(row.Subject.Tenant, row.Id), Message(row), row.Mac, cancellation);

    /// <summary>A new grant with its MAC.</summary>
    /// <param name="confirmation">The hash of the secret that the asking frame gives back; null for a grant that is active at once.</param>
    public async ValueTask<NewGrant> SignAsync(NewGrant grant, SecretHash? confirmation, CancellationToken cancellation) => grant with
    {
        Mac = await vault.MacAsync(
            Context(grant.Subject.Tenant, grant.Id),
            Message(
                grant.Id, grant.Subject, grant.Connection, grant.Session, confirmation is null ? GrantState.Active : GrantState.Unconfirmed, confirmation, 1,
                grant.Scopes, grant.Principal, grant.ConnectionDigest, grant.DefinitionRevision, grant.AbsoluteEndAt),
            cancellation),
    };

    private static MacContext Context(SessionRow row) => MacContexts.Session(row.Subject.Tenant, row.Id.Hex);

    private static MacContext Context(EmbedCodeRow row) => MacContexts.EmbedCode(row.Subject.Tenant, row.Code.Hex);

    private static MacContext Context(PendingConnectRow row) => MacContexts.PendingConnect(row.Subject.Tenant, row.Id);

    private static MacContext Context(TenantId tenant, GrantId id) => MacContexts.Grant(tenant, id);

    private static ReadOnlyMemory<byte> Message(SessionRow row) => Fields("postern/session-row/1", row.Subject)
        .Add((long)row.Kind).Add(row.Attributes).Add(row.Workbook?.Value).Add(row.EmbedKey).Add(row.Origin)
        .Add(Ms(row.CreatedAt)).Add(Ms(row.IdleExpiresAt)).Add(Ms(row.AbsoluteExpiresAt))
        .Written;

    private static ReadOnlyMemory<byte> Message(EmbedCodeRow row) => Fields("postern/embed-code-row/1", row.Subject)
        .Add(row.EmbedKey).Add(row.Attributes).Add(row.Workbook.Value).Add(row.Origin).Add(row.Challenge).Add(Ms(row.ExpiresAt))
        .Written;

    private static ReadOnlyMemory<byte> Message(PendingConnectRow row) => Fields("postern/pending-connect-row/1", row.Subject)
        .Add(row.Attributes).Add(row.Connection.Value).Add(row.Session.Hex).Add((long)row.Kind).Add(row.HostOrigin).Add(row.HostDisplay)
        .Add(row.Handle.Hex).Add((long)row.Stage).Add(row.State?.Hex).Add(row.Binding?.Hex).Add(row.Sealed).Add(row.Issuer).Add(row.RedirectUri)
        .Add(Ms(row.ExpiresAt))
        .Written;

    private static ReadOnlyMemory<byte> Message(GrantRow row) => Message(
        row.Id, row.Subject, row.Connection, row.Session, row.State, row.Confirmation, row.Generation, row.Scopes, row.Principal,
        row.ConnectionDigest, row.DefinitionRevision, row.AbsoluteEndAt);

    private static ReadOnlyMemory<byte> Message(
        GrantId id, SubjectKey subject, ConnectionId connection, SecretHash? session, GrantState state, SecretHash? confirmation, int generation,
        string scopes, PlatformPrincipal principal, byte[] digest, long revision, DateTimeOffset? absoluteEnd) => Fields("postern/grant-row/1", subject)
        .Add(id.Value).Add(connection.Value).Add(session?.Hex).Add((long)state).Add(confirmation?.Hex).Add((long)generation).Add(scopes)
        .Add(principal.Issuer).Add(principal.Id).Add(principal.Name).Add(principal.Email).Add(digest).Add(revision)
        .Add(absoluteEnd is { } end ? Ms(end) : (long?)null)
        .Written;

    private static CanonicalFields Fields(string label, SubjectKey subject) =>
        new CanonicalFields(label).Add(subject.Tenant.Value).Add(subject.Authority).Add(subject.Id);

    // Whole milliseconds, as the store keeps times.
    private static long Ms(DateTimeOffset time) => time.ToUnixTimeMilliseconds();
}
