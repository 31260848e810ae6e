using Postern.Model;

namespace Postern.Store;

/// <summary>Definitions get new revisions.</summary>
public static class DefinitionChanges
{
    /// <summary>
    /// Puts a new revision in force. Refused when <paramref name="previous"/> is not the one in force, or the new one is there already:
    /// somebody else changed the same thing first.
    /// </summary>
    /// <param name="previous">The revision in force as the caller read it; 0 for none.</param>
    /// <param name="next">The new revision, above all that there are (<see cref="DefinitionReads.HighestAsync"/>).</param>
    /// <param name="mac">Over the new revision.</param>
    /// <param name="madeBy">Who puts it, see <see cref="DefinitionRow.MadeBy"/>.</param>
    public static IReadOnlyList<Change> Put(
        TenantId tenant, DefinitionKind kind, string name, long previous, long next, string body, byte[] mac, string madeBy = DefinitionRow.Configuration)
    {
        var insert = new Change(
            "definition-put",
            """
            INSERT INTO definitions (tenant, kind, name, revision, current_name, body, mac, made_by, created_at)
            VALUES (@tenant, @kind, @name, @revision, @current, @body, @mac, @madeBy, {now})
            """,
            new
            {
                tenant = tenant.Value,
                kind = (int)kind,
                name,
                revision = next,
                current = $"{tenant}/{DefinitionRow.FeedKey(kind, name)}",
                body,
                mac,
                madeBy,
            },
            new FeedNotice(ChangeKind.Definition, tenant, DefinitionRow.FeedKey(kind, name)));
        if (previous == 0)
            return [insert];

        var supersede = new Change(
            "definition-supersede",
            """
            UPDATE definitions SET superseded_at = {now}, current_name = NULL
            WHERE tenant = @tenant AND kind = @kind AND name = @name AND revision = @previous AND superseded_at IS NULL
            """,
            new { tenant = tenant.Value, kind = (int)kind, name, previous });
        return [supersede, insert];
    }

    /// <summary>
    /// Takes a definition out of force by an empty revision, and ends the sessions that rest on it: all of a tenant, the frames of an
    /// embed key or workbook. In one transaction, so that no node lets such a session in afterwards.
    /// </summary>
    /// <param name="current">The revision in force.</param>
    /// <param name="next">The empty revision, above all that there are.</param>
    /// <param name="mac">Over the empty revision.</param>
    /// <param name="madeBy">Who retires it.</param>
    public static IReadOnlyList<Change> Retire(DefinitionRow current, long next, byte[] mac, string madeBy)
    {
        var retired = Put(current.Tenant, current.Kind, current.Name, current.Revision, next, "", mac, madeBy);
        return SessionChanges.EndAllThrough(current.Tenant, current.Kind, current.Name) is { } ended ? [.. retired, ended] : retired;
    }
}
