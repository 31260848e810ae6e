using System.Globalization;
using System.Text.RegularExpressions;

namespace Postern.Sandbox.Platform.Sql;

/// <summary>
/// A named, typed parameter of a statement. The value travels as text and is bound as text; the marker becomes a cast to the
/// declared type, so that 38 digits of a DECIMAL stay exact and NULL keeps its type.
/// </summary>
/// <param name="Name">The name of the marker, without the colon.</param>
/// <param name="Value">The text of the value; null is SQL NULL.</param>
/// <param name="EngineType">The type in the engine's words.</param>
internal sealed partial record StatementParameter(string Name, string? Value, string EngineType)
{
    /// <summary>Checks name, type and value.</summary>
    /// <returns>True, or false with a message for <c>INVALID_PARAMETER_VALUE</c> that does not repeat the value.</returns>
    public static bool TryCreate(string? name, string? value, string? type, out StatementParameter parameter, out string why)
    {
        parameter = new("", null, "");
        why = "";
        if (name is null || !NamePattern().IsMatch(name))
        {
            why = "A parameter needs a name of letters, digits and underscores; positional parameters are not supported.";
            return false;
        }

        var declared = (type ?? "STRING").Trim().ToUpperInvariant();
        if (EngineTypeOf(declared) is not { } engineType)
        {
            why = $"The type of parameter '{name}' is not a supported SQL type name.";
            return false;
        }

        if (value is not null && !Fits(engineType, value.Trim()))
        {
            why = $"The value of parameter '{name}' is not a valid {declared}.";
            return false;
        }

        parameter = new(name, engineType == "VARCHAR" ? value : value?.Trim(), engineType);
        return true;
    }

    private static string? EngineTypeOf(string declared)
    {
        var simple = declared switch
        {
            "STRING" or "VOID" => "VARCHAR",
            "BOOLEAN" or "DATE" or "TIMESTAMP" or "DOUBLE" or "FLOAT" or "TINYINT" or "SMALLINT" or "BIGINT" => declared,
            "INT" or "INTEGER" => "INTEGER",
            "LONG" => "BIGINT",
            "SHORT" => "SMALLINT",
            "BYTE" => "TINYINT",
            "REAL" => "FLOAT",
            "TIMESTAMP_NTZ" => "TIMESTAMP",
            "DECIMAL" or "DEC" or "NUMERIC" => "DECIMAL(10,0)",
            _ => null,
        };
        if (simple is not null)
            return simple;
        var match = DecimalPattern().Match(declared);
        if (!match.Success)
            return null;
        var precision = int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
        var scale = match.Groups[2].Success ? int.Parse(match.Groups[2].ValueSpan, CultureInfo.InvariantCulture) : 0;
        return precision is >= 1 and <= 38 && scale <= precision ? $"DECIMAL({precision},{scale})" : null;
    }

    private static bool Fits(string engineType, string value) => engineType switch
    {
        "VARCHAR" => !value.Contains('\0', StringComparison.Ordinal),
        "BOOLEAN" => bool.TryParse(value, out _),
        "TINYINT" => sbyte.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _),
        "SMALLINT" => short.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _),
        "INTEGER" => int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _),
        "BIGINT" => long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _),
        "FLOAT" or "DOUBLE" => double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out _),
        "DATE" => DateOnly.TryParseExact(value, "yyyy-M-d", CultureInfo.InvariantCulture, DateTimeStyles.None, out _),
        "TIMESTAMP" => TimestampPattern().IsMatch(value)
            && DateTimeOffset.TryParse(value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out _),
        _ => NumberPattern().IsMatch(value),
    };

    [GeneratedRegex(@"^[A-Za-z_][A-Za-z0-9_]{0,127}\z")]
    private static partial Regex NamePattern();

    [GeneratedRegex(@"^(?:DECIMAL|DEC|NUMERIC)\s*\(\s*([0-9]{1,2})\s*(?:,\s*([0-9]{1,2})\s*)?\)\z")]
    private static partial Regex DecimalPattern();

    [GeneratedRegex(@"^[+-]?(?:[0-9]{1,38}(?:\.[0-9]{0,38})?|\.[0-9]{1,38})\z")]
    private static partial Regex NumberPattern();

    [GeneratedRegex(@"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[ T][0-9:.]{1,18}(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?\z")]
    private static partial Regex TimestampPattern();
}
