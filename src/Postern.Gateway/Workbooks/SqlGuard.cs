using System.Collections.Frozen;
using System.Collections.Immutable;
using Postern.Policy;

namespace Postern.Gateway.Workbooks;

/// <summary>
/// Checks a complete text before it is published: one SELECT, balanced, lists bound as <c>IN (:list)</c>; and, where Postern enforces the
/// row policies, no mention of a protected table outside <c>[rows …]</c>. That check does not guess at clauses: a protected table's
/// name may stand nowhere but right behind AS, quoted or not, so no syntax of any platform can read the table past its policy by name.
/// </summary>
internal static class SqlGuard
{
    private static readonly FrozenSet<string> Writing = FrozenSet.ToFrozenSet(
        ["insert", "update", "delete", "merge", "into", "truncate", "create", "drop", "alter", "grant", "revoke", "call", "copy", "execute"],
        StringComparer.OrdinalIgnoreCase);

    // Functions and words that turn a text into a table or a statement, past every check by name.
    private static readonly FrozenSet<string> Indirect = FrozenSet.ToFrozenSet(
        ["identifier", "table", "query", "query_table", "sql", "cloud_files", "read_files", "read_csv", "read_csv_auto", "read_json", "read_json_auto",
            "read_parquet", "read_text", "read_blob", "parquet_scan", "delta_scan", "iceberg_scan", "sqlite_scan", "postgres_scan", "glob",
            "remote_query", "dblink", "pg_read_file", "xpath_table", "query_to_xml", "table_to_xml"],
        StringComparer.OrdinalIgnoreCase);

    /// <summary>Everything that is wrong with one text.</summary>
    /// <param name="tokens">The text, every choice made.</param>
    /// <param name="controls">The workbook's controls.</param>
    /// <param name="policies">The tenant's policies where Postern enforces them; null where the platform does.</param>
    public static IEnumerable<SqlProblem> Check(IReadOnlyList<SqlToken> tokens, IReadOnlyCollection<Control> controls, IReadOnlyCollection<TablePolicy>? policies)
    {
        var solid = tokens.Where(token => token.Kind != SqlKind.Space).ToList();
        if (solid.Count == 0 || !solid[0].IsWord("select") && !solid[0].IsWord("with"))
            yield return new(1, "The SQL does not begin with SELECT or WITH.", "A query is one SELECT statement.");

        var depth = 0;
        var lists = controls.OfType<StringControl>().Where(control => control.Many).Select(control => control.Name).ToHashSet(StringComparer.Ordinal);
        for (var i = 0; i < solid.Count; i++)
        {
            var token = solid[i];
            depth += token.IsSymbol("(") ? 1 : token.IsSymbol(")") ? -1 : 0;
            if (depth < 0)
            {
                yield return new(token.Line, "A ')' closes nothing.", "Balance the parentheses in every choice and optional part.");
                depth = 0;
            }
            if (token.Kind == SqlKind.Word && Writing.Contains(token.Text) && !Behind(solid, i, "."))
                yield return new(token.Line, $"'{token.Text}' changes data.", "A query only reads. Put a column of that name into `backticks`.");
            if (token.Kind == SqlKind.Word && Indirect.Contains(token.Text) && (token.IsWord("table") || Before(solid, i, "(")))
                yield return new(token.Line, $"'{token.Text}' reads a table that is named by a text.", "Name the table itself.");
            if (token.Kind is SqlKind.Text && i > 0 && (solid[i - 1].IsWord("from") || solid[i - 1].IsWord("join")))
                yield return new(token.Line, "A text stands where a table belongs.", "Name the table itself.");
            if (token.Kind == SqlKind.Parameter && lists.Contains(token.Name) && !(Behind(solid, i, "(") && i > 1 && solid[i - 2].IsWord("in") && Before(solid, i, ")")))
                yield return new(token.Line, $":{token.Name} is a list.", $"Write 'IN (:{token.Name})', with nothing else between the parentheses.");
            if (RowsProblem(solid, i, policies) is { } problem)
                yield return problem;
        }
        if (depth > 0)
            yield return new(solid[^1].Line, "A '(' is not closed.", "Balance the parentheses in every choice and optional part.");
    }

    /// <summary>The names a text mentions outside <c>[rows …]</c>, in lower case: a policy on one of them, added later, stops the query.</summary>
    public static IEnumerable<string> OpenNames(IReadOnlyList<SqlToken> tokens)
    {
        var solid = tokens.Where(token => token.Kind != SqlKind.Space).ToList();
        for (var i = 0; i < solid.Count; i++)
        {
            if (solid[i].Kind is SqlKind.Word or SqlKind.QuotedName && !(i > 0 && solid[i - 1].IsWord("as")))
                yield return NameOf(solid[i]).ToLowerInvariant();
        }
    }

    private static SqlProblem? RowsProblem(List<SqlToken> solid, int i, IReadOnlyCollection<TablePolicy>? policies)
    {
        var token = solid[i];
        if (token.Kind == SqlKind.Rows)
        {
            if (policies is null)
            {
                return new(token.Line, "[rows …] is for identity [service].",
                    $"Write '{token.Name} {token.Detail}': the platform filters the rows by the person's own permissions.");
            }
            return policies.Any(policy => policy.Protects(token.Name))
                ? null
                : new(token.Line, $"No policy protects '{token.Name}'.", $"Write '{token.Name} {token.Detail}', or add a policy on the table first.");
        }
        if (policies is null || token.Kind is not (SqlKind.Word or SqlKind.QuotedName) || i > 0 && solid[i - 1].IsWord("as") && !Before(solid, i, "."))
            return null;
        var hit = policies.FirstOrDefault(policy => policy.Protects(NameOf(token)));
        return hit is null
            ? null
            : new(token.Line, $"'{NameOf(token)}' is a table under the policy '{hit.Name}' and stands outside [rows …].",
                $"Write '[rows {NameOf(token)} alias]' where the table belongs; give a column of that name another one with AS.");
    }

    private static bool Behind(List<SqlToken> solid, int i, string symbol) => i > 0 && solid[i - 1].IsSymbol(symbol);

    private static bool Before(List<SqlToken> solid, int i, string symbol) => i + 1 < solid.Count && solid[i + 1].IsSymbol(symbol);

    private static string NameOf(SqlToken token) =>
        token.Kind == SqlKind.QuotedName ? token.Text[1..^1].Replace(token.Text[..1] + token.Text[..1], token.Text[..1], StringComparison.Ordinal) : token.Text;
}
