using Postern.Model;

namespace Postern.Policy;

/// <summary>
/// Which rows of a table a subject may see: a closed tree over the subject's attributes. There is deliberately no negation, so
/// that an attribute without values can only take rows away, never add any; and there is no text, so nothing can be injected.
/// </summary>
public abstract record RowFilter
{
    private RowFilter()
    {
    }

    /// <summary>Rows whose column holds one of the attribute's values. No values: no rows.</summary>
    /// <param name="Column">A column of the table.</param>
    /// <param name="Attribute">A subject attribute; its values are always bound, never pasted.</param>
    public sealed record In(string Column, string Attribute) : RowFilter;

    /// <summary>Rows whose column holds a key of those rows of another table that a filter lets through.</summary>
    /// <param name="Column">A column of the table.</param>
    /// <param name="Table">The other table.</param>
    /// <param name="Key">The other table's column that is compared.</param>
    /// <param name="Where">The filter on the other table.</param>
    public sealed record Lookup(string Column, string Table, string Key, RowFilter Where) : RowFilter;

    /// <summary>Rows that both let through.</summary>
    public sealed record And(RowFilter Left, RowFilter Right) : RowFilter;

    /// <summary>Rows that either lets through.</summary>
    public sealed record Or(RowFilter Left, RowFilter Right) : RowFilter;

    /// <summary>All rows: written out, because "no filter" must be a decision.</summary>
    public sealed record Everything : RowFilter;

    /// <summary>No row.</summary>
    public sealed record Nothing : RowFilter;

    /// <summary>The attributes the tree asks for, sorted, each once.</summary>
    public IReadOnlyCollection<string> Attributes()
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        Collect(this, found);
        return found;
    }

    /// <summary>
    /// The same tree for one subject: a comparison with an attribute that has no values becomes <see cref="Nothing"/>, and
    /// branches that no longer matter fall away. Tells "why do I see no rows?" without asking the platform.
    /// </summary>
    public RowFilter For(Subject subject) => this switch
    {
        In leaf => HasValues(subject, leaf.Attribute) ? leaf : new Nothing(),
        Lookup lookup => lookup.Where.For(subject) is Nothing nothing ? nothing : lookup with { Where = lookup.Where.For(subject) },
        And and => (and.Left.For(subject), and.Right.For(subject)) switch
        {
            (Nothing, _) or (_, Nothing) => new Nothing(),
            (Everything, var right) => right,
            (var left, Everything) => left,
            var (left, right) => new And(left, right),
        },
        Or or => (or.Left.For(subject), or.Right.For(subject)) switch
        {
            (Everything, _) or (_, Everything) => new Everything(),
            (Nothing, var right) => right,
            (var left, Nothing) => left,
            var (left, right) => new Or(left, right),
        },
        _ => this,
    };

    /// <summary>The values an attribute contributes to a filter: those that are not empty, each once, in the given order.</summary>
    public static IReadOnlyList<string> ValuesOf(Subject subject, string attribute)
    {
        if (!subject.Attributes.TryGetValue(attribute, out var values) || values.IsDefaultOrEmpty)
            return [];
        return [.. values.Where(value => !string.IsNullOrEmpty(value)).Distinct(StringComparer.Ordinal)];
    }

    private static bool HasValues(Subject subject, string attribute) => ValuesOf(subject, attribute).Count > 0;

    private static void Collect(RowFilter filter, SortedSet<string> found)
    {
        switch (filter)
        {
            case In leaf:
                found.Add(leaf.Attribute);
                break;
            case Lookup lookup:
                Collect(lookup.Where, found);
                break;
            case And and:
                Collect(and.Left, found);
                Collect(and.Right, found);
                break;
            case Or or:
                Collect(or.Left, found);
                Collect(or.Right, found);
                break;
        }
    }
}
