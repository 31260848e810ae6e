using Postern.Model;

namespace Postern.Store;

/// <summary>
/// Moves a row under another key version. Each is a compare-and-set on the old bytes: what anybody wrote since it was read stands, and
/// the move is refused. A move decides nothing, so it is upkeep; the rotation it belongs to has its events.
/// </summary>
public static class ResealChanges
{
    // Null-safe in every database: a column that was NULL must still be.
    private static string Holds(string column) => $"(({column} IS NULL AND @{column} IS NULL) OR {column} = @{column})";

    /// <summary>A grant: both tokens and the MAC. The feed names it, because leases are compared with the MAC.</summary>
    public static Upkeep Grant(GrantRow seen, byte[]? access, byte[]? refresh, byte[]? mac) => new(
        "grant-reseal",
        $"""
        UPDATE grants SET access_sealed = @newAccess, refresh_sealed = @newRefresh, mac = @newMac
        WHERE id = @id AND tenant = @tenant AND generation = @generation AND {Holds("access_sealed")} AND {Holds("refresh_sealed")} AND {Holds("mac")}
        """,
        new
        {
            id = seen.Id.ToString(),
            tenant = seen.Subject.Tenant.Value,
            generation = seen.Generation,
            access_sealed = seen.AccessSealed,
            refresh_sealed = seen.RefreshSealed,
            mac = seen.Mac,
            newAccess = access,
            newRefresh = refresh,
            newMac = mac,
        },
        GrantChanges.Notice(seen.Subject.Tenant, seen.Id));

    /// <summary>A revocation that waits.</summary>
    public static Upkeep Revocation(RevocationRow seen, byte[]? access, byte[]? refresh) => new(
        "revocation-reseal",
        $"""
        UPDATE provider_revocations SET access_sealed = @newAccess, refresh_sealed = @newRefresh
        WHERE id = @id AND tenant = @tenant AND status = 0 AND {Holds("access_sealed")} AND {Holds("refresh_sealed")}
        """,
        new
        {
            id = seen.Id.ToString("D"),
            tenant = seen.Tenant.Value,
            access_sealed = seen.AccessSealed,
            refresh_sealed = seen.RefreshSealed,
            newAccess = access,
            newRefresh = refresh,
        });

    /// <summary>A live session.</summary>
    public static Upkeep Session(SessionRow seen, byte[] mac) => new(
        "session-reseal",
        "UPDATE sessions SET mac = @newMac WHERE id_hash = @id AND tenant = @tenant AND ended_at IS NULL AND mac = @mac",
        new { id = seen.Id.Hex, tenant = seen.Subject.Tenant.Value, mac = seen.Mac, newMac = mac });

    /// <summary>
    /// A definition, in force or not, at the revision it has. A body that changes with it (a client secret was sealed anew) changes the
    /// digest that the log knows, so for the one in force the caller tells the new one.
    /// </summary>
    public static Upkeep Definition(DefinitionRow seen, string body, byte[] mac) => new(
        "definition-reseal",
        """
        UPDATE definitions SET body = @body, mac = @newMac
        WHERE tenant = @tenant AND kind = @kind AND name = @name AND revision = @revision AND mac = @mac
            AND CASE WHEN superseded_at IS NULL THEN 1 ELSE 0 END = @inForce
        """,
        new
        {
            tenant = seen.Tenant.Value,
            kind = (int)seen.Kind,
            name = seen.Name,
            revision = seen.Revision,
            mac = seen.Mac,
            inForce = seen.SupersededAt is null ? 1 : 0,
            body,
            newMac = mac,
        },
        new FeedNotice(ChangeKind.Definition, seen.Tenant, DefinitionRow.FeedKey(seen.Kind, seen.Name)));
}
