using System.Text.RegularExpressions;

namespace Postern.Host.Tests;

/// <summary>The documents of the repository, read as text.</summary>
internal static partial class Pages
{
    /// <summary>All documents that people read, relative to the root.</summary>
    public static IEnumerable<string> All => Directory.EnumerateFiles(Checkout.PathOf("docs"), "*.md", SearchOption.AllDirectories)
        .Concat([Checkout.PathOf("README.md"), Checkout.PathOf("CONTRIBUTING.md"), Checkout.PathOf("web/README.md"), Checkout.PathOf("web/packages/embed/README.md")])
        .Select(file => Path.GetRelativePath(Checkout.PathOf("."), file).Replace('\\', '/')).Order(StringComparer.Ordinal);

    /// <summary>The fenced blocks of a language.</summary>
    public static IReadOnlyList<string> Blocks(string page, string language) =>
        [.. Fence().Matches(Checkout.Read(page)).Where(match => match.Groups["language"].Value == language).Select(match => match.Groups["text"].Value)];

    /// <summary>Targets of links, outside fenced blocks.</summary>
    public static IEnumerable<string> Links(string page) => Link().Matches(Prose(page)).Select(match => match.Groups["target"].Value);

    /// <summary>The anchors of a page's headings, as they are made of headings where such pages are shown.</summary>
    public static IReadOnlySet<string> Anchors(string page) => Heading().Matches(Prose(page))
        .Select(match => NoAnchor().Replace(match.Groups["text"].Value.Trim().ToLowerInvariant(), "").Replace(' ', '-')).ToHashSet();

    /// <summary>The rows of all tables: their cells, as they are written.</summary>
    public static IEnumerable<string[]> Rows(string text) => text.Split('\n').Where(line => line.StartsWith('|') && !line.StartsWith("|---", StringComparison.Ordinal))
        .Select(line => line.Trim().Trim('|').Split('|').Select(cell => cell.Trim()).ToArray());

    /// <summary>The words between backticks in a cell.</summary>
    public static IEnumerable<string> Codes(string cell) => Code().Matches(cell).Select(match => match.Groups["text"].Value);

    /// <summary>The sections of a page by their second-level heading.</summary>
    public static IReadOnlyDictionary<string, string> Sections(string page) => Checkout.Read(page).Split("\n## ").Skip(1)
        .ToDictionary(section => section[..section.IndexOf('\n', StringComparison.Ordinal)].Trim(), section => section);

    private static string Prose(string page) => Fence().Replace(Checkout.Read(page), "");

    [GeneratedRegex(@"^[ \t]*```(?<language>\w*)[^\n]*\n(?<text>.*?)^[ \t]*```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^#{1,6} (?<text>.*)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NoAnchor();

    [GeneratedRegex("`(?<text>[^`]+)`")]
    private static partial Regex Code();
}
