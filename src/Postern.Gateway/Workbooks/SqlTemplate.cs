using System.Collections.Immutable;

namespace Postern.Gateway.Workbooks;

/// <summary>A part of a query's SQL: a piece, or an optional part that comes and goes with a control.</summary>
internal abstract record SqlPart
{
    private SqlPart()
    {
    }

    public sealed record Piece(SqlToken Token) : SqlPart;

    public sealed record When(string Control, int Line, ImmutableArray<SqlPart> Parts) : SqlPart;
}

/// <summary>A query's SQL as its author wrote it, read and checked against the controls it names.</summary>
/// <param name="Parts">The parts in order.</param>
/// <param name="Used">The controls it uses.</param>
internal sealed record SqlTemplate(ImmutableArray<SqlPart> Parts, ImmutableSortedSet<string> Used)
{
    /// <summary>Reads a query's SQL; fragments of its choices are read with it.</summary>
    public static (SqlTemplate? Template, IReadOnlyList<SqlProblem> Problems) Read(string sql, IReadOnlyCollection<Control> controls)
    {
        var (tokens, problems) = SqlLexer.Read(sql);
        if (problems.Count > 0)
            return (null, problems);
        var found = new List<SqlProblem>();
        var at = 0;
        var parts = Group(tokens, ref at);
        var used = ImmutableSortedSet.CreateBuilder<string>(StringComparer.Ordinal);
        Check(parts, controls.ToDictionary(control => control.Name, StringComparer.Ordinal), [], used, found);
        return found.Count > 0 ? (null, found) : (new(parts, used.ToImmutable()), found);
    }

    private static ImmutableArray<SqlPart> Group(IReadOnlyList<SqlToken> tokens, ref int at)
    {
        var parts = ImmutableArray.CreateBuilder<SqlPart>();
        while (at < tokens.Count)
        {
            var token = tokens[at++];
            if (token.Kind == SqlKind.WhenClose)
                break;
            parts.Add(token.Kind == SqlKind.WhenOpen ? new SqlPart.When(token.Name, token.Line, Group(tokens, ref at)) : new SqlPart.Piece(token));
        }
        return parts.ToImmutable();
    }

    private static void Check(
        ImmutableArray<SqlPart> parts,
        Dictionary<string, Control> controls,
        ImmutableHashSet<string> present,
        ImmutableSortedSet<string>.Builder used,
        List<SqlProblem> problems)
    {
        foreach (var part in parts)
        {
            switch (part)
            {
                case SqlPart.When block:
                    if (!controls.TryGetValue(block.Control, out var optional))
                        problems.Add(Unknown(block.Line, block.Control));
                    else if (!optional.Optional)
                    {
                        problems.Add(new(block.Line, $"[when {block.Control}: …] names a control that always has a value.",
                            "Use the control directly, or remove its default so that it may be empty."));
                    }
                    used.Add(block.Control);
                    Check(block.Parts, controls, present.Add(block.Control), used, problems);
                    break;
                case SqlPart.Piece { Token: { Kind: SqlKind.Choice } token }:
                    used.Add(token.Name);
                    if (!controls.TryGetValue(token.Name, out var choice))
                        problems.Add(Unknown(token.Line, token.Name));
                    else if (choice is not ChoiceControl)
                        problems.Add(new(token.Line, $"[{token.Name}] names a control that is no choice.", $"Use :{token.Name} for its value."));
                    break;
                case SqlPart.Piece { Token: { Kind: SqlKind.Parameter } token }:
                    used.Add(token.Name);
                    if (!controls.TryGetValue(token.Name, out var control))
                        problems.Add(Unknown(token.Line, token.Name));
                    else if (ParameterProblem(token, control, present) is { } problem)
                        problems.Add(problem);
                    break;
            }
        }
    }

    private static SqlProblem? ParameterProblem(SqlToken token, Control control, ImmutableHashSet<string> present) => control switch
    {
        ChoiceControl => new(token.Line, $":{control.Name} names a choice, which has no value in SQL.", $"Write [{control.Name}] where the chosen fragment belongs."),
        DateRangeControl when token.Detail is not ("from" or "to") =>
            new(token.Line, $":{control.Name} names a date range.", $"Write :{control.Name}.from or :{control.Name}.to."),
        not DateRangeControl when token.Detail.Length > 0 =>
            new(token.Line, $":{control.Name}.{token.Detail} names a part of a control that has none.", $"Write :{control.Name}."),
        { Optional: true } when !present.Contains(control.Name) =>
            new(token.Line, $":{control.Name} may have no value.", $"Put the condition into [when {control.Name}: …]."),
        _ => null,
    };

    private static SqlProblem Unknown(int line, string name) => new(line, $"There is no control '{name}'.", $"Add it under 'controls', or correct the name.");
}
