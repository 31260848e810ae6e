using System.Collections.Immutable;

namespace Postern.Policy;

/// <summary>What happens to a masked column.</summary>
public enum ColumnMask
{
    /// <summary>The column is not there; naming it is an error.</summary>
    Hide,
    /// <summary>Every value is null; the column keeps its type.</summary>
    Null,
    /// <summary>
    /// Every value is its SHA-256 in hex: equal values stay equal, so one may still count and join. It is no protection for values
    /// that can be guessed (states, phone numbers); use <see cref="Null"/> there.
    /// </summary>
    Hash,
}

/// <summary>Row filter and column masks on one table of a tenant.</summary>
/// <param name="Name">The policy's name; a slug.</param>
/// <param name="Table">The table, plain or qualified (<c>flights</c>, <c>main.demo.flights</c>). Compared by its last part, without case.</param>
/// <param name="Rows">Which rows a subject may see.</param>
/// <param name="Masks">Columns to masks.</param>
/// <param name="Revision">The revision of the row this was read from; tickets and events name it.</param>
public sealed record TablePolicy(string Name, string Table, RowFilter Rows, ImmutableSortedDictionary<string, ColumnMask> Masks, long Revision)
{
    /// <summary>True when the policy protects the named table. Only last parts count: a policy on <c>flights</c> holds in every schema.</summary>
    public bool Protects(string table) => string.Equals(LastPart(Table), LastPart(table), StringComparison.OrdinalIgnoreCase);

    /// <summary>This policy's name and revision, as tickets and published workbooks carry them.</summary>
    public PolicyStamp Stamp => new(Name, Revision);

    private static string LastPart(string table) => table[(table.LastIndexOf('.') + 1)..];
}

/// <summary>Which revision of a policy something was decided or published under.</summary>
public sealed record PolicyStamp(string Name, long Revision)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Name}@{Revision}";
}
