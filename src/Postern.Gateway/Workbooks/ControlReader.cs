using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Postern.Gateway.Workbooks;

/// <summary>Reads one control of a workbook file.</summary>
internal static partial class ControlReader
{
    private static readonly FrozenDictionary<string, HostMaySet> HostWords = Enum.GetValues<HostMaySet>()
        .ToFrozenDictionary(word => word.ToString().ToLowerInvariant(), StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, Func<string, string, HostMaySet, ObjectReader, Control>> Kinds =
        new Dictionary<string, Func<string, string, HostMaySet, ObjectReader, Control>>
        {
            ["date_range"] = ReadDateRange,
            ["int"] = ReadInt,
            ["string"] = ReadString,
            ["choice"] = ReadChoice,
        }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The control, or null when not even its type can be told; problems are noted either way.</summary>
    public static Control? Read(string name, JsonNode? node, string path, ProblemList problems)
    {
        var control = ObjectReader.Over(node, path, problems, "'{type: int, label: …, default: 15}'");
        if (!WorkbookReader.NamePattern().IsMatch(name))
            problems.Add(path, $"'{name}' is no control name.", "Use a lower-case letter, then letters, digits and single '_', at most 40.");
        var type = control.Text("type", required: true);
        var label = control.Text("label", required: true) ?? name;
        var host = control.Word("host_may_set", HostWords) ?? HostMaySet.Never;
        if (type is null)
            return null;
        if (!Kinds.TryGetValue(type, out var read))
        {
            control.Problem("type", $"'{type}' is no control type.", $"Use one of {string.Join(", ", Kinds.Keys.Order(StringComparer.Ordinal))}.");
            return null;
        }
        var result = read(name, label, host, control);
        control.Done();
        return result;
    }

    private static DateRangeControl ReadDateRange(string name, string label, HostMaySet host, ObjectReader control)
    {
        var min = Day(control, "min");
        var max = Day(control, "max");
        var anchor = Day(control, "default_anchor");
        var standard = ObjectReader.Over(control.Node("default"), control.At("default"), control.Problems, "'{last: 90d}' or '{from: 2001-01-01, to: 2001-04-01}'");
        var last = standard.Text("last", maxLength: 8);
        var from = Day(standard, "from");
        var to = Day(standard, "to");
        standard.Done();
        var result = new DateRangeDefault(from, to, 0, 'd', anchor);
        if (last is not null && (standard.Has("from") || standard.Has("to")))
            control.Problem("default", "The default is both relative and fixed.", "Keep 'last', or 'from' and 'to'.");
        else if (last is not null)
        {
            if (LastPattern().Match(last) is { Success: true } match)
                result = result with { LastCount = int.Parse(match.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture), LastUnit = match.Groups[2].ValueSpan[0] };
            else
                control.Problem("default", $"'{last}' is no time span.", "Write 1 to 999 and d, w, m or y, such as 90d.");
        }
        else if (control.Node("default") is JsonObject && (from is null || to is null || from >= to))
            control.Problem("default", "The default names no range.", "Write {last: 90d}, or {from: 2001-01-01, to: 2001-04-01} with 'from' before 'to'.");
        if (last is null && control.Has("default_anchor"))
            control.Problem("default_anchor", "'default_anchor' goes with a relative default only.", "Remove it, or write 'default: {last: …}'.");
        if (min > max)
            control.Problem("min", "'min' lies after 'max'.", "Correct one of the two.");
        if (from < min || to > max?.AddDays(1))
            control.Problem("default", "The default lies outside 'min' and 'max'.", "Correct one of them.");
        return new(name, label, host, result, min, max);
    }

    private static IntControl ReadInt(string name, string label, HostMaySet host, ObjectReader control)
    {
        var min = control.Integer("min", long.MinValue, long.MaxValue) ?? int.MinValue;
        var max = control.Integer("max", long.MinValue, long.MaxValue) ?? int.MaxValue;
        var standard = control.Integer("default", long.MinValue, long.MaxValue);
        if (!control.Has("default"))
            control.Problem("default", "The default is missing.", "Add 'default: 0' or what fits.");
        if (min > max)
            control.Problem("min", "'min' lies above 'max'.", "Correct one of the two.");
        else if (standard < min || standard > max)
            control.Problem("default", "The default lies outside 'min' and 'max'.", "Correct one of them.");
        return new(name, label, host, standard ?? 0, min, max);
    }

    private static StringControl ReadString(string name, string label, HostMaySet host, ObjectReader control)
    {
        var many = control.Flag("many");
        var maxItems = control.Integer("max_items", 1, 64);
        var maxLength = control.Integer("max_length", 1, 1_000) ?? 200;
        if (!many && control.Has("max_items"))
            control.Problem("max_items", "'max_items' goes with 'many: true'.", "Add 'many: true', or remove it.");
        ImmutableArray<string> standard = control.Node("default") switch
        {
            JsonArray when many => [.. control.Texts("default", (int)(maxItems ?? 64))],
            JsonValue or JsonArray when !many => control.Text("default") is { } one ? [one] : [],
            _ => [],
        };
        if (control.Has("default") && many && control.Node("default") is not JsonArray)
            control.Problem("default", "The default is no list.", "Write 'default: [CA, TX]', or remove it.");
        if (control.Has("default") && !many && control.Node("default") is not JsonValue)
            control.Problem("default", "The default is no text.", "Write a text in quotes, or remove it.");
        if (standard.Any(item => item.Length > maxLength || item.Any(char.IsControl)))
            control.Problem("default", "A default is longer than 'max_length', or holds control characters.", "Shorten or clean it.");
        return new(name, label, host, standard, many, many ? (int)(maxItems ?? 64) : 1, (int)maxLength, ReadOptions(control));
    }

    private static ControlOptions? ReadOptions(ObjectReader control)
    {
        if (control.Node("options") is null && !control.Has("options"))
            return null;
        var options = ObjectReader.Over(control.Node("options"), control.At("options"), control.Problems, "'{query: my_states, value: state}'");
        var query = options.Text("query", required: true);
        var value = options.Text("value", required: true);
        var label = options.Text("label");
        options.Done();
        return query is not null && value is not null ? new(query, value, label) : null;
    }

    private static ChoiceControl ReadChoice(string name, string label, HostMaySet host, ObjectReader control)
    {
        var choices = ImmutableArray.CreateBuilder<Choice>();
        foreach (var member in control.Members("fragments", 16))
        {
            var fragment = ObjectReader.Over(member.Node, member.Path, control.Problems, "'{label: By day, sql: \"…\"}'");
            if (!WorkbookReader.NamePattern().IsMatch(member.Name))
                control.Problems.Add(member.Path, $"'{member.Name}' is no key.", "Use a lower-case letter, then letters, digits and single '_', at most 40.");
            var choiceLabel = fragment.Text("label", required: true);
            var sql = fragment.Text("sql", required: true, maxLength: 2_000);
            fragment.Done();
            foreach (var problem in sql is null ? [] : FragmentProblems(sql))
                fragment.Problem("sql", problem.Problem, problem.Remedy);
            choices.Add(new(member.Name, choiceLabel ?? member.Name, sql ?? ""));
        }
        if (control.Node("fragments") is null or JsonObject { Count: 0 })
            control.Problem("fragments", "The choices are missing.", "Add 'fragments: {day: {label: By day, sql: \"…\"}}'.");
        var standard = control.Text("default", required: true);
        if (standard is not null && choices.All(choice => !string.Equals(choice.Key, standard, StringComparison.Ordinal)))
            control.Problem("default", $"'{standard}' is none of the choices.", "Name one of the keys under 'fragments'.");
        return new(name, label, host, standard ?? "", choices.ToImmutable());
    }

    private static IEnumerable<SqlProblem> FragmentProblems(string sql)
    {
        var (tokens, problems) = SqlLexer.Read(sql);
        foreach (var problem in problems)
            yield return problem;
        if (tokens.FirstOrDefault(token => token.Kind is SqlKind.Choice or SqlKind.Rows or SqlKind.WhenOpen or SqlKind.Parameter) is { } form)
            yield return new(form.Line, $"A fragment holds '{form.Text}'.", "Fragments are constant SQL; put parameters and brackets into the query.");
        var depth = 0;
        foreach (var token in tokens)
        {
            depth += token.IsSymbol("(") ? 1 : token.IsSymbol(")") ? -1 : 0;
            if (depth < 0)
                break;
        }
        if (depth != 0)
            yield return new(1, "The parentheses of a fragment are not balanced.", "Balance them within the fragment.");
    }

    private static DateOnly? Day(ObjectReader reader, string name)
    {
        if (reader.Text(name, maxLength: 10) is not { } text)
            return null;
        if (DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day))
            return day;
        reader.Problem(name, $"'{text}' is no day.", "Write it as 2001-01-31.");
        return null;
    }

    [GeneratedRegex("^([1-9][0-9]{0,2})([dwmy])\\z", RegexOptions.CultureInvariant)]
    private static partial Regex LastPattern();
}
