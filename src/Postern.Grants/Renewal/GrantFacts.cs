using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Renewal;

/// <summary>The row, as the protocol sees it.</summary>
internal static class GrantFacts
{
    /// <param name="takeOverWithin">How long after the deadline of a lost sending it may be taken over.</param>
    public static RenewalFacts Of(GrantRow row, Connection connection, TimeSpan takeOverWithin = default)
    {
        var end = row.AccessExpiresAt;
        return new(
            row.State,
            row.Generation,
            row.AccessSealed is null ? null : end,
            row.RenewalDueAt ?? end ?? DateTimeOffset.UnixEpoch,
            row.Reason != ReconnectReason.Uncertain && (connection.Identity == IdentityMode.Service || row.RefreshSealed is not null),
            row.Renewal,
            row.RenewalDeadline ?? DateTimeOffset.UnixEpoch,
            row.RenewalNotBefore ?? DateTimeOffset.UnixEpoch)
        {
            TakeOvers = row.RenewalTakeovers,
            TakeOverBefore = (row.RenewalDeadline ?? DateTimeOffset.UnixEpoch) + takeOverWithin,
            AbsoluteEndAt = row.AbsoluteEndAt,
        };
    }

    /// <summary>
    /// What the authorization server does to a spent refresh token. Client credentials can be asked for again at any time, so a lost
    /// answer costs nothing there.
    /// </summary>
    public static RefreshRotation Rotation(Connection connection, GrantOptions options) =>
        connection.Identity == IdentityMode.Service ? RefreshRotation.None : Profile(connection, options).Rotation;

    /// <summary>
    /// How long after the deadline of a lost sending the same token may be sent again. The grace counts from the first sending at the
    /// earliest; a take-over may need its whole claim and its whole sending. Negative where the grace is too short for another node.
    /// </summary>
    public static TimeSpan TakeOverWithin(Connection connection, GrantOptions options) =>
        connection.Identity == IdentityMode.Service ? default : Profile(connection, options).Grace - options.SendFor - options.ClaimFor - options.SendFor;

    public static ProviderProfile Profile(Connection connection, GrantOptions options) =>
        options.Profiles(connection.Authorization) ?? throw new InvalidOperationException(
            $"Connection {connection.Id} names the profile '{connection.Authorization.Profile}', which this version does not know.");

    public static Refusal Reconnect(GrantRow? row, Connection connection) => new(
        RefusalKind.ReconnectRequired,
        row?.State switch
        {
            null => $"You are not connected to {connection.DisplayName} yet.",
            GrantState.Revoked => $"Your connection to {connection.DisplayName} was revoked. Connect again to go on.",
            _ => row.Reason switch
            {
                ReconnectReason.Uncertain => $"Your connection to {connection.DisplayName} was interrupted while it was being renewed. Connect again to go on.",
                ReconnectReason.Changed => $"The settings of {connection.DisplayName} changed. Connect again to go on.",
                ReconnectReason.Scope => $"{connection.DisplayName} was connected without a permission that queries need. Connect again and allow it.",
                _ => $"Your connection to {connection.DisplayName} ended. Connect again to go on.",
            },
        })
    {
        Reconnect = row is null ? ReconnectReason.None : row.State == GrantState.Revoked ? ReconnectReason.Revoked : row.Reason == ReconnectReason.None ? ReconnectReason.Expired : row.Reason,
        Connection = connection.Id,
        Code = "reconnect",
    };

    /// <summary>An event about this grant.</summary>
    public static AuditEvent Event(EventKind kind, GrantRow row, string? code = null) => new(kind, row.Subject.Tenant)
    {
        Subject = row.Subject,
        Connection = row.Connection,
        Grant = row.Id,
        Generation = row.Generation,
        Principal = row.Principal,
        Code = code,
    };
}
