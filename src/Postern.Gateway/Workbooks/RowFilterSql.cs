using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using Postern.Policy;

namespace Postern.Gateway.Workbooks;

/// <summary>
/// Writes a protected table as a derived table: <c>(SELECT p0.* FROM flights p0 WHERE …) f</c>. Every column is qualified, so that a column
/// missing in a lookup table is an error and never quietly the outer table's. Attribute values are parameters named
/// <c>subject__NAME__INDEX</c>; an attribute without values is NULL, which equals nothing.
/// </summary>
internal static partial class RowFilterSql
{
    /// <summary>The number of values of an attribute there are texts for: one, or up to 64.</summary>
    public static ImmutableArray<int> Buckets { get; } = [1, 64];

    /// <summary>What stops a policy from being written as SQL.</summary>
    public static IEnumerable<string> Problems(TablePolicy policy)
    {
        foreach (var name in Names(policy.Rows).Concat(policy.Masks.Keys).Where(name => !ColumnPattern().IsMatch(name)))
            yield return $"'{name}' is no plain column name";
        foreach (var table in Tables(policy.Rows).Append(policy.Table).Where(table => !TablePattern().IsMatch(table)))
            yield return $"'{table}' is no plain table name";
        foreach (var attribute in policy.Rows.Attributes().Where(name => !AttributePattern().IsMatch(name) || name.Contains("__", StringComparison.Ordinal)))
            yield return $"'{attribute}' is no attribute name of lower-case letters, digits and single underscores";
    }

    /// <summary>The derived table for all policies on a table together.</summary>
    /// <param name="table">The table as the author named it.</param>
    /// <param name="alias">The author's alias.</param>
    /// <param name="policies">All policies on it; at least one.</param>
    /// <param name="bucketOf">How many parameters an attribute has in this text.</param>
    /// <param name="used">Collects the parameters.</param>
    public static string DerivedTable(
        string table, string alias, IReadOnlyList<TablePolicy> policies, Func<string, int> bucketOf, ICollection<ParameterSource> used)
    {
        var rows = policies.Select(policy => policy.Rows).Aggregate((left, right) => new RowFilter.And(left, right));
        return $"(SELECT {Columns(policies)} FROM {table} p0 WHERE {Condition(rows, 0, bucketOf, used)}) {alias}";
    }

    private static string Columns(IReadOnlyList<TablePolicy> policies)
    {
        // The strictest of several masks on a column counts; their order in the enumeration is from strict to mild.
        var masks = policies.SelectMany(policy => policy.Masks).GroupBy(mask => mask.Key, StringComparer.OrdinalIgnoreCase)
            .Select(group => (Column: group.Key, Mask: group.Min(mask => mask.Value))).OrderBy(mask => mask.Column, StringComparer.Ordinal).ToList();
        if (masks.Count == 0)
            return "p0.*";
        var replaced = masks.Where(mask => mask.Mask != ColumnMask.Hide).Select(mask => mask.Mask == ColumnMask.Null
            ? $", CASE WHEN 1 = 0 THEN p0.{mask.Column} END AS {mask.Column}"
            : $", sha2(CAST(p0.{mask.Column} AS STRING), 256) AS {mask.Column}");
        return $"p0.* EXCEPT ({string.Join(", ", masks.Select(mask => mask.Column))}){string.Concat(replaced)}";
    }

    private static string Condition(RowFilter filter, int depth, Func<string, int> bucketOf, ICollection<ParameterSource> used)
    {
        switch (filter)
        {
            case RowFilter.In leaf:
                var names = Enumerable.Range(0, bucketOf(leaf.Attribute)).Select(index => Parameter(leaf.Attribute, index, used));
                return $"p{Text(depth)}.{leaf.Column} IN ({string.Join(", ", names)})";
            case RowFilter.Lookup lookup:
                var inner = $"p{Text(depth + 1)}";
                var where = Condition(lookup.Where, depth + 1, bucketOf, used);
                return $"p{Text(depth)}.{lookup.Column} IN (SELECT {inner}.{lookup.Key} FROM {lookup.Table} {inner} WHERE {where})";
            case RowFilter.And and:
                return $"({Condition(and.Left, depth, bucketOf, used)} AND {Condition(and.Right, depth, bucketOf, used)})";
            case RowFilter.Or or:
                return $"({Condition(or.Left, depth, bucketOf, used)} OR {Condition(or.Right, depth, bucketOf, used)})";
            case RowFilter.Everything:
                return "1 = 1";
            default:
                return "1 = 0";
        }
    }

    private static string Parameter(string attribute, int index, ICollection<ParameterSource> used)
    {
        var name = $"subject__{attribute}__{Text(index)}";
        if (used.All(parameter => !string.Equals(parameter.Name, name, StringComparison.Ordinal)))
            used.Add(new(name, BoundType.String, ParameterKind.Attribute, attribute, Index: index));
        return ":" + name;
    }

    private static IEnumerable<string> Names(RowFilter filter) => filter switch
    {
        RowFilter.In leaf => [leaf.Column],
        RowFilter.Lookup lookup => [lookup.Column, lookup.Key, .. Names(lookup.Where)],
        RowFilter.And and => Names(and.Left).Concat(Names(and.Right)),
        RowFilter.Or or => Names(or.Left).Concat(Names(or.Right)),
        _ => [],
    };

    private static IEnumerable<string> Tables(RowFilter filter) => filter switch
    {
        RowFilter.Lookup lookup => [lookup.Table, .. Tables(lookup.Where)],
        RowFilter.And and => Tables(and.Left).Concat(Tables(and.Right)),
        RowFilter.Or or => Tables(or.Left).Concat(Tables(or.Right)),
        _ => [],
    };

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]*\\z", RegexOptions.CultureInvariant)]
    private static partial Regex ColumnPattern();

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]*(?:\\.[A-Za-z_][A-Za-z0-9_]*){0,2}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex TablePattern();

    [GeneratedRegex("^[a-z][a-z0-9_]*\\z", RegexOptions.CultureInvariant)]
    private static partial Regex AttributePattern();
}
