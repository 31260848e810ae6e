using System.Collections.Immutable;
using System.Text.RegularExpressions;

namespace Postern.Gateway.Workbooks;

/// <summary>What a piece of SQL text is.</summary>
internal enum SqlKind
{
    /// <summary>White space; every comment becomes one space.</summary>
    Space,
    /// <summary>A keyword, function or name without quotes.</summary>
    Word,
    /// <summary>A name in backticks or double quotes.</summary>
    QuotedName,
    /// <summary>A string, single-quoted or dollar-quoted.</summary>
    Text,
    /// <summary>A number.</summary>
    Number,
    /// <summary>An operator or punctuation; one character, but <c>::</c>.</summary>
    Symbol,
    /// <summary><c>:name</c> or <c>:name.part</c>.</summary>
    Parameter,
    /// <summary><c>[name]</c>.</summary>
    Choice,
    /// <summary><c>[rows table alias]</c>.</summary>
    Rows,
    /// <summary><c>[when name:</c>.</summary>
    WhenOpen,
    /// <summary>The bracket that closes a <see cref="WhenOpen"/>.</summary>
    WhenClose,
}

/// <summary>One piece. <paramref name="Name"/> and <paramref name="Detail"/>: control and part, or table and alias.</summary>
internal sealed record SqlToken(SqlKind Kind, string Text, int Line, string Name = "", string Detail = "")
{
    public bool IsWord(string word) => Kind == SqlKind.Word && string.Equals(Text, word, StringComparison.OrdinalIgnoreCase);

    public bool IsSymbol(string symbol) => Kind == SqlKind.Symbol && string.Equals(Text, symbol, StringComparison.Ordinal);
}

/// <summary>Something SQL may not contain.</summary>
internal sealed record SqlProblem(int Line, string Problem, string Remedy);

/// <summary>
/// Splits SQL into pieces the way every supported platform does, and refuses what platforms read differently: backslashes in quotes
/// (an escape on some), nested comments, characters outside ASCII that are not quoted, <c>$</c>, <c>?</c>, <c>@</c>, <c>#</c> and
/// <c>;</c>. Templating marks are refused wherever they stand, in strings and comments too.
/// </summary>
internal sealed partial class SqlLexer
{
    private const int MaxLength = 20_000;
    private const string Operators = "+-*/%=<>!|&^~(),.";
    private static readonly ImmutableArray<string> Templating = ["{{", "}}", "{%", "%}", "{#", "${", "<%", "%>"];

    private readonly string sql;
    private readonly List<SqlToken> tokens = [];
    private readonly List<SqlProblem> problems = [];
    private readonly Stack<bool> brackets = new();
    private int at;

    private SqlLexer(string sql) => this.sql = sql;

    /// <summary>The pieces; problems otherwise.</summary>
    public static (IReadOnlyList<SqlToken> Tokens, IReadOnlyList<SqlProblem> Problems) Read(string sql)
    {
        var lexer = new SqlLexer(sql);
        if (sql.Length > MaxLength)
            return ([], [new(1, $"The SQL has more than {MaxLength:N0} characters.", "Move part of it into a view.")]);
        if (Templating.FirstOrDefault(mark => sql.Contains(mark, StringComparison.Ordinal)) is { } found)
        {
            return ([], [new(lexer.LineAt(sql.IndexOf(found, StringComparison.Ordinal)), $"'{found}' is a templating mark.",
                "SQL is constant text: use :name for values, [name] for a choice and [when name: …] for an optional part.")]);
        }
        lexer.Run();
        return (lexer.tokens, lexer.problems);
    }

    private void Run()
    {
        while (at < sql.Length && problems.Count == 0)
            ReadOne();
        if (problems.Count == 0 && brackets.Count > 0)
            Problem("A '[' is not closed.", "Add the ']'.");
    }

    private void ReadOne()
    {
        var c = sql[at];
        var next = at + 1 < sql.Length ? sql[at + 1] : '\0';
        if (c is ' ' or '\t' or '\r' or '\n')
            Take(SqlKind.Space, Run(static x => x is ' ' or '\t' or '\r' or '\n'));
        else if (c == '-' && next == '-')
            Skip(sql.IndexOf('\n', at) is >= 0 and var end ? end - at : sql.Length - at);
        else if (c == '/' && next == '*')
            Comment();
        else if (c == '\'')
            Quoted(SqlKind.Text, c);
        else if (c is '`' or '"')
            Quoted(SqlKind.QuotedName, c);
        else if (c == '$')
            DollarQuoted();
        else if (char.IsAsciiLetter(c) || c == '_')
            Take(SqlKind.Word, Run(static x => char.IsAsciiLetterOrDigit(x) || x == '_'));
        else if (char.IsAsciiDigit(c) || c == '.' && char.IsAsciiDigit(next) && !FollowsName())
            Take(SqlKind.Number, NumberPattern().Match(sql, at).Length);
        else if (c == ':')
            Colon(next);
        else if (c == '[')
            OpenBracket();
        else if (c == ']')
            CloseBracket();
        else if (Operators.Contains(c, StringComparison.Ordinal))
            Take(SqlKind.Symbol, 1);
        else if (c == ';')
            Problem("There is a ';'.", "A query is one statement; remove it.");
        else
            Problem($"The character '{(char.IsControl(c) ? '?' : c)}' (U+{(int)c:X4}) is not part of the SQL subset.",
                "Put text into 'single quotes' and names into `backticks`; use :name for values.");
    }

