using System.Buffers;
using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Postern.Gateway.Workbooks;

/// <summary>
/// YAML read as JSON: one document, mappings with text keys, sequences, scalars by the YAML 1.2 core schema (so <c>no</c> is a text).
/// Anchors, aliases, tags and merge keys are refused: they let a small file grow without end or mean something else than it shows.
/// Limits: 262,144 characters, 32 levels, 20,000 nodes.
/// </summary>
internal sealed class YamlText
{
    private const int MaxLength = 262_144;
    private const int MaxDepth = 32;
    private const int MaxNodes = 20_000;
    private static readonly SearchValues<char> DecimalCharacters = SearchValues.Create("0123456789+-.eE");

    private readonly Dictionary<string, int> lines = new(StringComparer.Ordinal);
    private readonly List<WorkbookProblem> problems = [];
    private readonly Parser parser;
    private int nodes;

    private YamlText(string text) => parser = new Parser(new StringReader(text));

    /// <summary>The document, or null when there are problems.</summary>
    public JsonNode? Root { get; private set; }

    /// <summary>What is wrong with the file as YAML.</summary>
    public IReadOnlyList<WorkbookProblem> Problems => problems;

    /// <summary>Reads a text.</summary>
    public static YamlText Read(string text)
    {
        var yaml = new YamlText(text.Length <= MaxLength ? text : "");
        if (text.Length > MaxLength)
        {
            yaml.problems.Add(new("", $"The file has more than {MaxLength:N0} characters.", "Split it into several workbooks."));
            return yaml;
        }
        try
        {
            yaml.ReadStream();
        }
        catch (YamlException e)
        {
            yaml.problems.Add(new("", "The file is no valid YAML.", $"Look at column {e.Start.Column}: check indentation, colons and quotes.", Line(e.Start)));
        }
        if (yaml.problems.Count > 0)
            yaml.Root = null;
        return yaml;
    }

    /// <summary>The line of a path or of its nearest parent, from 1; null when unknown.</summary>
    public int? LineOf(string path)
    {
        while (!lines.ContainsKey(path))
        {
            var cut = path.AsSpan().LastIndexOfAny('.', '[');
            if (cut < 0)
                return lines.TryGetValue("", out var root) ? root : null;
            path = path[..cut];
        }
        return lines[path];
    }

    /// <summary>A member's path.</summary>
    public static string Member(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

    /// <summary>An item's path.</summary>
    public static string Item(string path, int index) => string.Create(CultureInfo.InvariantCulture, $"{path}[{index}]");

    private static int Line(Mark mark) => (int)mark.Line;

    private void ReadStream()
    {
        parser.Consume<StreamStart>();
        if (!parser.TryConsume<DocumentStart>(out _))
        {
            problems.Add(new("", "The file is empty.", "Start it with 'workbook: name'."));
            return;
        }
        Root = ReadNode("", 0);
        parser.Consume<DocumentEnd>();
        if (parser.Accept<DocumentStart>(out var second))
            problems.Add(new("", "The file holds more than one document.", "Keep one workbook in each file; remove the line '---'.", Line(second.Start)));
    }

    private JsonNode? ReadNode(string path, int depth)
    {
        if (parser.Current is null)
            parser.MoveNext();
        if (depth > MaxDepth || ++nodes > MaxNodes)
            throw new YamlException(parser.Current!.Start, parser.Current.End, "too deep or too many nodes");
        if (parser.TryConsume<AnchorAlias>(out var alias))
        {
            problems.Add(new(path, "An alias (*name) is used.", "Write the value out; anchors and aliases are not part of the format.", Line(alias.Start)));
            return null;
        }
        parser.Accept<NodeEvent>(out var node);
        lines.TryAdd(path, Line(node!.Start));
        if (!node.Anchor.IsEmpty)
            problems.Add(new(path, "An anchor (&name) is used.", "Write the value out; anchors and aliases are not part of the format.", Line(node.Start)));
        if (!node.Tag.IsEmpty)
            problems.Add(new(path, "A tag (!name) is used.", "Remove it; quote the value if it must be a text.", Line(node.Start)));
        if (parser.TryConsume<Scalar>(out var scalar))
            return Plain(scalar);
        return parser.TryConsume<SequenceStart>(out _) ? ReadSequence(path, depth) : ReadMapping(path, depth);
    }

    private JsonArray ReadSequence(string path, int depth)
    {
        var array = new JsonArray();
        while (!parser.TryConsume<SequenceEnd>(out _))
            array.Add(ReadNode(Item(path, array.Count), depth + 1));
        return array;
    }

    private JsonObject ReadMapping(string path, int depth)
    {
        var result = new JsonObject();
        parser.Consume<MappingStart>();
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            if (!parser.TryConsume<Scalar>(out var key))
                throw new YamlException(parser.Current!.Start, parser.Current.End, "a key that is no text");
            var member = Member(path, key.Value);
            if (key.Value == "<<" || !key.Anchor.IsEmpty || !key.Tag.IsEmpty)
                problems.Add(new(member, "A merge key, anchor or tag is used in a key.", "Write the members out.", Line(key.Start)));
            lines[member] = Line(key.Start);
            var value = ReadNode(member, depth + 1);
            if (!result.TryAdd(key.Value, value))
                problems.Add(new(member, "The key stands here twice.", "Keep one of the two.", Line(key.Start)));
        }
        return result;
    }

    private static JsonNode? Plain(Scalar scalar)
    {
        var text = scalar.Value;
        if (scalar.Style != ScalarStyle.Plain)
            return JsonValue.Create(text);
        return text switch
        {
            "" or "~" or "null" => null,
            "true" => JsonValue.Create(true),
            "false" => JsonValue.Create(false),
            _ when IsInteger(text) && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => JsonValue.Create(whole),
            _ when IsDecimal(text) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var real) && double.IsFinite(real) =>
                JsonValue.Create(real),
            _ => JsonValue.Create(text),
        };
    }

    private static bool IsInteger(string text)
    {
        var digits = text.AsSpan().TrimStart("+-");
        return digits.Length > 0 && text.Length - digits.Length <= 1 && !digits.ContainsAnyExceptInRange('0', '9');
    }

    private static bool IsDecimal(string text) =>
        text.Length > 1 && (char.IsAsciiDigit(text[0]) || text[0] is '-' or '+' or '.') && text.AsSpan().ContainsAnyInRange('0', '9')
        && !text.AsSpan().ContainsAnyExcept(DecimalCharacters);
}
