using System.Diagnostics.CodeAnalysis;

namespace Postern.Model;

/// <summary>A customer: the unit of isolation. A slug of 1 to 63 characters, <c>[a-z0-9]</c> then <c>[a-z0-9_-]</c>.</summary>
public readonly record struct TenantId
{
    private readonly string? value;
    private TenantId(string value) => this.value = value;

    /// <summary>The text, or an empty string for the default value, which names no tenant.</summary>
    public string Value => value ?? "";

    /// <summary>Reads a tenant id; false when the text is no slug.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out TenantId id)
    {
        var valid = Slug.IsValid(text);
        id = valid ? new(text!) : default;
        return valid;
    }

    /// <summary>Reads a tenant id from trusted text.</summary>
    /// <exception cref="FormatException">The text is no slug.</exception>
    public static TenantId Parse(string text) =>
        TryParse(text, out var id) ? id : throw new FormatException(Slug.Remedy("tenant", text));

    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>A data platform of a tenant, by name. A slug, see <see cref="TenantId"/>.</summary>
public readonly record struct ConnectionId
{
    private readonly string? value;
    private ConnectionId(string value) => this.value = value;

    /// <summary>The text, or an empty string for the default value.</summary>
    public string Value => value ?? "";

    /// <summary>Reads a connection id; false when the text is no slug.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out ConnectionId id)
    {
        var valid = Slug.IsValid(text);
        id = valid ? new(text!) : default;
        return valid;
    }

    /// <summary>Reads a connection id from trusted text.</summary>
    /// <exception cref="FormatException">The text is no slug.</exception>
    public static ConnectionId Parse(string text) =>
        TryParse(text, out var id) ? id : throw new FormatException(Slug.Remedy("connection", text));

    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>A workbook's name. A slug, see <see cref="TenantId"/>.</summary>
public readonly record struct WorkbookId
{
    private readonly string? value;
    private WorkbookId(string value) => this.value = value;

    /// <summary>The text, or an empty string for the default value.</summary>
    public string Value => value ?? "";

    /// <summary>Reads a workbook id; false when the text is no slug.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out WorkbookId id)
    {
        var valid = Slug.IsValid(text);
        id = valid ? new(text!) : default;
        return valid;
    }

    /// <summary>Reads a workbook id from trusted text.</summary>
    /// <exception cref="FormatException">The text is no slug.</exception>
    public static WorkbookId Parse(string text) =>
        TryParse(text, out var id) ? id : throw new FormatException(Slug.Remedy("workbook", text));

    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>The id of a grant, a UUID that never changes while its tokens do.</summary>
public readonly record struct GrantId(Guid Value)
{
    /// <inheritdoc/>
    public override string ToString() => Value.ToString("D");
}

/// <summary>The id of one query run, as clients, events and the platform's query tags know it.</summary>
public readonly record struct QueryRunId(Guid Value)
{
    /// <inheritdoc/>
    public override string ToString() => Value.ToString("D");
}

/// <summary>The one rule for names that people choose.</summary>
public static class Slug
{
    /// <summary>The longest slug, in characters.</summary>
    public const int MaxLength = 63;

    /// <summary>True for 1 to 63 characters: a lower-case letter or digit, then those, hyphens or underscores.</summary>
    public static bool IsValid([NotNullWhen(true)] string? text)
    {
        if (text is not { Length: >= 1 and <= MaxLength } || !char.IsAsciiLetterLower(text[0]) && !char.IsAsciiDigit(text[0]))
            return false;
        foreach (var c in text)
        {
            if (!char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c is not ('-' or '_'))
                return false;
        }
        return true;
    }

    /// <summary>What to tell whoever wrote a text that is no slug.</summary>
    public static string Remedy(string what, string? text) =>
        $"'{Clip(text)}' is not a {what} name: use 1 to {MaxLength} lower-case letters, digits, '-' or '_', starting with a letter or digit.";

    private static string Clip(string? text) => text is null ? "" : text.Length <= 80 ? text : text[..80] + "…";
}
