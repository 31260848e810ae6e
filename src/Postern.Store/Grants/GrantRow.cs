using Postern.Model;

namespace Postern.Store;

/// <summary>A grant as stored: who allowed what on which connection, its sealed tokens, and where its renewal stands.</summary>
public sealed record GrantRow
{
    /// <summary>The id, which never changes while the tokens do.</summary>
    public required GrantId Id { get; init; }

    /// <summary>Who allowed it.</summary>
    public required SubjectKey Subject { get; init; }

    /// <summary>On which connection.</summary>
    public required ConnectionId Connection { get; init; }

    /// <summary>The session that asked; null for grants without a person's consent (<c>service</c>).</summary>
    public SecretHash? Session { get; init; }

    /// <summary>Where it stands.</summary>
    public required GrantState State { get; init; }

    /// <summary>
    /// Why the person has to connect again. On an <see cref="GrantState.Active"/> grant, <see cref="ReconnectReason.Uncertain"/> means:
    /// usable until its access token ends, never renewed.
    /// </summary>
    public required ReconnectReason Reason { get; init; }

    /// <summary>Counts token pairs, from 1.</summary>
    public required int Generation { get; init; }

    /// <summary>The sealed access token; null once revoked.</summary>
    public byte[]? AccessSealed { get; init; }

    /// <summary>The sealed refresh token; null when none was issued, or once revoked.</summary>
    public byte[]? RefreshSealed { get; init; }

    /// <summary>When the access token ends.</summary>
    public DateTimeOffset? AccessExpiresAt { get; init; }

    /// <summary>When the refresh token ends, if the authorization server said.</summary>
    public DateTimeOffset? RefreshExpiresAt { get; init; }

    /// <summary>When the grant ends whatever is renewed, if the provider has such an end.</summary>
    public DateTimeOffset? AbsoluteEndAt { get; init; }

    /// <summary>The granted scopes, separated by single spaces.</summary>
    public required string Scopes { get; init; }

    /// <summary>Who consented at the platform.</summary>
    public required PlatformPrincipal Principal { get; init; }

    /// <summary>The connection's digest (<see cref="Postern.Model.ConnectionDigest"/>) that the tokens are sealed to.</summary>
    public required byte[] ConnectionDigest { get; init; }

    /// <summary>The revision of the connection when the grant was given.</summary>
    public required long DefinitionRevision { get; init; }

    /// <summary>The hash of the secret that the asking frame gives back; null once confirmed or over.</summary>
    public SecretHash? Confirmation { get; init; }

    /// <summary>Until when the asking frame may confirm.</summary>
    public DateTimeOffset? ConfirmBefore { get; init; }

    /// <summary>
    /// The MAC that says the grant counts: for whom, where, with which scopes and in which generation. Made and checked by the caller;
    /// null once the grant is over.
    /// </summary>
    public byte[]? Mac { get; init; }

    /// <summary>Where the renewal stands.</summary>
    public required RenewalState Renewal { get; init; }

    /// <summary>Grows by one at each claim; every later step of that claim names it.</summary>
    public required long RenewalFence { get; init; }

    /// <summary>The node that holds the claim.</summary>
    public string? RenewalNode { get; init; }

    /// <summary>When the claim (or the sending) counts as lost, by the store's clock.</summary>
    public DateTimeOffset? RenewalDeadline { get; init; }

    /// <summary>No claim before this: <c>Retry-After</c> or backoff.</summary>
    public DateTimeOffset? RenewalNotBefore { get; init; }

    /// <summary>Failed attempts since the last success.</summary>
    public required int RenewalAttempts { get; init; }

    /// <summary>How often an uncertain renewal was taken over since the last success.</summary>
    public required int RenewalTakeovers { get; init; }

    /// <summary>When the background renews it, jittered; null for never.</summary>
    public DateTimeOffset? RenewalDueAt { get; init; }

    /// <summary>When the tokens were first stored.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When the asking frame confirmed.</summary>
    public DateTimeOffset? ConfirmedAt { get; init; }

    /// <summary>When a query last used it.</summary>
    public DateTimeOffset? LastUsedAt { get; init; }

    /// <summary>When it was revoked.</summary>
    public DateTimeOffset? RevokedAt { get; init; }

