using System.Text.Json;

namespace Postern.Sandbox.Platform.Sql;

/// <summary>
/// The functions a statement may call, under the names the engine's parser gives them (operators are functions there). Everything
/// else is refused, above all whatever reads files, settings, other statements or SQL text: <c>read_*</c>, <c>glob</c>,
/// <c>duckdb_*</c>, <c>pragma_*</c>, <c>query</c>, <c>query_table</c>, <c>getenv</c>, <c>getvariable</c>, <c>current_setting</c>,
/// <c>enable_logging</c>, <c>json_execute_serialized_sql</c>, <c>sql_auto_complete</c>.
/// </summary>
internal static class AllowedFunctions
{
    /// <summary>Rows (or elements, or characters) one generating call may make.</summary>
    public const long MaxGenerated = 1_000_000;

    private static readonly HashSet<string> Scalar = Words(
        // operators as the parser names them
        "+ - * / // % ** ^ & | ~ << >> || ~~ !~~ ~~* !~~* ! " +
        // numbers
        "abs ceil ceiling floor round trunc sign sqrt cbrt exp ln log log2 log10 pow power mod pmod greatest least pi degrees radians " +
        "sin cos tan asin acos atan atan2 isnan isfinite isinf try_divide " +
        // text
        "upper lower initcap trim ltrim rtrim length len char_length character_length octet_length substring substr left right concat " +
        "concat_ws split_part reverse instr position locate strpos starts_with ends_with contains prefix suffix ascii chr translate " +
        "regexp_matches regexp_extract like_escape not_like_escape ilike_escape not_ilike_escape md5 sha256 " +
        // time
        "date_trunc date_part datepart extract year quarter month week day dayofmonth dayofweek dayofyear weekday hour minute second " +
        "last_day " +
        "date_add date_sub datediff date_diff add_months months_between make_date make_timestamp to_date to_timestamp strftime " +
        "unix_timestamp from_unixtime current_date current_timestamp get_current_timestamp now today localtimestamp timezone epoch " +
        "to_years to_months to_weeks to_days to_hours to_minutes to_seconds monthname dayname " +
        // conditions and structure
        "coalesce ifnull nvl nvl2 nullif if case try_cast list_value row unnest list_contains array_contains array_length list_sort " +
        "array_sort list_distinct array_distinct list_extract element_at struct_extract array_extract " +
        // the caller
        "current_user session_user is_account_group_member");

    private static readonly HashSet<string> Aggregate = Words(
        "count count_star count_if sum avg mean min max any_value first last median mode stddev stddev_pop stddev_samp variance var_pop " +
        "var_samp corr covar_pop covar_samp regr_slope regr_intercept regr_r2 bool_and bool_or every some skewness kurtosis list " +
        "array_agg string_agg group_concat listagg arg_min arg_max min_by max_by approx_count_distinct approx_quantile quantile quantile_cont quantile_disc " +
        "percentile percentile_approx approx_percentile percentile_cont percentile_disc sum_no_overflow fsum product histogram " +
        // windows
        "row_number rank dense_rank rank_dense percent_rank cume_dist ntile lag lead first_value last_value nth_value");

    private static readonly HashSet<string> Table = Words("unnest range generate_series");

    /// <summary>Why the call may not be made; null when it may.</summary>
    /// <param name="name">The folded name.</param>
    /// <param name="arguments">The arguments, as the parser wrote them.</param>
    /// <param name="asTable">True in FROM.</param>
    public static SqlFault? Check(string name, IReadOnlyList<JsonElement> arguments, bool asTable) => name switch
    {
        "range" or "generate_series" => Bounded(name, Span(arguments)),
        _ when asTable => Table.Contains(name) ? null : SqlFault.NoRoutine(name),
        // These make long text out of short text, so how long must stand in the statement.
        "repeat" or "lpad" or "rpad" => Bounded(name, arguments.Count > 1 ? Integer(arguments[1]) : 0),
        "space" => Bounded(name, arguments.Count > 0 ? Integer(arguments[0]) : 0),
        "replace" or "regexp_replace" => arguments.Count < 3 || ShortText(arguments[2])
            ? null
            : SqlFault.Unsupported($"The sandbox takes {name} with a constant replacement of at most 64 characters."),
        _ => Scalar.Contains(name) || Aggregate.Contains(name) ? null : SqlFault.NoRoutine(name),
    };

    private static SqlFault? Bounded(string name, long? size) => size is >= 0 and <= MaxGenerated
        ? null
        : SqlFault.Unsupported($"The sandbox takes {name} with constant whole numbers only, and at most {MaxGenerated} of them.");

    private static long? Span(IReadOnlyList<JsonElement> arguments)
    {
        if (arguments.Count is 0 or > 3)
            return null;
        var numbers = arguments.Select(Integer).ToList();
        if (numbers.Contains(null))
            return null;
        var (start, stop) = numbers.Count == 1 ? (0L, numbers[0]!.Value) : (numbers[0]!.Value, numbers[1]!.Value);
        var step = numbers.Count == 3 ? numbers[2]!.Value : 1;
        return step == 0 ? null : (long)Int128.Max(0, Int128.Min(long.MaxValue, ((Int128)stop - start) / step));
    }

    private static long? Integer(JsonElement argument) =>
        Constant(argument) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt64(out var number) ? number : null;

    private static bool ShortText(JsonElement argument) =>
        Constant(argument) is { ValueKind: JsonValueKind.String } value && value.GetString()!.Length <= 64;

    private static JsonElement? Constant(JsonElement argument) =>
        argument.TryGetProperty("class", out var kind) && kind.ValueEquals("CONSTANT")
        && argument.GetProperty("value").TryGetProperty("value", out var value)
            ? value
            : null;

    private static HashSet<string> Words(string words) =>
        words.Split(' ', StringSplitOptions.RemoveEmptyEntries).ToHashSet(StringComparer.Ordinal);
}
