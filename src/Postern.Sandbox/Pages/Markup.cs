using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Encodings.Web;

namespace Postern.Sandbox.Pages;

/// <summary>
/// HTML that is safe by construction: literals stay as they are, every text put into a hole is encoded, and only other
/// <see cref="Markup"/> passes unencoded. Attribute values must stand in double quotes.
/// </summary>
/// <param name="Html">The HTML.</param>
internal readonly record struct Markup(string Html)
{
    /// <summary>Nothing.</summary>
    public static Markup Empty { get; } = new("");

    /// <summary>Makes HTML from an interpolated string.</summary>
    public static Markup Of(Builder builder) => new(builder.ToString());

    /// <summary>Joins pieces in order.</summary>
    public static Markup Join(IEnumerable<Markup> pieces) => new(string.Concat(pieces.Select(piece => piece.Html)));

    public override string ToString() => Html;

    /// <summary>What the compiler turns an interpolated string into.</summary>
    [InterpolatedStringHandler]
    public readonly struct Builder(int literalLength, int formattedCount)
    {
        private readonly StringBuilder _html = new(literalLength + (formattedCount * 32));

        public void AppendLiteral(string html) => _html.Append(html);

        public void AppendFormatted(string? text) => _html.Append(HtmlEncoder.Default.Encode(text ?? ""));

        public void AppendFormatted(Markup markup) => _html.Append(markup.Html);

        public override string ToString() => _html.ToString();
    }
}
