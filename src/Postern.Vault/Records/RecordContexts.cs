using Postern.Model;

namespace Postern.Vault;

/// <summary>
/// One function per kind of record. Each names its kind and table itself; two kinds never share both, so a record cannot be moved
/// from one column to another and still open.
/// </summary>
public static class RecordContexts
{
    /// <summary>The length of a connection digest (<see cref="ConnectionDigest.Of"/>), in bytes.</summary>
    public const int DigestLength = 32;

    /// <summary>An access token of a grant.</summary>
    /// <param name="grant">The grant's row.</param>
    /// <param name="subject">Whose token.</param>
    /// <param name="connection">For which connection.</param>
    /// <param name="generation">Which token pair of the grant.</param>
    /// <param name="connectionDigest">Where the token may go, <see cref="ConnectionDigest.Of"/>.</param>
    /// <exception cref="ArgumentException">An id is empty or the digest is not 32 bytes.</exception>
    public static RecordContext AccessToken(
        GrantId grant, SubjectKey subject, ConnectionId connection, int generation, ReadOnlySpan<byte> connectionDigest) =>
        OfSubject("token.access", "grants", grant.ToString(), subject, connection, generation, connectionDigest);

    /// <summary>A refresh token of a grant; parameters as <see cref="AccessToken"/>.</summary>
    /// <exception cref="ArgumentException">An id is empty or the digest is not 32 bytes.</exception>
    public static RecordContext RefreshToken(
        GrantId grant, SubjectKey subject, ConnectionId connection, int generation, ReadOnlySpan<byte> connectionDigest) =>
        OfSubject("token.refresh", "grants", grant.ToString(), subject, connection, generation, connectionDigest);

    /// <summary>The state, nonce and PKCE verifier of a connect under way.</summary>
    /// <param name="pending">The row's id, such as a hash of the state.</param>
    /// <param name="subject">Who connects.</param>
    /// <param name="connection">To which connection.</param>
    /// <param name="connectionDigest">Where the code and the verifier may go, <see cref="ConnectionDigest.Of"/>.</param>
    /// <exception cref="ArgumentException">An id is empty or the digest is not 32 bytes.</exception>
    public static RecordContext PendingConnect(
        string pending, SubjectKey subject, ConnectionId connection, ReadOnlySpan<byte> connectionDigest) =>
        OfSubject("connect.pending", "pending_connects", pending, subject, connection, null, connectionDigest);

    /// <summary>The state, nonce and PKCE verifier of a sign-in under way; nobody is known yet.</summary>
    /// <param name="tenant">The tenant of the origin.</param>
    /// <param name="pending">The row's id, such as a hash of the state.</param>
    /// <param name="issuer">The sign-in issuer that the code and the verifier may go to.</param>
    /// <exception cref="ArgumentException">An id is empty.</exception>
    public static RecordContext SignIn(TenantId tenant, string pending, string issuer)
    {
        ArgumentException.ThrowIfNullOrEmpty(issuer);
        return RecordContext.Of(tenant, "sign-in.pending", "pending_sign_ins", pending, issuer, null, null, null, []);
    }

    /// <summary>The client secret of a connection. Its context holds the digest too: whoever edits the endpoint gets no secret either.</summary>
    /// <param name="tenant">The connection's tenant.</param>
    /// <param name="connection">The connection.</param>
    /// <param name="version">Counts the secrets of this connection.</param>
    /// <param name="connectionDigest">Where the secret may go, <see cref="ConnectionDigest.Of"/>.</param>
    /// <exception cref="ArgumentException">An id is empty or the digest is not 32 bytes.</exception>
    public static RecordContext ClientSecret(TenantId tenant, ConnectionId connection, long version, ReadOnlySpan<byte> connectionDigest) =>
        RecordContext.Of(tenant, "client.secret", "connections", connection.Value, null, null, connection, version, Checked(connectionDigest));

    /// <summary>
    /// A record of a program that uses this package alone. Its kind gets the prefix <c>x.</c>, so it is never one of Postern's own.
    /// </summary>
    /// <param name="tenant">Whose key seals it.</param>
    /// <param name="kind">What it is; one name per column.</param>
    /// <param name="table">Where it is kept.</param>
    /// <param name="row">The id of its row.</param>
    /// <param name="generation">Counts rewrites of the row, when the program does; so an older value does not open in the place of a newer.</param>
    /// <exception cref="ArgumentException">An id is empty.</exception>
    public static RecordContext Extension(TenantId tenant, string kind, string table, string row, long? generation = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(kind);
        return RecordContext.Of(tenant, "x." + kind, table, row, null, null, null, generation, []);
    }

    private static RecordContext OfSubject(
        string kind, string table, string row, SubjectKey subject, ConnectionId connection, int? generation, ReadOnlySpan<byte> digest)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject.Authority);
        ArgumentException.ThrowIfNullOrEmpty(subject.Id);
        return RecordContext.Of(
            subject.Tenant, kind, table, row, subject.Authority, subject.Id, connection, generation, Checked(digest));
    }

    private static ReadOnlySpan<byte> Checked(ReadOnlySpan<byte> digest) => digest.Length == DigestLength
        ? digest
        : throw new ArgumentException($"A connection digest has {DigestLength} bytes.", nameof(digest));
}
