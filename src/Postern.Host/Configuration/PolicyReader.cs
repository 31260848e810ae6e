using System.Collections.Immutable;
using Postern.Model;
using Postern.Policy;

namespace Postern.Host.Configuration;

/// <summary>
/// Reads row policies: <c>{Table, Column, Attribute}</c>, or through another table
/// <c>{Table, Column, Attribute, Lookup: {Table, Key, Column}}</c>, with <c>Masks: {column: hide|null|hash}</c>.
/// </summary>
internal static class PolicyReader
{
    public static ImmutableArray<TablePolicy> Read(ConfigNode tenant) => [.. tenant.Children("Policies").Select(Policy)];

    private static TablePolicy Policy(ConfigNode node)
    {
        if (!Slug.IsValid(node.Key))
            node.Report("", $"'{node.Key}' is no policy name.", Slug.Remedy("policy", node.Key));
        var table = Name(node, "Table", "Name the table it protects.");
        var column = Name(node, "Column", "Name the table's column that decides.");
        var attribute = node.Required("Attribute", "Name the subject attribute whose values are allowed.");
        RowFilter filter = new RowFilter.In(column, attribute);
        var lookup = node.Child("Lookup");
        if (lookup.Exists)
        {
            filter = new RowFilter.Lookup(
                column,
                Name(lookup, "Table", "Name the table to look in."),
                Name(lookup, "Key", "Name the column there that holds the values of Column."),
                new RowFilter.In(Name(lookup, "Column", "Name the column there that the attribute decides."), attribute));
            lookup.Close();
        }
        var masks = ImmutableSortedDictionary.CreateBuilder<string, ColumnMask>(StringComparer.OrdinalIgnoreCase);
        var maskNode = node.Child("Masks");
        foreach (var mask in node.Children("Masks"))
        {
            masks[mask.Key] = maskNode.Choice<ColumnMask>(mask.Key, null, ("hide", ColumnMask.Hide), ("null", ColumnMask.Null), ("hash", ColumnMask.Hash));
        }
        node.Close();
        return new TablePolicy(node.Key, table, filter, masks.ToImmutable(), Revision: 0);
    }

    // Names of tables and columns become part of SQL text, so they are plain identifiers, nothing else.
    private static string Name(ConfigNode node, string key, string remedy)
    {
        var text = node.Required(key, remedy);
        if (text.Length > 0 && !text.Split('.').All(part => part.Length > 0 && !char.IsAsciiDigit(part[0]) && part.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')))
            node.Report(key, $"'{text}' is no plain name.", "Use letters, digits and underscores, with dots between catalog, schema and table.");
        return text;
    }
}
