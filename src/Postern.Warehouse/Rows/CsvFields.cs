using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Postern.Warehouse;

/// <summary>
/// The fields of CSV records (RFC 4180). Text that a spreadsheet would run as a formula (it begins with <c>= + - @</c>, their full-width forms, a
/// tab or a line break; OWASP "CSV injection") gets an apostrophe in front. SQL NULL is an empty field, an empty text is <c>""</c>.
/// </summary>
internal sealed class CsvFields(IBufferWriter<byte> output)
{
    private static readonly SearchValues<byte> Special = SearchValues.Create(",\"\r\n"u8);
    private bool first = true;

    /// <summary>Bytes written so far.</summary>
    public long Written { get; private set; }

    /// <summary>A separator, except before the first field of a record.</summary>
    public void NextField()
    {
        if (!first)
            Raw(","u8);
        first = false;
    }

    /// <summary>Ends the record.</summary>
    public void EndRecord()
    {
        Raw("\r\n"u8);
        first = true;
    }

    /// <summary>A field that was made here and holds nothing special: a number, a date.</summary>
    public void Plain(ReadOnlySpan<byte> field) => Raw(field);

    /// <summary>A field of somebody's text.</summary>
    public void Text(ReadOnlySpan<byte> text)
    {
        if (!Utf8.IsValid(text))
            text = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(text));
        var formula = BeginsFormula(text);
        if (text.Length > 0 && text.IndexOfAny(Special) < 0)
        {
            if (formula)
                Raw("'"u8);
            Raw(text);
            return;
        }
        Raw(formula ? "\"'"u8 : "\""u8);
        for (int quote; (quote = text.IndexOf((byte)'"')) >= 0; text = text[(quote + 1)..])
        {
            Raw(text[..(quote + 1)]);
            Raw("\""u8);
        }
        Raw(text);
        Raw("\""u8);
    }

    private static bool BeginsFormula(ReadOnlySpan<byte> text) =>
        text.Length > 0 && text[0] is (byte)'=' or (byte)'+' or (byte)'-' or (byte)'@' or (byte)'\t' or (byte)'\r' or (byte)'\n'
        || text.StartsWith("＝"u8) || text.StartsWith("＋"u8) || text.StartsWith("－"u8) || text.StartsWith("＠"u8);

    private void Raw(ReadOnlySpan<byte> bytes)
    {
        output.Write(bytes);
        Written += bytes.Length;
    }
}
