using System.Text;

namespace Postern.Sandbox.Platform.Sql;

/// <summary>A statement in the engine's words.</summary>
/// <param name="Text">The text; literals, identifiers and markers are re-quoted, comments are gone.</param>
/// <param name="Values">The values to bind, by the engine's parameter name.</param>
internal sealed record EngineSql(string Text, IReadOnlyList<(string Name, string? Value)> Values);

/// <summary>
/// Turns Databricks SQL into the engine's dialect, token by token. It is a convenience and no boundary: what it writes is parsed
/// and judged by <see cref="StatementGuard"/> afterwards.
/// </summary>
internal static class DatabricksSql
{
    // Same meaning, other name. Functions that differ in more than the name are macros of EngineMacros.
    private static readonly Dictionary<string, string> Renamed = new(StringComparer.Ordinal)
    {
        ["array"] = "list_value", ["collect_list"] = "list", ["endswith"] = "ends_with", ["explode"] = "unnest",
        ["sequence"] = "generate_series", ["size"] = "len", ["startswith"] = "starts_with", ["ucase"] = "upper", ["lcase"] = "lower",
        ["regexp_like"] = "regexp_matches", ["weekofyear"] = "week", ["current_timestamp"] = "get_current_timestamp",
        ["timestampdiff"] = "datediff", ["date_diff"] = "datediff",
    };

    private static readonly HashSet<string> Units =
        ["microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"];

    /// <summary>The statement in the engine's words, or why it is none.</summary>
    public static bool TryTranslate(string sql, IReadOnlyList<StatementParameter> parameters, out EngineSql translated, out SqlFault? fault)
    {
        translated = new("", []);
        if (!SqlLexer.TryRead(sql, out var read, out fault))
            return false;

        var tokens = read.ToList();
        while (tokens.Count > 0 && tokens[^1].Is(";"))
            tokens.RemoveAt(tokens.Count - 1);
        fault = Shape(tokens);
        if (fault is not null)
            return false;
        DatePattern.Rewrite(tokens);

        var text = new StringBuilder();
        var positions = parameters.Select((parameter, at) => (parameter.Name, at))
            .ToDictionary(pair => pair.Name, pair => pair.at, StringComparer.Ordinal);
        var bound = new HashSet<int>(); // the engine takes no value that no marker asks for
        for (var i = 0; i < tokens.Count; i++)
        {
            var token = tokens[i];
            if (IsCatalogPrefix(tokens, i))
            {
                i++; // `main` . `demo` . x is demo.x to the engine, whose own catalog has another name
                continue;
            }

            if (token.Kind == TokenKind.Marker)
            {
                if (!positions.TryGetValue(token.Text, out var at))
                {
                    fault = SqlFault.UnboundParameter(token.Text);
                    return false;
                }

                bound.Add(at);
                text.Append("CAST($p").Append(at).Append(" AS ").Append(parameters[at].EngineType).Append(") ");
                continue;
            }

            if (IsUnit(tokens, i))
                token = token with { Kind = TokenKind.Text };

            text.Append(Write(token, tokens.ElementAtOrDefault(i + 1))).Append(' ');
        }

        translated = new(text.ToString().TrimEnd(), [.. bound.Select(at => ($"p{at}", parameters[at].Value))]);
        return true;
    }

    private static SqlFault? Shape(List<Token> tokens)
    {
        if (tokens.Count == 0)
            return SqlFault.Syntax("Syntax error, unexpected empty statement.");
        if (tokens.Exists(token => token.Is(";")))
            return SqlFault.Syntax("Syntax error at or near ';': extra input. One statement at a time.");
        var first = tokens.FindIndex(token => !token.Is("("));
        return first >= 0 && (tokens[first].IsWord("select") || tokens[first].IsWord("with"))
            ? null
            : SqlFault.Unsupported("The sandbox runs queries only: a statement begins with SELECT or WITH.");
    }

    private static bool IsCatalogPrefix(List<Token> tokens, int at) =>
        at + 3 < tokens.Count
        && tokens[at].Names(Catalog.Name) && tokens[at + 1].Is(".") && tokens[at + 2].Names(Catalog.Schema) && tokens[at + 3].Is(".")
        && (at == 0 || !tokens[at - 1].Is("."));

    /// <summary>True for the bare word of <c>datediff(DAY, a, b)</c>.</summary>
    private static bool IsUnit(List<Token> tokens, int at) =>
        at >= 2 && at + 1 < tokens.Count
        && tokens[at - 2].Kind == TokenKind.Word && Ascii.Fold(tokens[at - 2].Text) is "datediff" or "date_diff" or "timestampdiff"
        && tokens[at - 1].Is("(") && tokens[at].Kind == TokenKind.Word
        && Units.Contains(Ascii.Fold(tokens[at].Text)) && tokens[at + 1].Is(",");

    private static string Write(Token token, Token next) => token.Kind switch
    {
        TokenKind.Text => Catalog.Literal(token.Text),
        TokenKind.Quoted => $"\"{token.Text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"",
        TokenKind.Symbol when token.Text == "<=>" => "IS NOT DISTINCT FROM",
        TokenKind.Word when token.IsWord("div") => "//",
        TokenKind.Word when next.Is("(") && Renamed.TryGetValue(Ascii.Fold(token.Text), out var name) => name,
        _ => token.Text,
    };
}
