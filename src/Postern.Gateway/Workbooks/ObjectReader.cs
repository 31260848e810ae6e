using System.Text.Json.Nodes;

namespace Postern.Gateway.Workbooks;

/// <summary>Collects problems while a file is read, so that all of them are told at once.</summary>
internal sealed class ProblemList(YamlText yaml)
{
    private readonly List<WorkbookProblem> problems = [];

    public IReadOnlyList<WorkbookProblem> All => problems;

    public bool IsEmpty => problems.Count == 0;

    public void Add(string path, string problem, string remedy) => problems.Add(new(path, problem, remedy, yaml.LineOf(path)));
}

/// <summary>
/// One mapping of the file. Every member that is asked for is remembered; <see cref="Done"/> reports those nobody asked for.
/// </summary>
internal sealed class ObjectReader(JsonObject members, string path, ProblemList problems)
{
    private readonly HashSet<string> known = new(StringComparer.Ordinal);

    public string Path => path;

    public ProblemList Problems => problems;

    public IEnumerable<string> Names => members.Select(member => member.Key);

    public bool Has(string name) => members.ContainsKey(name);

    /// <summary>A reader over a mapping; an empty one, with the problem noted, for anything else.</summary>
    public static ObjectReader Over(JsonNode? node, string path, ProblemList problems, string example)
    {
        if (node is JsonObject members)
            return new(members, path, problems);
        problems.Add(path, "A mapping is expected here.", $"Write {example}.");
        return new([], path, problems);
    }

    public string At(string name) => YamlText.Member(path, name);

    public void Problem(string name, string problem, string remedy) => problems.Add(At(name), problem, remedy);

    public JsonNode? Node(string name)
    {
        known.Add(name);
        return members[name];
    }

    public string? Text(string name, bool required = false, int maxLength = 200)
    {
        switch (Node(name))
        {
            case null when required || Has(name):
                Problem(name, $"'{name}' is missing or empty.", $"Add '{name}: …'.");
                return null;
            case null:
                return null;
            case JsonValue value when value.TryGetValue<string>(out var text):
                if (text.Length is 0 || text.Length > maxLength)
                {
                    Problem(name, $"'{name}' is empty or too long.", $"Use 1 to {maxLength} characters.");
                    return null;
                }
                return text;
            default:
                Problem(name, $"'{name}' is no text.", "Write a text; put it into quotes if it looks like a number, true, false or null.");
                return null;
        }
    }

    public long? Integer(string name, long min, long max)
    {
        switch (Node(name))
        {
            case null when !Has(name):
                return null;
            case JsonValue value when value.TryGetValue<long>(out var number) && number >= min && number <= max:
                return number;
            default:
                Problem(name, $"'{name}' is no whole number from {min} to {max}.", $"Write a whole number from {min} to {max}.");
                return null;
        }
    }

    public bool Flag(string name)
    {
        switch (Node(name))
        {
            case null when !Has(name):
                return false;
            case JsonValue value when value.TryGetValue<bool>(out var flag):
                return flag;
            default:
                Problem(name, $"'{name}' is neither true nor false.", "Write true or false.");
                return false;
        }
    }

    /// <summary>One of a few words; null when absent (unless required) or wrong.</summary>
    public T? Word<T>(string name, IReadOnlyDictionary<string, T> words, bool required = false) where T : struct
    {
        if (!required && !Has(name))
        {
            known.Add(name);
            return null;
        }
        if (Text(name, required) is not { } text)
            return null;
        if (words.TryGetValue(text, out var word))
            return word;
        Problem(name, $"'{text}' is not known here.", $"Use one of {string.Join(", ", words.Keys)}.");
        return null;
    }

    /// <summary>A list of texts; empty when absent or wrong. A text twice is a problem.</summary>
    public List<string> Texts(string name, int maxItems)
    {
        var texts = new List<string>();
        if (Node(name) is not JsonArray array)
        {
            if (Has(name))
                Problem(name, $"'{name}' is no list.", $"Write '{name}: [one, two]'.");
            return texts;
        }
        if (array.Count > maxItems)
            Problem(name, $"'{name}' has more than {maxItems} items.", $"Keep at most {maxItems}.");
        for (var i = 0; i < array.Count; i++)
        {
            if (array[i] is not JsonValue value || !value.TryGetValue<string>(out var text) || text.Length is 0 or > 200)
                problems.Add(YamlText.Item(At(name), i), "The item is no text of 1 to 200 characters.", "Write a text; put it into quotes if it looks like a number, true, false or null.");
            else if (texts.Contains(text))
                problems.Add(YamlText.Item(At(name), i), "The item stands in the list twice.", "Keep it once.");
            else
                texts.Add(text);
        }
        return texts;
    }

    /// <summary>A list of anything; empty when absent or wrong.</summary>
    public IEnumerable<(JsonNode? Node, string Path)> Items(string name, int maxItems)
    {
        if (Node(name) is not JsonArray array)
        {
            if (Has(name))
                Problem(name, $"'{name}' is no list.", "Write a list: lines that start with '- '.");
            return [];
        }
        if (array.Count > maxItems)
            Problem(name, $"'{name}' has more than {maxItems} items.", $"Keep at most {maxItems}.");
        return array.Take(maxItems).Select((node, i) => (node, YamlText.Item(At(name), i)));
    }

    /// <summary>A mapping of names to anything; empty when absent or wrong.</summary>
    public IEnumerable<(string Name, JsonNode? Node, string Path)> Members(string name, int maxMembers)
    {
        if (Node(name) is not JsonObject map)
        {
            if (Has(name))
                Problem(name, $"'{name}' is no mapping.", $"Write '{name}:' and, indented below it, 'name: …' lines.");
            return [];
        }
        if (map.Count > maxMembers)
            Problem(name, $"'{name}' has more than {maxMembers} members.", $"Keep at most {maxMembers}.");
        return map.Take(maxMembers).Select(member => (member.Key, member.Value, YamlText.Member(At(name), member.Key)));
    }

    /// <summary>Reports members nobody asked for.</summary>
    public void Done()
    {
        foreach (var name in Names.Where(name => !known.Contains(name)))
        {
            Problem(name, $"'{Clip(name)}' is not a key the format knows here.",
                $"Remove it, or use one of {string.Join(", ", known.Order(StringComparer.Ordinal))}.");
        }
    }

    private static string Clip(string name) => name.Length <= 60 ? name : name[..60] + "…";
}
