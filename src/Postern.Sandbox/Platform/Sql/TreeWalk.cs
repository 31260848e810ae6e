using System.Text.Json;

namespace Postern.Sandbox.Platform.Sql;

/// <summary>Visits every object of a parsed statement; the first that is not allowed ends the walk.</summary>
internal sealed class TreeWalk(Viewer viewer)
{
    private static readonly HashSet<string> QueryNodes = ["SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE"];

    private static readonly HashSet<string> Expressions =
    [
        "COLUMN_REF", "CONSTANT", "FUNCTION", "CAST", "COMPARISON", "CONJUNCTION", "OPERATOR", "CASE", "STAR", "SUBQUERY", "WINDOW",
        "BETWEEN", "PARAMETER",
    ];

    private static readonly HashSet<string> Relations = ["BASE_TABLE", "TABLE_FUNCTION", "JOIN", "SUBQUERY", "EMPTY", "EXPRESSION_LIST"];

    // Objects that are neither query, relation nor expression: modifiers, orders and the details of types.
    private static readonly HashSet<string> Details =
    [
        "ORDER_MODIFIER", "LIMIT_MODIFIER", "DISTINCT_MODIFIER", "ORDER_DEFAULT", "ASCENDING", "DESCENDING", "DECIMAL_TYPE_INFO",
    ];

    private static readonly HashSet<string> Types =
    [
        "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "VARCHAR", "DATE", "TIMESTAMP",
        "TIMESTAMP WITH TIME ZONE", "TIME", "INTERVAL", "BLOB", "NULL", "SQLNULL", "INTEGER_LITERAL", "STRING_LITERAL",
    ];

    /// <summary>Why the subtree is not allowed; null when it is.</summary>
    public SqlFault? Visit(JsonElement element, Scope scope)
    {
        if (element.ValueKind == JsonValueKind.Array)
            return First(element.EnumerateArray(), item => Visit(item, scope));
        if (element.ValueKind != JsonValueKind.Object)
            return null;
        if (element.TryGetProperty("cte_map", out var ctes))
            return Query(element, ctes, scope);
        return Judge(element, scope) ?? Children(element, scope);
    }

    private static SqlFault? First<T>(IEnumerable<T> items, Func<T, SqlFault?> judge)
    {
        foreach (var item in items)
        {
            if (judge(item) is { } fault)
                return fault;
        }

        return null;
    }

    private SqlFault? Children(JsonElement element, Scope scope) =>
        First(element.EnumerateObject(), property => Visit(property.Value, scope));

    /// <summary>
    /// A query and its common table expressions. A plain one does not see itself: inside its own body the name means the table
    /// outside, so <c>WITH duckdb_logs AS (SELECT * FROM duckdb_logs)</c> names the engine's table and is refused.
    /// </summary>
    private SqlFault? Query(JsonElement node, JsonElement ctes, Scope scope)
    {
        if (!QueryNodes.Contains(Word(node, "type")))
            return Unknown(Word(node, "type"));

        var inner = scope;
        foreach (var entry in ctes.GetProperty("map").EnumerateArray())
        {
            if (Visit(entry.GetProperty("value"), inner) is { } fault)
                return fault;
            inner = inner.With(entry.GetProperty("key").GetString()!);
        }

        var repeated = Word(node, "type") == "RECURSIVE_CTE_NODE" ? inner.With(node.GetProperty("cte_name").GetString()!) : inner;
        return First(
            node.EnumerateObject().Where(property => property.Name != "cte_map"),
            property => Visit(property.Value, property.Name == "right" ? repeated : inner));
    }

    private SqlFault? Judge(JsonElement element, Scope scope)
    {
        if (element.TryGetProperty("class", out var expression))
            return Expression(element, expression.GetString()!);
        if (element.TryGetProperty("sample", out var sample) && element.TryGetProperty("alias", out _))
            return sample.ValueKind == JsonValueKind.Null ? Relation(element, scope)
                : SqlFault.Unsupported("The sandbox does not sample tables.");
        if (element.TryGetProperty("id", out var type) && element.TryGetProperty("type_info", out _))
            return Types.Contains(type.GetString()!) ? null
                : SqlFault.Of("UNSUPPORTED_DATATYPE", "0A000", "The sandbox does not have this data type.");
        return Word(element, "type") is var detail && (detail.Length == 0 || Details.Contains(detail)) ? null : Unknown(detail);
    }

    private static SqlFault? Expression(JsonElement element, string kind)
    {
        if (!Expressions.Contains(kind))
            return Unknown(kind);
        return kind is "FUNCTION" or "WINDOW" ? Call(element, asTable: false) : null;
    }

    private static SqlFault? Call(JsonElement call, bool asTable)
    {
        var name = Ascii.Fold(call.GetProperty("function_name").GetString()!);
        // The parser itself qualifies some calls with `main`, the engine's schema of built-in functions.
        if (Word(call, "catalog").Length > 0 || Word(call, "schema") is not ("" or "main"))
            return SqlFault.NoRoutine(name);
        return AllowedFunctions.Check(name, [.. call.GetProperty("children").EnumerateArray()], asTable);
    }

    private SqlFault? Relation(JsonElement relation, Scope scope)
    {
        var kind = Word(relation, "type");
        if (!Relations.Contains(kind))
            return Unknown(kind);
        return kind switch
        {
            "BASE_TABLE" => BaseTable(relation, scope),
            "TABLE_FUNCTION" => TableFunction(relation.GetProperty("function")),
            _ => null,
        };
    }

    private static SqlFault? TableFunction(JsonElement call) =>
        Word(call, "class") == "FUNCTION" ? Call(call, asTable: true) : Unknown(Word(call, "class"));

    private SqlFault? BaseTable(JsonElement relation, Scope scope)
    {
        var (catalog, name) = (Word(relation, "catalog_name"), Word(relation, "table_name"));
        var schema = Ascii.Fold(Word(relation, "schema_name"));
        var folded = Ascii.Fold(name);
        if (relation.GetProperty("at_clause").ValueKind != JsonValueKind.Null)
            return SqlFault.Unsupported("The sandbox keeps no history of tables.");
        if (catalog.Length == 0 && schema.Length == 0 && scope.Sees(folded))
            return null;
        if (catalog.Length > 0 || schema is not ("" or Catalog.Schema) || Catalog.Find(folded) is not { } table)
            return SqlFault.NoTable(string.Join("`.`", ((string[])[catalog, schema, name]).Where(part => part.Length > 0)));
        return table.Granted(viewer) ? null : SqlFault.NoGrant(table);
    }

    private static SqlFault Unknown(string construct) =>
        SqlFault.Unsupported($"The sandbox does not run this construct ({construct.Replace('_', ' ').ToLowerInvariant()}).");

    private static string Word(JsonElement element, string property) =>
        element.TryGetProperty(property, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
}
