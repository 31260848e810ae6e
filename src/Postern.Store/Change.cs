using Postern.Model;

namespace Postern.Store;

/// <summary>
/// One statement of a commit, with the number of rows it must touch. Made only by the builders of each table
/// (<see cref="GrantChanges"/>, <see cref="SessionChanges"/>, …) and run only by <see cref="PosternStore.CommitAsync"/>, which
/// cannot be called without an event: no event, no action.
/// </summary>
public class Change
{
    internal Change(string name, string sql, object parameters, FeedNotice? notice = null, RowCount expected = RowCount.One)
    {
        Name = name;
        Sql = sql;
        Parameters = parameters;
        Notice = notice;
        Expected = expected;
    }

    /// <summary>A short stable word, such as <c>grant-claim</c>; <see cref="CommitResult.Refused"/> names it.</summary>
    public string Name { get; }

    /// <summary>Portable SQL; <c>{now}</c> stands for the store's time in Unix milliseconds.</summary>
    internal string Sql { get; }

    /// <summary>An object whose properties are the parameters.</summary>
    internal object Parameters { get; }

    /// <summary>
    /// SELECTs that lock rows on a server before <see cref="Sql"/> decides by them, with the same parameters; null for none. Statements
    /// of their own, because each statement sees what was committed before it began, not before it got its locks.
    /// </summary>
    internal string? Lock { get; init; }

    /// <summary>What other nodes must hear, written in the same transaction.</summary>
    internal FeedNotice? Notice { get; }

    /// <summary>How many rows the statement must touch.</summary>
    internal RowCount Expected { get; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>
/// A change that decides nothing by itself, such as a heartbeat or the extension of an idle session. It may go along in a commit,
/// or alone by <see cref="PosternStore.UpkeepAsync(Upkeep, CancellationToken)"/>, without an event.
/// </summary>
public sealed class Upkeep : Change
{
    internal Upkeep(string name, string sql, object parameters, FeedNotice? notice = null, RowCount expected = RowCount.One)
        : base(name, sql, parameters, notice, expected)
    {
    }
}

/// <summary>How many rows a statement must touch for its commit to stand.</summary>
internal enum RowCount
{
    /// <summary>Exactly one; anything else refuses the commit.</summary>
    One,

    /// <summary>Any number, none included.</summary>
    Any,
}

/// <summary>
/// A row for the feed. Either one key, or (<see cref="Select"/>) one row for each that a statement finds, evaluated before the
/// change itself.
/// </summary>
/// <param name="Kind">What kind of thing changed.</param>
/// <param name="Tenant">Whose.</param>
/// <param name="Key">Its name.</param>
/// <param name="Select">A query for the keys, with the change's own parameters; null for the one key.</param>
internal sealed record FeedNotice(ChangeKind Kind, TenantId Tenant, string Key, string? Select = null);

/// <summary>How a commit ended.</summary>
/// <param name="Committed">True when every change and event is durable; false when nothing was written.</param>
/// <param name="Refused">The name of the change that did not find the rows it expected; null when committed.</param>
public readonly record struct CommitResult(bool Committed, string? Refused)
{
    /// <summary>Everything is durable.</summary>
    public static CommitResult Ok { get; } = new(true, null);

    /// <summary>This change did not fit; nothing was written.</summary>
    public static CommitResult RefusedBy(string change) => new(false, change);
}
