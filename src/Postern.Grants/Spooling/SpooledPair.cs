using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Spooling;

/// <summary>A renewed pair on its way into the store: sealed, with everything that its one statement needs.</summary>
internal sealed record SpooledPair
{
    /// <summary>The grant.</summary>
    public required Guid Grant { get; init; }

    public required string Tenant { get; init; }

    public required string SubjectAuthority { get; init; }

    public required string SubjectId { get; init; }

    public required string Connection { get; init; }

    /// <summary>The fence of the claim that renewed it: under it, or not at all.</summary>
    public required long Fence { get; init; }

    /// <summary>The generation that the pair becomes.</summary>
    public required int Generation { get; init; }

    public required byte[] ConnectionDigest { get; init; }

    public required byte[] Access { get; init; }

    /// <summary>The sealed refresh token of the new generation, which may be the old one.</summary>
    public byte[]? Refresh { get; init; }

    /// <summary>Whether the refresh token is a new one, which nobody else holds.</summary>
    public required bool IsRefreshNew { get; init; }

    /// <summary>Whether its server spends a refresh token by exchanging it, so that two pairs of one generation mean that one token was sent twice.</summary>
    public bool Rotates { get; init; }

    public required DateTimeOffset AccessExpiresAt { get; init; }

    public DateTimeOffset? RenewalDueAt { get; init; }

    /// <summary>The granted scopes, when the answer named them.</summary>
    public string? Scopes { get; init; }

    /// <summary>The MAC of the row as it becomes.</summary>
    public required byte[] Mac { get; init; }

    internal SubjectKey Subject => new(TenantId.Parse(Tenant), SubjectAuthority, SubjectId);

    internal GrantId Id => new(Grant);

    internal SealedPair Pair => new(Access, Refresh, AccessExpiresAt, RefreshExpiresAt: null, RenewalDueAt) { Scopes = Scopes };

    /// <summary>Where it was read from; null while it is only in memory.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public string? File { get; init; }
}
