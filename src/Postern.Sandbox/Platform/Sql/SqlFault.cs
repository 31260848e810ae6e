using DuckDB.NET.Data;

namespace Postern.Sandbox.Platform.Sql;

/// <summary>Why a statement failed, as it stands in <c>status.error</c> of a FAILED statement (which travels in HTTP 200).</summary>
/// <param name="ErrorCode">One of the codes of <c>status.error.error_code</c>, such as <c>BAD_REQUEST</c>.</param>
/// <param name="Message">The message: for errors of SQL it begins with the condition in brackets and ends with the SQLSTATE.</param>
/// <param name="SqlState">The SQLSTATE, if the condition has one.</param>
/// <param name="Forbidden">True when the viewer lacks a grant: the platform then refuses the request with 403 instead.</param>
internal sealed record SqlFault(string ErrorCode, string Message, string? SqlState = null, bool Forbidden = false)
{
    /// <summary>An error of the statement's text or data.</summary>
    public static SqlFault Of(string condition, string sqlState, string detail) =>
        new("BAD_REQUEST", $"[{condition}] {detail} SQLSTATE: {sqlState}", sqlState);

    /// <summary>The text does not parse.</summary>
    public static SqlFault Syntax(string detail) => Of("PARSE_SYNTAX_ERROR", "42601", detail);

    /// <summary>It parses, but the platform does not do such things.</summary>
    public static SqlFault Unsupported(string detail) => Of("UNSUPPORTED_FEATURE", "0A000", detail);

    /// <summary>No such table, or none that anybody may know of.</summary>
    public static SqlFault NoTable(string name) =>
        Of("TABLE_OR_VIEW_NOT_FOUND", "42P01",
            $"The table or view `{name}` cannot be found. Verify the spelling and correctness of the schema and catalog.");

    /// <summary>No such function.</summary>
    public static SqlFault NoRoutine(string name) =>
        Of("UNRESOLVED_ROUTINE", "42883", $"Cannot resolve routine `{name}` on search path [`system`.`builtin`, `main`.`demo`].");

    /// <summary>The table is there, but was not granted to the viewer.</summary>
    public static SqlFault NoGrant(Table table) =>
        new("PERMISSION_DENIED",
            $"[INSUFFICIENT_PERMISSIONS] Insufficient privileges: User does not have SELECT on Table '{table.FullName}'. SQLSTATE: 42501",
            "42501", Forbidden: true);

    /// <summary>A marker of the statement has no parameter.</summary>
    public static SqlFault UnboundParameter(string name) =>
        Of("UNBOUND_SQL_PARAMETER", "42P02",
            $"Found the unbound parameter: {name}. Please, fix `args` and provide a mapping of the parameter to a SQL literal.");

    /// <summary>
    /// What the engine said, in the platform's words. Only the first line is kept: the rest quotes the statement as rewritten.
    /// </summary>
    public static SqlFault Of(DuckDBException error)
    {
        var line = error.Message.Split('\n', 2)[0].Trim();
        var kind = line.IndexOf(" Error: ", StringComparison.Ordinal);
        var (engine, detail) = kind < 0 ? ("", line) : (line[..kind], line[(kind + " Error: ".Length)..]);
        return engine switch
        {
            "Parser" => Syntax(detail),
            "Catalog" when detail.StartsWith("Table ", StringComparison.Ordinal) => Of("TABLE_OR_VIEW_NOT_FOUND", "42P01", detail),
            "Catalog" => Of("UNRESOLVED_ROUTINE", "42883", detail),
            "Binder" when detail.StartsWith("Ambiguous", StringComparison.Ordinal) => Of("AMBIGUOUS_REFERENCE", "42704", detail),
            "Binder" when detail.Contains("GROUP BY", StringComparison.Ordinal) => Of("MISSING_AGGREGATION", "42803", detail),
            "Binder" when detail.Contains("olumn", StringComparison.Ordinal) || detail.StartsWith("Referenced table", StringComparison.Ordinal) =>
                Of("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", "42703", detail),
            "Binder" => Of("DATATYPE_MISMATCH", "42K09", detail),
            "Conversion" when detail.Contains("out of range", StringComparison.Ordinal) => Of("CAST_OVERFLOW", "22003", detail),
            "Conversion" => Of("CAST_INVALID_INPUT", "22018", detail),
            "Out of Range" => Of("ARITHMETIC_OVERFLOW", "22003", detail),
            "Out of Memory" => new("RESOURCE_EXHAUSTED", "The statement needs more memory than a warehouse of the sandbox has."),
            "Invalid Input" when detail.StartsWith("More than one row", StringComparison.Ordinal) =>
                Of("SCALAR_SUBQUERY_TOO_MANY_ROWS", "21000", detail),
            "Invalid Input" or "Not implemented" => Of("INVALID_PARAMETER_VALUE", "22023", detail),
            _ => new("INTERNAL_ERROR", "The warehouse of the sandbox failed on this statement."),
        };
    }

    /// <summary>True when the engine is broken and must not be used again.</summary>
    public static bool IsFatal(DuckDBException error) =>
        error.Message.StartsWith("FATAL", StringComparison.OrdinalIgnoreCase)
        || error.Message.StartsWith("INTERNAL", StringComparison.OrdinalIgnoreCase);
}
