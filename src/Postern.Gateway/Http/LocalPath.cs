namespace Postern.Gateway.Http;

/// <summary>
/// A place to go on to after a sign-in: a path of this origin, or the start page. Browsers read <c>\</c> as <c>/</c> and drop tabs and
/// line breaks, so anything but a plain absolute path is refused, not repaired (RFC 9700 section 4.11).
/// </summary>
internal static class LocalPath
{
    private const int MaxLength = 1024;

    public static string Of(string? text)
    {
        if (text is not { Length: >= 1 and <= MaxLength } || text[0] != '/' || text.StartsWith("//", StringComparison.Ordinal))
            return "/";
        foreach (var c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && !"/-_.~?=&".Contains(c))
                return "/";
        }
        return Uri.TryCreate(text, UriKind.Relative, out _) ? text : "/";
    }
}
