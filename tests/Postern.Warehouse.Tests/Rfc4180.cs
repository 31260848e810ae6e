using System.Text;

namespace Postern.Warehouse.Tests;

/// <summary>A reader of CSV by the grammar of RFC 4180 section 2, written apart from the writer; it refuses what the grammar does not allow.</summary>
public static class Rfc4180
{
    public readonly record struct Field(string Text, bool Quoted);

    public static List<List<Field>> Parse(string text)
    {
        var records = new List<List<Field>>();
        for (var at = 0; at < text.Length;)
        {
            var record = new List<Field>();
            while (true)
            {
                record.Add(ParseField(text, ref at));
                if (at < text.Length && text[at] == ',')
                {
                    at++;
                    continue;
                }
                if (at + 1 < text.Length && text[at] == '\r' && text[at + 1] == '\n')
                {
                    at += 2;
                    break;
                }
                throw new FormatException($"No separator and no line end at {at}.");
            }
            records.Add(record);
        }
        return records;
    }

    private static Field ParseField(string text, ref int at)
    {
        if (at >= text.Length || text[at] != '"')
        {
            var start = at;
            while (at < text.Length && text[at] is not (',' or '\r' or '\n' or '"'))
                at++;
            return new(text[start..at], false);
        }
        var content = new StringBuilder();
        for (at++; ; at++)
        {
            if (text[at] != '"')
                content.Append(text[at]);
            else if (at + 1 < text.Length && text[at + 1] == '"')
                content.Append(text[at++]);
            else
                break;
        }
        at++;
        return new(content.ToString(), true);
    }
}
