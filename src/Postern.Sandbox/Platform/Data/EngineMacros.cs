namespace Postern.Sandbox.Platform.Data;

/// <summary>
/// Functions of Databricks that the engine lacks or understands otherwise. They are created in the viewer's schema, which comes
/// first on the search path. Their bodies are ours and need no guard.
/// </summary>
internal static class EngineMacros
{
    /// <summary>The statements that create them for a viewer.</summary>
    public static IEnumerable<string> For(Viewer viewer) => ((string[])
    [
        "date_add(d, n) AS CAST(d AS DATE) + CAST(n AS INTEGER)",
        "date_sub(d, n) AS CAST(d AS DATE) - CAST(n AS INTEGER)",
        // With a unit Databricks counts whole units between the two, and the unit is a bare word (see DatabricksSql).
        "datediff(e, s) AS CAST(e AS DATE) - CAST(s AS DATE), (u, s, e) AS datesub(u, CAST(s AS TIMESTAMP), CAST(e AS TIMESTAMP))",
        "add_months(d, n) AS CAST(CAST(d AS DATE) + to_months(CAST(n AS INTEGER)) AS DATE)",
        "dayofweek(d) AS extract(dow FROM d) + 1", // 1 is Sunday
        "weekday(d) AS extract(isodow FROM d) - 1", // 0 is Monday
        "to_date(t) AS CAST(t AS DATE)",
        "to_timestamp(t) AS CAST(t AS TIMESTAMP)",
        "unix_timestamp(t) AS CAST(floor(epoch(CAST(t AS TIMESTAMP))) AS BIGINT)",
        "percentile(c, p) AS quantile_cont(c, p)",
        "percentile_approx(c, p) AS approx_quantile(c, p)",
        "approx_percentile(c, p) AS approx_quantile(c, p)",
        "pmod(a, b) AS ((a % b) + b) % b",
        "try_divide(a, b) AS CASE WHEN b = 0 THEN NULL ELSE a / b END",
        "nvl(a, b) AS coalesce(a, b)",
        "nvl2(a, b, c) AS CASE WHEN a IS NULL THEN c ELSE b END",
        "locate(p, t) AS instr(t, p)",
        "space(n) AS repeat(' ', n)",
        $"current_user() AS {Catalog.Literal(viewer.UserName)}",
        $"session_user() AS {Catalog.Literal(viewer.UserName)}",
        $"is_account_group_member(g) AS g = 'admins' AND {(viewer.Admin ? "true" : "false")}",
    ]).Select(macro => $"CREATE MACRO {Catalog.Schema}.{macro}");
}
