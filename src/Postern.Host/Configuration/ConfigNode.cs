using System.Collections.Immutable;
using System.Globalization;
using Postern.Model;

namespace Postern.Host.Configuration;

/// <summary>One thing wrong with the configuration: where, what, and how to mend it.</summary>
public sealed record ConfigProblem(string Path, string Problem, string Remedy)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Path}: {Problem} {Remedy}";
}

/// <summary>
/// A section of the configuration that remembers which keys were asked for, so that what nobody asked for is reported as unknown.
/// Reading never throws: problems are collected, and all of them are shown at once.
/// </summary>
internal sealed class ConfigNode(IConfigurationSection section, List<ConfigProblem> problems)
{
    private readonly HashSet<string> known = new(StringComparer.OrdinalIgnoreCase);

    public string Path => section.Path;

    /// <summary>The name of the section. In lower case: an environment variable that overrides part of it spells it in capitals.</summary>
    public string Key => section.Key.ToLowerInvariant();

    public bool Exists => section.Exists();

    public void Report(string key, string problem, string remedy) =>
        problems.Add(new(key.Length == 0 ? Path : $"{Path}:{key}", problem, remedy));

    public string? Optional(string key)
    {
        known.Add(key);
        var child = section.GetSection(key);
        if (child.GetChildren().Any())
            Report(key, "is a section or a list, but one value is expected.", "Write a single value.");
        return string.IsNullOrWhiteSpace(child.Value) ? null : child.Value.Trim();
    }

    public string Required(string key, string remedy)
    {
        if (Optional(key) is { } value)
            return value;
        Report(key, "is missing.", remedy);
        return "";
    }

    public bool Flag(string key, bool otherwise = false)
    {
        var text = Optional(key);
        if (text is null)
            return otherwise;
        if (bool.TryParse(text, out var value))
            return value;
        Report(key, "is neither true nor false.", "Write true or false.");
        return otherwise;
    }

    public long Number(string key, long otherwise, long min, long max)
    {
        var text = Optional(key);
        if (text is null)
            return otherwise;
        if (long.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max)
            return value;
        Report(key, $"is not a whole number from {min} to {max}.", $"Leave it out for {otherwise}, or write a number in that range.");
        return otherwise;
    }

    /// <summary>A number that may be left out, for null.</summary>
    public long? OptionalNumber(string key, long min, long max)
    {
        var text = Optional(key);
        if (text is null)
            return null;
        if (long.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max)
            return value;
        Report(key, $"is not a whole number from {min} to {max}.", "Write a number in that range, or leave it out.");
        return null;
    }

    /// <summary>A duration that may be left out, for null.</summary>
    public TimeSpan? OptionalDuration(string key, TimeSpan min, TimeSpan max)
    {
        var text = Optional(key);
        if (text is null)
            return null;
        if (TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max)
            return value;
        Report(key, $"is not a duration from {min:c} to {max:c}.", "Write hh:mm:ss, with days as d.hh:mm:ss, or leave it out.");
        return null;
    }

    /// <summary>A choice that may be left out, for null.</summary>
    public T? OptionalChoice<T>(string key, params (string Name, T Value)[] choices) where T : struct =>
        Optional(key) is null ? null : Choice<T>(key, choices[0].Value, choices);

    public TimeSpan Duration(string key, TimeSpan otherwise, TimeSpan min, TimeSpan max)
    {
        var text = Optional(key);
        if (text is null)
            return otherwise;
        if (TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max)
            return value;
        Report(key, $"is not a duration from {min:c} to {max:c}.", $"Write hh:mm:ss, or leave it out for {otherwise:c}.");
        return otherwise;
    }

