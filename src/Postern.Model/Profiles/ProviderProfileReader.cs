using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;

namespace Postern.Model;

// The presets: one JSON object, of each profile by its name. Checked here, all of it, when it is first used:
//   displayName, rotation, revocation, tokenRequestsPerMinute, queryScopes, scopes, sources   required
//   grace               [d.]hh:mm:ss; with rotation "grace" required, with any other refused
//   absoluteSession     [d.]hh:mm:ss
//   assumedAccessToken  [d.]hh:mm:ss
//   sources             names every value that stands there, and says where it comes from
// Anything else is refused: a misspelt key must not become a default.

/// <summary>Reads provider profiles and refuses every file that is not as it should be.</summary>
public static class ProviderProfileReader
{
    /// <summary>The least that a cap may be.</summary>
    public const int LeastRequestsPerMinute = 6;

    /// <summary>The names of the rotations, as files and configurations write them.</summary>
    public static ImmutableArray<(string Name, RefreshRotation Value)> Rotations { get; } =
    [
        ("none", RefreshRotation.None),
        ("grace", RefreshRotation.RotatingWithGrace),
        ("single-use", RefreshRotation.SingleUse),
        ("single-use-kills-access-tokens", RefreshRotation.SingleUseKillsAccessTokens),
    ];

    private static readonly ImmutableHashSet<string> Unsourced = ["displayName", "sources", "queryScopes"];

    internal static ImmutableArray<ProviderProfile> ReadPresets()
    {
        using var file = typeof(ProviderProfileReader).Assembly.GetManifestResourceStream("provider-profiles.json")
            ?? throw new InvalidOperationException("provider-profiles.json is not part of this build.");
        return Read(file);
    }

    /// <summary>Reads the profiles of a file, in its order.</summary>
    /// <exception cref="FormatException">The file is not as it should be; the message says where.</exception>
    public static ImmutableArray<ProviderProfile> Read(Stream file)
    {
        try
        {
            using var document = JsonDocument.Parse(file, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return [.. document.RootElement.EnumerateObject().Select(profile => Profile(profile.Name, profile.Value))];
        }
        catch (Exception broken) when (broken is JsonException or InvalidOperationException)
        {
            throw new FormatException($"The provider profiles are not JSON as expected: {broken.Message}", broken);
        }
    }

    private static ProviderProfile Profile(string name, JsonElement json)
    {
        var known = new HashSet<string>();
        var rotation = Rotation(name, Text("rotation"));
        var profile = new ProviderProfile(
            name, rotation, Required("revocation").GetBoolean(),
            [.. Required("scopes").EnumerateObject().Select(scope => new ScopeMeaning(scope.Name, scope.Value.GetString()!))],
            [.. Required("queryScopes").EnumerateArray().Select(scope => scope.GetString()!)])
        {
            DisplayName = Text("displayName"),
            Grace = Duration("grace") ?? TimeSpan.Zero,
            AbsoluteSession = Duration("absoluteSession"),
            AssumedAccessToken = Duration("assumedAccessToken"),
            TokenRequestsPerMinute = Required("tokenRequestsPerMinute").GetInt32(),
            Sources = Required("sources").EnumerateObject().ToImmutableSortedDictionary(source => source.Name, source => source.Value.GetString()!, StringComparer.Ordinal),
        };
        foreach (var property in json.EnumerateObject())
        {
            if (!known.Contains(property.Name))
                throw new FormatException($"{name}: '{property.Name}' is not known here.");
            if (!Unsourced.Contains(property.Name) && !profile.Sources.ContainsKey(property.Name))
                throw new FormatException($"{name}: '{property.Name}' has no source.");
        }
        if (!Slug.IsValid(name))
            throw new FormatException($"'{name}' is no name.");
        if (profile.TokenRequestsPerMinute < LeastRequestsPerMinute)
            throw new FormatException($"{name}: tokenRequestsPerMinute is below {LeastRequestsPerMinute}.");
        if (rotation == RefreshRotation.RotatingWithGrace != profile.Grace > TimeSpan.Zero)
            throw new FormatException($"{name}: grace goes with the rotation \"grace\", and with no other.");
        if (profile.QueryScopes.FirstOrDefault(needed => profile.Scopes.All(scope => scope.Scope != needed)) is { } unknown)
            throw new FormatException($"{name}: the query scope '{unknown}' is not among the scopes.");
        return profile;

        JsonElement Required(string key) =>
            Optional(key) ?? throw new FormatException($"{name}: '{key}' is missing.");

        JsonElement? Optional(string key)
        {
            known.Add(key);
            return json.TryGetProperty(key, out var value) ? value : null;
        }

        string Text(string key) =>
            Required(key).GetString() is { Length: > 0 } text ? text : throw new FormatException($"{name}: '{key}' is empty.");

        TimeSpan? Duration(string key)
        {
            if (Optional(key) is not { } value)
                return null;
            return TimeSpan.TryParse(value.GetString(), CultureInfo.InvariantCulture, out var duration) && duration > TimeSpan.Zero
                ? duration
                : throw new FormatException($"{name}: '{key}' is no duration.");
        }
    }

    private static RefreshRotation Rotation(string profile, string name)
    {
        foreach (var rotation in Rotations)
        {
            if (rotation.Name == name)
                return rotation.Value;
        }
        throw new FormatException($"{profile}: '{name}' is no rotation.");
    }
}
