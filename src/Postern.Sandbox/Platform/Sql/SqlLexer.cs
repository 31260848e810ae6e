using System.Globalization;
using System.Text;

namespace Postern.Sandbox.Platform.Sql;

/// <summary>What a token is.</summary>
internal enum TokenKind
{
    /// <summary>A keyword or plain identifier.</summary>
    Word,

    /// <summary>An identifier that stood in backticks; the text is unescaped.</summary>
    Quoted,

    /// <summary>A string literal; the text is unescaped.</summary>
    Text,

    /// <summary>A number without its type suffix.</summary>
    Number,

    /// <summary>A parameter marker; the text is the name without the colon.</summary>
    Marker,

    /// <summary>An operator or punctuation.</summary>
    Symbol,
}

/// <summary>A piece of a statement. Comments and white space are no tokens.</summary>
internal readonly record struct Token(TokenKind Kind, string Text)
{
    /// <summary>True for the given punctuation.</summary>
    public bool Is(string symbol) => Kind == TokenKind.Symbol && Text == symbol;

    /// <summary>True for the given word in any case.</summary>
    public bool IsWord(string word) => Kind == TokenKind.Word && Ascii.Fold(Text) == word;

    /// <summary>True for an identifier of that name, quoted or not.</summary>
    public bool Names(string name) => Kind is TokenKind.Word or TokenKind.Quoted && Ascii.Fold(Text) == name;
}

/// <summary>
/// Reads Databricks SQL into tokens: backtick identifiers, strings in single or double quotes with backslash escapes or doubled
/// quotes, raw strings, nested comments, numbers with type suffixes, <c>:name</c> markers. Characters that mean something to the
/// engine but nothing to Databricks (<c>$</c>, <c>?</c>, <c>#</c>, <c>@</c>, braces, brackets) are refused here.
/// </summary>
internal sealed class SqlLexer(string sql)
{
    private static readonly string[] Operators = ["<=>", "||", "::", "<=", ">=", "<>", "!=", "=="];
    private readonly List<Token> tokens = [];
    private int at;

    /// <summary>The tokens of a statement, or why it has none.</summary>
    public static bool TryRead(string sql, out IReadOnlyList<Token> tokens, out SqlFault? fault)
    {
        var lexer = new SqlLexer(sql);
        fault = lexer.Read();
        tokens = lexer.tokens;
        return fault is null;
    }

    private char Peek(int ahead = 0) => at + ahead < sql.Length ? sql[at + ahead] : '\0';

    private SqlFault? Read()
    {
        while (at < sql.Length)
        {
            var c = sql[at];
            var fault = c switch
            {
                '\0' => SqlFault.Syntax("A statement cannot hold the character U+0000."),
                ' ' or '\t' or '\r' or '\n' => Skip(),
                '-' when Peek(1) == '-' => LineComment(),
                '/' when Peek(1) == '*' => BlockComment(),
                '\'' or '"' => StringLiteral(c, raw: false),
                'r' or 'R' when Peek(1) is '\'' or '"' => RawString(),
                '`' => Backticks(),
                ':' when IsWordStart(Peek(1)) => Marker(),
                _ when IsWordStart(c) => Word(),
                _ when char.IsAsciiDigit(c) || (c == '.' && char.IsAsciiDigit(Peek(1))) => Number(),
                _ => Symbol(),
            };
            if (fault is not null)
                return fault;
        }

        return null;
    }

    private static bool IsWordStart(char c) => char.IsAsciiLetter(c) || c == '_';

    private static bool IsWordPart(char c) => char.IsAsciiLetterOrDigit(c) || c == '_';

    private SqlFault? Skip()
    {
        at++;
        return null;
    }

    private SqlFault? Add(TokenKind kind, string text)
    {
        tokens.Add(new(kind, text));
        return null;
    }

    private SqlFault? LineComment()
    {
        while (at < sql.Length && sql[at] is not ('\n' or '\r'))
            at++;
        return null;
    }

    private SqlFault? BlockComment()
    {
        var depth = 0;
        do
        {
            if (at >= sql.Length)
                return SqlFault.Of("UNCLOSED_BRACKETED_COMMENT", "42601",
                    "Found an unclosed bracketed comment. Please, append */ at the end of the comment.");
            var (step, change) = (Peek(), Peek(1)) switch { ('/', '*') => (2, 1), ('*', '/') => (2, -1), _ => (1, 0) };
            at += step;
            depth += change;
        }
        while (depth > 0);
        return null;
    }

