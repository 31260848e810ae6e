using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Postern.Audit;

/// <summary>
/// Writes JSON in one form only (RFC 8785, JSON Canonicalization Scheme): members ordered by UTF-16 code unit, no white space,
/// the shortest escapes, UTF-8. Numbers are integers within ±2^53, which is all that events hold.
/// </summary>
/// <remarks>A lone surrogate, which RFC 8785 forbids, becomes U+FFFD: an event must never fail because a browser sent odd text.</remarks>
internal static class CanonicalJson
{
    public static byte[] Write(JsonNode node)
    {
        var text = new StringBuilder(1024);
        Append(text, node);
        // Strict UTF-8 would throw on a lone surrogate; the default replaces it.
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private static void Append(StringBuilder text, JsonNode? node)
    {
        switch (node)
        {
            case null:
                text.Append("null");
                break;
            case JsonObject members:
                AppendObject(text, members);
                break;
            case JsonValue value when value.TryGetValue<string>(out var s):
                AppendString(text, s);
                break;
            case JsonValue value when value.TryGetValue<int>(out var n):
                text.Append(n.ToString(CultureInfo.InvariantCulture));
                break;
            case JsonValue value when value.TryGetValue<long>(out var n):
                text.Append(n.ToString(CultureInfo.InvariantCulture));
                break;
            default:
                throw new ArgumentException($"Events hold objects, strings and integers, not {node.GetValueKind()}.", nameof(node));
        }
    }

    private static void AppendObject(StringBuilder text, JsonObject members)
    {
        var names = ArrayPool<string>.Shared.Rent(Math.Max(1, members.Count));
        try
        {
            var count = 0;
            foreach (var (name, _) in members)
                names[count++] = name;
            Array.Sort(names, 0, count, StringComparer.Ordinal);
            text.Append('{');
            for (var i = 0; i < count; i++)
            {
                if (i > 0)
                    text.Append(',');
                AppendString(text, names[i]);
                text.Append(':');
                Append(text, members[names[i]]);
            }
            text.Append('}');
        }
        finally
        {
            ArrayPool<string>.Shared.Return(names, clearArray: true);
        }
    }

    private static void AppendString(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (var c in value)
        {
            switch (c)
            {
                case '"': text.Append("\\\""); break;
                case '\\': text.Append("\\\\"); break;
                case '\b': text.Append("\\b"); break;
                case '\t': text.Append("\\t"); break;
                case '\n': text.Append("\\n"); break;
                case '\f': text.Append("\\f"); break;
                case '\r': text.Append("\\r"); break;
                case < ' ': text.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture)); break;
                default: text.Append(c); break;
            }
        }
        text.Append('"');
    }
}
