using System.Text;
using System.Text.RegularExpressions;

namespace Postern.Sandbox.Platform.Sql;

/// <summary>
/// <c>date_format(expr, 'yyyy-MM')</c> in the engine's words: <c>strftime(expr, '%Y-%m')</c>. The pattern must be a literal, as the
/// engine wants it constant too; any other call is left alone and fails as an unknown routine.
/// </summary>
internal static partial class DatePattern
{
    private static readonly Dictionary<string, string> Letters = new(StringComparer.Ordinal)
    {
        ["yyyy"] = "%Y", ["y"] = "%Y", ["yy"] = "%y", ["M"] = "%-m", ["MM"] = "%m", ["MMM"] = "%b", ["MMMM"] = "%B",
        ["d"] = "%-d", ["dd"] = "%d",
        ["D"] = "%-j", ["DDD"] = "%j", ["E"] = "%a", ["EEE"] = "%a", ["EEEE"] = "%A", ["H"] = "%-H", ["HH"] = "%H",
        ["h"] = "%-I", ["hh"] = "%I", ["m"] = "%-M", ["mm"] = "%M", ["s"] = "%-S", ["ss"] = "%S", ["SSS"] = "%g", ["a"] = "%p",
    };

    /// <summary>Rewrites the calls in place.</summary>
    public static void Rewrite(List<Token> tokens)
    {
        for (var i = 0; i + 1 < tokens.Count; i++)
        {
            if (!tokens[i].IsWord("date_format") || !tokens[i + 1].Is("("))
                continue;
            var close = Close(tokens, i + 1);
            if (close < 0 || !tokens[close - 2].Is(",") || tokens[close - 1].Kind != TokenKind.Text
                || Translate(tokens[close - 1].Text) is not { } format)
                continue;
            tokens[i] = new(TokenKind.Word, "strftime");
            tokens[close - 1] = new(TokenKind.Text, format);
        }
    }

    private static int Close(List<Token> tokens, int open)
    {
        var depth = 0;
        for (var i = open; i < tokens.Count; i++)
        {
            depth += tokens[i].Is("(") ? 1 : tokens[i].Is(")") ? -1 : 0;
            if (depth == 0)
                return i;
        }

        return -1;
    }

    private static string? Translate(string pattern)
    {
        var format = new StringBuilder();
        foreach (Match run in Runs().Matches(pattern))
        {
            if (!char.IsAsciiLetter(run.Value[0]))
                format.Append(run.Value.Replace("%", "%%", StringComparison.Ordinal));
            else if (Letters.TryGetValue(run.Value, out var specifier))
                format.Append(specifier);
            else
                return null;
        }

        return format.ToString();
    }

    [GeneratedRegex(@"([A-Za-z])\1*|[^A-Za-z]+")]
    private static partial Regex Runs();
}