    private SqlFault? RawString()
    {
        at++;
        return StringLiteral(sql[at], raw: true);
    }

    private SqlFault? StringLiteral(char quote, bool raw)
    {
        var text = new StringBuilder();
        for (at++; at < sql.Length; at++)
        {
            var c = sql[at];
            if (c == '\0')
                return SqlFault.Syntax("A string literal cannot hold the character U+0000.");
            if (c == quote && Peek(1) == quote && !raw)
            {
                text.Append(quote);
                at++;
            }
            else if (c == quote)
            {
                at++;
                return Add(TokenKind.Text, text.ToString());
            }
            else if (c == '\\' && !raw)
            {
                if (Escape(text) is { } fault)
                    return fault;
            }
            else
            {
                text.Append(c);
            }
        }

        return SqlFault.Syntax("A string literal is not closed.");
    }

    /// <summary>The escape at the backslash under the cursor; leaves the cursor on its last character.</summary>
    private SqlFault? Escape(StringBuilder text)
    {
        var c = Peek(1);
        at++;
        switch (c)
        {
            case '0':
                return SqlFault.Syntax("A string literal cannot hold the character U+0000.");
            case 'u' when at + 4 < sql.Length
                && ushort.TryParse(sql.AsSpan(at + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var unit) && unit != 0:
                text.Append((char)unit);
                at += 4;
                return null;
            case 'u':
                return SqlFault.Syntax("\\u takes four hexadecimal digits.");
            case '%' or '_': // patterns of LIKE keep their backslash
                text.Append('\\').Append(c);
                return null;
            default:
                text.Append(c switch { 'n' => '\n', 't' => '\t', 'r' => '\r', 'b' => '\b', 'Z' => '\u001A', _ => c });
                return c == '\0' ? SqlFault.Syntax("A string literal is not closed.") : null;
        }
    }

    private SqlFault? Backticks()
    {
        var name = new StringBuilder();
        for (at++; at < sql.Length; at++)
        {
            if (sql[at] == '\0')
                break;
            if (sql[at] != '`')
            {
                name.Append(sql[at]);
            }
            else if (Peek(1) == '`')
            {
                name.Append('`');
                at++;
            }
            else
            {
                at++;
                return name.Length == 0 ? SqlFault.Syntax("An identifier cannot be empty.") : Add(TokenKind.Quoted, name.ToString());
            }
        }

        return SqlFault.Syntax("A quoted identifier is not closed.");
    }

    private SqlFault? Marker()
    {
        at++;
        return Add(TokenKind.Marker, TakeWord());
    }

    private SqlFault? Word() => Add(TokenKind.Word, TakeWord());

    private string TakeWord()
    {
        var start = at;
        while (IsWordPart(Peek()))
            at++;
        return sql[start..at];
    }

    private SqlFault? Number()
    {
        var start = at;
        while (char.IsAsciiDigit(Peek()))
            at++;
        if (Peek() == '.' && !IsWordStart(Peek(1)))
        {
            at++;
            while (char.IsAsciiDigit(Peek()))
                at++;
        }

        if (Peek() is 'e' or 'E' && (char.IsAsciiDigit(Peek(1)) || (Peek(1) is '+' or '-' && char.IsAsciiDigit(Peek(2)))))
        {
            at += 2;
            while (char.IsAsciiDigit(Peek()))
                at++;
        }

        var number = sql[start..at];
        var type = Ascii.Fold(TakeWord()) switch
        {
            "" => "",
            "l" => "BIGINT",
            "s" => "SMALLINT",
            "y" => "TINYINT",
            "f" => "FLOAT",
            "d" => "DOUBLE",
            "bd" => "DECIMAL",
            _ => null,
        };
        if (type is null)
            return SqlFault.Syntax("A number is followed by letters.");
        Add(TokenKind.Number, number);
        if (type.Length > 0 && type != "DECIMAL") // a number with a point is a decimal already
        {
            Add(TokenKind.Symbol, "::");
            Add(TokenKind.Word, type);
        }

        return null;
    }

    private SqlFault? Symbol()
    {
        foreach (var symbol in Operators)
        {
            if (string.CompareOrdinal(sql, at, symbol, 0, symbol.Length) == 0)
            {
                at += symbol.Length;
                return Add(TokenKind.Symbol, symbol);
            }
        }

        var c = sql[at++];
        return "(),.;+-*/%=<>|&^~".Contains(c, StringComparison.Ordinal)
            ? Add(TokenKind.Symbol, c.ToString())
            : SqlFault.Syntax($"Syntax error at or near U+{(int)c:X4}.");
    }
}
