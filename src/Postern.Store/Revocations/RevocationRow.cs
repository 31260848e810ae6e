using Postern.Model;

namespace Postern.Store;

/// <summary>Where telling the authorization server stands.</summary>
public enum RevocationStatus
{
    /// <summary>To be told, now or again later.</summary>
    Pending = 0,

    /// <summary>Confirmed.</summary>
    Done = 1,

    /// <summary>It has no revocation endpoint; the access token lives until its end.</summary>
    Cannot = 2,

    /// <summary>It never confirmed and no longer needs to, or nobody can open the tokens any more.</summary>
    GaveUp = 3,
}

/// <summary>A revocation to be told to the authorization server, with the sealed tokens it is about.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Subject">Whose tokens they are, and who they are sealed to.</param>
/// <param name="Connection">At which connection's authorization server.</param>
/// <param name="Grant">The grant the tokens are sealed to.</param>
/// <param name="Generation">The generation they are sealed to.</param>
/// <param name="ConnectionDigest">The digest they are sealed to.</param>
/// <param name="RefreshSealed">The sealed refresh token, if any.</param>
/// <param name="AccessSealed">The sealed access token, if any.</param>
/// <param name="AccessLivesUntil">Until when the access token works if nobody tells; null if unknown.</param>
public sealed record RevocationRow(
    Guid Id,
    SubjectKey Subject,
    ConnectionId Connection,
    GrantId Grant,
    int Generation,
    byte[] ConnectionDigest,
    byte[]? RefreshSealed,
    byte[]? AccessSealed,
    DateTimeOffset? AccessLivesUntil)
{
    /// <summary>Whose tenant.</summary>
    public TenantId Tenant => Subject.Tenant;

    /// <summary>Where it stands.</summary>
    public RevocationStatus Status { get; init; }

    /// <summary>Attempts so far.</summary>
    public int Attempts { get; init; }

    /// <summary>Not before this; while claimed, the claim's deadline.</summary>
    public DateTimeOffset NotBefore { get; init; }

    /// <summary>Grows by one at each claim.</summary>
    public long Fence { get; init; }

    /// <summary>A short stable word for the last failure.</summary>
    public string? LastError { get; init; }

    internal static RevocationRow Read(Columns row) => new(
        row.Id("id"), row.Subject(), row.Connection(), new(row.Id("grant_id")), row.Int("generation"), row.Bytes("connection_digest"),
        row.BytesOrNull("refresh_sealed"), row.BytesOrNull("access_sealed"), row.TimeOrNull("access_lives_until"))
    {
        Status = (RevocationStatus)row.Int("status"),
        Attempts = row.Int("attempts"),
        NotBefore = row.Time("not_before"),
        Fence = row.Number("fence"),
        LastError = row.TextOrNull("last_error"),
    };
}
