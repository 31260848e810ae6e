using System.Collections.Immutable;
using System.Text.Json;

namespace Postern.Store;

/// <summary>A subject's attributes as one JSON text, names sorted: the same attributes are always the same text.</summary>
public static class AttributesJson
{
    /// <summary>Writes the attributes.</summary>
    public static string Write(ImmutableSortedDictionary<string, ImmutableArray<string>> attributes) =>
        JsonSerializer.Serialize(attributes.ToDictionary(a => a.Key, a => a.Value.ToArray()));

    /// <summary>Reads them back.</summary>
    /// <exception cref="JsonException">The text was not written by <see cref="Write"/>.</exception>
    public static ImmutableSortedDictionary<string, ImmutableArray<string>> Read(string json) =>
        (JsonSerializer.Deserialize<Dictionary<string, string[]>>(json) ?? [])
            .ToImmutableSortedDictionary(a => a.Key, a => a.Value.ToImmutableArray(), StringComparer.Ordinal);
}
