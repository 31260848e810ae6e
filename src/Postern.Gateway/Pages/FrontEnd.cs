using System.Collections.Frozen;
using System.Text;
using System.Text.Json;

namespace Postern.Gateway.Pages;

/// <summary>The built front end: which files an entry needs (Vite's manifest), and where they lie.</summary>
internal sealed class FrontEnd
{
    private readonly FrozenDictionary<string, string> heads;

    /// <exception cref="InvalidOperationException">There is no built front end in the folder.</exception>
    public FrontEnd(GatewayOptions options)
    {
        Assets = Path.Combine(Path.GetFullPath(options.FrontEnd), "assets");
        var manifest = Path.Combine(Path.GetFullPath(options.FrontEnd), "manifest.json");
        if (!File.Exists(manifest) || !Directory.Exists(Assets))
            throw new InvalidOperationException($"The front end is not built: {manifest} is missing. Run npm ci and npm run build in web/, or start with ./run.");
        using var json = JsonDocument.Parse(File.ReadAllBytes(manifest));
        heads = new[] { "viewer", "connect", "portal" }.ToFrozenDictionary(entry => entry, entry => Head(json.RootElement.GetProperty(entry)));
    }

    /// <summary>The folder of files served under <c>/assets/</c>.</summary>
    public string Assets { get; }

    /// <summary>The tags that load an entry.</summary>
    public string HeadOf(string entry) => heads[entry];

    private static string Head(JsonElement entry)
    {
        var tags = new StringBuilder();
        foreach (var css in Names(entry, "css"))
            tags.Append($"""<link rel="stylesheet" href="/{css}">""").Append('\n');
        foreach (var module in Names(entry, "preload"))
            tags.Append($"""<link rel="modulepreload" href="/{module}">""").Append('\n');
        return tags.Append($"""<script type="module" src="/{entry.GetProperty("file").GetString()}"></script>""").ToString();
    }

    private static IEnumerable<string> Names(JsonElement entry, string member) =>
        entry.TryGetProperty(member, out var names) ? names.EnumerateArray().Select(name => name.GetString()!) : [];
}