    private int Run(Func<char, bool> belongs)
    {
        var end = at;
        while (end < sql.Length && belongs(sql[end]))
            end++;
        return end - at;
    }

    private void Take(SqlKind kind, int length, string name = "", string detail = "")
    {
        tokens.Add(new(kind, sql.Substring(at, length), LineAt(at), name, detail));
        at += length;
    }

    private void Skip(int length)
    {
        tokens.Add(new(SqlKind.Space, " ", LineAt(at)));
        at += length;
    }

    private void Comment()
    {
        var end = sql.IndexOf("*/", at + 2, StringComparison.Ordinal);
        if (end < 0 || sql.IndexOf("/*", at + 2, end - at - 2, StringComparison.Ordinal) >= 0)
            Problem("A comment is not closed, or holds another one.", "Close it with '*/' and do not nest comments.");
        else
            Skip(end + 2 - at);
    }

    private void Quoted(SqlKind kind, char quote)
    {
        for (var end = at + 1; end < sql.Length; end++)
        {
            if (sql[end] == '\\')
            {
                Problem("There is a backslash inside quotes; platforms read it differently.", "Double a quote instead of escaping it, and use chr(92) for a backslash.");
                return;
            }
            if (sql[end] != quote)
                continue;
            if (end + 1 < sql.Length && sql[end + 1] == quote)
            {
                end++;
                continue;
            }
            Take(kind, end + 1 - at);
            return;
        }
        Problem($"A {quote} is not closed.", "Close the quote; double it inside the text.");
    }

    private void DollarQuoted()
    {
        var open = DollarPattern().Match(sql, at);
        var end = open.Success ? sql.IndexOf(open.Value, at + open.Length, StringComparison.Ordinal) : -1;
        if (end < 0)
            Problem("There is a '$' that opens no dollar-quoted text.", "Use :name for values.");
        else
            Take(SqlKind.Text, end + open.Length - at);
    }

    private void Colon(char next)
    {
        if (next == ':')
        {
            Take(SqlKind.Symbol, 2);
            return;
        }
        var match = ParameterPattern().Match(sql, at);
        if (!match.Success)
            Problem("There is a ':' that begins no parameter.", "Write :name, with a lower-case name.");
        else if (FollowsName())
            Problem("A ':' stands right behind a name; some platforms read that as a path into JSON.", "Put a space before a parameter; use get_json_object for JSON.");
        else
            Take(SqlKind.Parameter, match.Length, match.Groups[1].Value, match.Groups[2].Value);
    }

    private void OpenBracket()
    {
        if (FollowsName())
        {
            brackets.Push(false);
            Take(SqlKind.Symbol, 1);
        }
        else if (WhenPattern().Match(sql, at) is { Success: true } when)
        {
            brackets.Push(true);
            Take(SqlKind.WhenOpen, when.Length, when.Groups[1].Value);
        }
        else if (RowsPattern().Match(sql, at) is { Success: true } rows)
            Take(SqlKind.Rows, rows.Length, rows.Groups[1].Value, rows.Groups[2].Value);
        else if (ChoicePattern().Match(sql, at) is { Success: true } choice)
            Take(SqlKind.Choice, choice.Length, choice.Groups[1].Value);
        else
            Problem("There is a '[' that opens none of the three forms.", "Write [name], [when name: …] or [rows table alias]; write array(…) for a list.");
    }

    private void CloseBracket()
    {
        if (!brackets.TryPop(out var when))
            Problem("There is a ']' that closes nothing.", "Remove it, or add the '['.");
        else
            Take(when ? SqlKind.WhenClose : SqlKind.Symbol, 1);
    }

    // A bracket, colon or point glued to a name, a quote or a closing bracket belongs to that name.
    private bool FollowsName() =>
        at > 0 && (char.IsAsciiLetterOrDigit(sql[at - 1]) || sql[at - 1] is '_' or ')' or ']' or '`' or '"' or '\'')
        && tokens is [.., { Kind: not (SqlKind.WhenOpen or SqlKind.WhenClose or SqlKind.Space) }];

    private void Problem(string problem, string remedy) => problems.Add(new(LineAt(Math.Min(at, sql.Length - 1)), problem, remedy));

    private int LineAt(int position) => 1 + sql.AsSpan(0, Math.Max(0, position)).Count('\n');

    [GeneratedRegex(@"\G(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", RegexOptions.CultureInvariant)]
    private static partial Regex NumberPattern();

    [GeneratedRegex(@"\G\$[A-Za-z_]*\$", RegexOptions.CultureInvariant)]
    private static partial Regex DollarPattern();

    [GeneratedRegex(@"\G:([a-z][a-z0-9_]*)(?:\.([a-z]+))?", RegexOptions.CultureInvariant)]
    private static partial Regex ParameterPattern();

    [GeneratedRegex(@"\G\[\s*when\s+([a-z][a-z0-9_]*)\s*:(?!:)", RegexOptions.CultureInvariant)]
    private static partial Regex WhenPattern();

    [GeneratedRegex(@"\G\[\s*rows\s+([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*){0,2})\s+([A-Za-z_][A-Za-z0-9_]*)\s*\]", RegexOptions.CultureInvariant)]
    private static partial Regex RowsPattern();

    [GeneratedRegex(@"\G\[\s*([a-z][a-z0-9_]*)\s*\]", RegexOptions.CultureInvariant)]
    private static partial Regex ChoicePattern();
}