    internal static GrantRow Read(Columns row) => new()
    {
        Id = new(row.Id("id")),
        Subject = row.Subject(),
        Connection = row.Connection(),
        Session = row.HashOrNull("session_hash"),
        State = (GrantState)row.Int("state"),
        Reason = (ReconnectReason)row.Int("reason"),
        Generation = row.Int("generation"),
        AccessSealed = row.BytesOrNull("access_sealed"),
        RefreshSealed = row.BytesOrNull("refresh_sealed"),
        AccessExpiresAt = row.TimeOrNull("access_expires_at"),
        RefreshExpiresAt = row.TimeOrNull("refresh_expires_at"),
        AbsoluteEndAt = row.TimeOrNull("absolute_end_at"),
        Scopes = row.Text("scopes"),
        Principal = new(row.Text("principal_issuer"), row.Text("principal_id"), row.Text("principal_name"), row.TextOrNull("principal_email")),
        ConnectionDigest = row.Bytes("connection_digest"),
        DefinitionRevision = row.Number("definition_revision"),
        Confirmation = row.HashOrNull("confirmation_hash"),
        ConfirmBefore = row.TimeOrNull("confirm_before"),
        Mac = row.BytesOrNull("mac"),
        Renewal = (RenewalState)row.Int("renewal_state"),
        RenewalFence = row.Number("renewal_fence"),
        RenewalNode = row.TextOrNull("renewal_node"),
        RenewalDeadline = row.TimeOrNull("renewal_deadline"),
        RenewalNotBefore = row.TimeOrNull("renewal_not_before"),
        RenewalAttempts = row.Int("renewal_attempts"),
        RenewalTakeovers = row.Int("renewal_takeovers"),
        RenewalDueAt = row.TimeOrNull("renewal_due_at"),
        CreatedAt = row.Time("created_at"),
        ConfirmedAt = row.TimeOrNull("confirmed_at"),
        LastUsedAt = row.TimeOrNull("last_used_at"),
        RevokedAt = row.TimeOrNull("revoked_at"),
    };
}

/// <summary>What a token endpoint gave, sealed: the pair and when it ends.</summary>
/// <param name="Access">The sealed access token.</param>
/// <param name="Refresh">The sealed refresh token; null when none was issued.</param>
/// <param name="AccessExpiresAt">When the access token ends.</param>
/// <param name="RefreshExpiresAt">When the refresh token ends, if known.</param>
/// <param name="RenewalDueAt">When the background renews the pair, jittered; null for never.</param>
public sealed record SealedPair(
    byte[] Access, byte[]? Refresh, DateTimeOffset AccessExpiresAt, DateTimeOffset? RefreshExpiresAt, DateTimeOffset? RenewalDueAt)
{
    /// <summary>The granted scopes, separated by single spaces; null at a renewal that did not change them.</summary>
    public string? Scopes { get; init; }
}

/// <summary>A grant about to be stored, generation 1.</summary>
public sealed record NewGrant
{
    /// <summary>The id.</summary>
    public required GrantId Id { get; init; }

    /// <summary>Who allowed it.</summary>
    public required SubjectKey Subject { get; init; }

    /// <summary>On which connection.</summary>
    public required ConnectionId Connection { get; init; }

    /// <summary>The session that asked.</summary>
    public SecretHash? Session { get; init; }

    /// <summary>The first pair.</summary>
    public required SealedPair Pair { get; init; }

    /// <summary>The granted scopes, separated by single spaces.</summary>
    public required string Scopes { get; init; }

    /// <summary>Who consented at the platform.</summary>
    public required PlatformPrincipal Principal { get; init; }

    /// <summary>The digest the tokens are sealed to.</summary>
    public required byte[] ConnectionDigest { get; init; }

    /// <summary>The revision of the connection.</summary>
    public required long DefinitionRevision { get; init; }

    /// <summary>When the grant ends whatever is renewed.</summary>
    public DateTimeOffset? AbsoluteEndAt { get; init; }

    /// <summary>The MAC over the row as it is inserted, see <see cref="GrantRow.Mac"/>; without one nobody believes the row.</summary>
    public byte[] Mac { get; init; } = [];
}
