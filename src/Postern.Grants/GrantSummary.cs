using System.Collections.Immutable;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants;

/// <summary>A grant as the person who gave it sees it; never a token.</summary>
/// <param name="Row">The grant.</param>
/// <param name="Connection">Its connection, or null when it no longer exists.</param>
/// <param name="Revocations">What became of telling the authorization server, latest first.</param>
public sealed record GrantSummary(GrantRow Row, Connection? Connection, IReadOnlyList<RevocationRow> Revocations)
{
    /// <summary>The granted scopes.</summary>
    public ImmutableArray<string> Scopes => [.. Row.Scopes.Split(' ', StringSplitOptions.RemoveEmptyEntries)];

    /// <summary>When it ends whatever is renewed; null when no such end is known.</summary>
    public DateTimeOffset? EndsAt => Row.AbsoluteEndAt;

    /// <summary>
    /// What the person should know before queries stop, or null. <c>ends-soon</c>: its absolute end is within a day, or within a tenth of
    /// its life where that is shorter. <c>cannot-renew</c>: it serves to its access token's end only. <c>renewal-failing</c>: it serves,
    /// and its renewal is tried again.
    /// </summary>
    public string? WarningAt(DateTimeOffset now) => Row switch
    {
        not { State: GrantState.Active } => null,
        { AbsoluteEndAt: { } end } when end - now < NearEnd(end - Row.CreatedAt) => "ends-soon",
        { Reason: ReconnectReason.Uncertain } => "cannot-renew",
        { RenewalAttempts: > 0 } => "renewal-failing",
        _ => null,
    };

    private static TimeSpan NearEnd(TimeSpan life) => life / 10 < TimeSpan.FromDays(1) ? life / 10 : TimeSpan.FromDays(1);

    /// <summary>The profile of the authorization server, if this version knows it.</summary>
    public ProviderProfile? Profile => Connection is null ? null : ProviderProfile.Of(Connection.Authorization);
}