    public T Choice<T>(string key, T? otherwise, params (string Name, T Value)[] choices) where T : struct
    {
        var text = Optional(key);
        var names = string.Join(", ", choices.Select(choice => choice.Name));
        if (text is null)
        {
            if (otherwise is { } value)
                return value;
            Report(key, "is missing.", $"Choose one of: {names}.");
            return choices[0].Value;
        }
        foreach (var choice in choices)
        {
            if (string.Equals(choice.Name, text, StringComparison.OrdinalIgnoreCase))
                return choice.Value;
        }
        Report(key, $"{Shown(text)} is not known here.", $"Choose one of: {names}.");
        return otherwise ?? choices[0].Value;
    }

    /// <summary>A secret: in the configuration itself, or in the file that <c>…File</c> names (without its last line break).</summary>
    /// <param name="remedy">What to do when it is in neither place; null when it may be absent.</param>
    public SecretText? Secret(string key, string? remedy)
    {
        var inline = Optional(key);
        var file = Optional(key + "File");
        if (inline is not null && file is not null)
        {
            Report(key, $"and {key}File are both set.", "Keep one of them, the file for preference.");
            return null;
        }
        if (inline is not null)
            return new SecretText(inline);
        if (file is null)
        {
            if (remedy is not null)
                Report(key, "is missing.", remedy);
            return null;
        }
        try
        {
            var text = File.ReadAllText(file).TrimEnd('\r', '\n');
            if (text.Length > 0)
                return new SecretText(text);
            Report(key + "File", "names an empty file.", "Write the secret into it.");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            Report(key + "File", $"names a file that cannot be read ({exception.GetType().Name}).", "Check the path and its permissions.");
        }
        return null;
    }

    /// <summary>A list, or one text with spaces or commas between the entries. Empty entries are dropped: an override can blank one out.</summary>
    public ImmutableArray<string> List(string key)
    {
        known.Add(key);
        var list = section.GetSection(key);
        if (list.Value is { Length: > 0 } single)
            return [.. single.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries)];
        var entries = list.GetChildren().ToList();
        if (entries.Any(entry => !int.TryParse(entry.Key, NumberStyles.None, CultureInfo.InvariantCulture, out _) || entry.GetChildren().Any()))
            Report(key, "is not a list of texts.", "Write [\"…\", \"…\"].");
        return [.. entries.Select(entry => entry.Value?.Trim() ?? "").Where(value => value.Length > 0)];
    }

    public ConfigNode Child(string key)
    {
        known.Add(key);
        return new(section.GetSection(key), problems);
    }

    public IEnumerable<ConfigNode> Children(string key)
    {
        known.Add(key);
        if (section[key] is { Length: > 0 })
            Report(key, "is a single value, but a section is expected.", "Write { … } with the keys that docs/reference/configuration.md lists.");
        return section.GetSection(key).GetChildren().Select(child => new ConfigNode(child, problems));
    }

    /// <summary>Reports every key that nobody asked for; call it last.</summary>
    public void Close()
    {
        if (section.Value is { Length: > 0 })
            Report("", "is a single value, but a section is expected.", $"Write {{ … }} with these keys: {Names}.");
        foreach (var child in section.GetChildren())
        {
            if (known.Contains(child.Key))
                continue;
            var nearest = known.MinBy(name => Distance(name, child.Key));
            var hint = nearest is not null && Distance(nearest, child.Key) <= 3 ? $"Did you mean '{nearest}'?" : $"Known here: {Names}.";
            Report(child.Key, "is not a known key.", hint);
        }
    }

    /// <summary>
    /// A value as a problem may show it: short, and not at all where it could hold a password (<c>https://user:password@host</c>).
    /// </summary>
    public static string Shown(string text) => text.Contains('@') ? "the value" : text.Length <= 80 ? $"'{text}'" : $"'{text[..80]}…'";

    private string Names => string.Join(", ", known.Order(StringComparer.Ordinal));

    private static int Distance(string left, string right)
    {
        var (a, b) = (left.ToUpperInvariant(), right.ToUpperInvariant());
        var row = new int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++)
            row[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(row[j] + 1, row[j - 1] + 1), diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }
        return row[b.Length];
    }
}
