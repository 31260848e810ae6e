using System.Net;
using System.Text.RegularExpressions;

namespace Postern.Cluster.Tests.Actors;

/// <summary>A form of a page: where it goes and its fields, with those boxes ticked that are.</summary>
internal sealed partial record Form(string Action, IReadOnlyList<KeyValuePair<string, string>> Fields)
{
    /// <summary>The form that has a button of this name and value.</summary>
    public static Form With(string html, string button, string value)
    {
        foreach (Match form in FormPattern().Matches(html))
        {
            var body = form.Groups["body"].Value;
            if (!ButtonPattern().Matches(body).Any(found => Attribute(found.Value, "name") == button && Attribute(found.Value, "value") == value))
                continue;
            var fields = InputPattern().Matches(body)
                .Where(input => Attribute(input.Value, "type") == "hidden" || input.Value.Contains(" checked", StringComparison.Ordinal) && !input.Value.Contains(" disabled", StringComparison.Ordinal))
                .Select(input => KeyValuePair.Create(Attribute(input.Value, "name")!, Attribute(input.Value, "value") ?? ""));
            return new(Attribute(form.Groups["tag"].Value, "action")!, [.. fields, KeyValuePair.Create(button, value)]);
        }
        throw new InvalidOperationException($"The page has no button {button}={value}:\n{html}");
    }

    /// <summary>Whether a page has such a button.</summary>
    public static bool Has(string html, string button) =>
        ButtonPattern().Matches(html).Any(found => Attribute(found.Value, "name") == button);

    /// <summary>An attribute of an element's opening tag.</summary>
    public static string? Attribute(string tag, string name) =>
        Regex.Match(tag, $"""\s{Regex.Escape(name)}="([^"]*)"?""") is { Success: true } found ? WebUtility.HtmlDecode(found.Groups[1].Value) : null;

    [GeneratedRegex("""(?<tag><form\b[^>]*>)(?<body>.*?)</form>""", RegexOptions.Singleline)]
    private static partial Regex FormPattern();

    [GeneratedRegex("""<button\b[^>]*>""")]
    private static partial Regex ButtonPattern();

    [GeneratedRegex("""<input\b[^>]*>""")]
    private static partial Regex InputPattern();
}
