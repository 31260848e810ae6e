using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;
using Postern.Host.Configuration;

namespace Postern.Host.Tests;

/// <summary>Configurations: the demo's, which is good, and what tests change in it.</summary>
internal static class Given
{
    public const string Skyline = "Postern:Tenants:skyline";
    public const string Lakehouse = Skyline + ":Connections:lakehouse";

    public static JsonNode Demo() => JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Demo", "postern.demo.json")))!;

    /// <summary>The demo's configuration with its state in a folder of the test's own.</summary>
    public static JsonNode Demo(TempFolder folder)
    {
        var node = Demo();
        node.Set("Postern:Store:ConnectionString", "Data Source=" + folder.In("data/postern.db"));
        node.Set("Postern:KeyStore:Directory", folder.In("keys"));
        return node;
    }

    /// <summary>The node at a configuration path, such as <c>Postern:Tenants:skyline</c>.</summary>
    public static JsonNode At(this JsonNode root, string path) =>
        path.Split(':').Aggregate(root, (node, key) => (node is JsonArray list ? list[int.Parse(key)] : node[key]) ?? throw new ArgumentException(path));

    public static void Set(this JsonNode root, string path, JsonNode? value)
    {
        var colon = path.LastIndexOf(':');
        root.At(path[..colon])[path[(colon + 1)..]] = value;
    }

    public static void Remove(this JsonNode root, string path)
    {
        var colon = path.LastIndexOf(':');
        if (!root.At(path[..colon]).AsObject().Remove(path[(colon + 1)..]))
            throw new ArgumentException(path);
    }

    public static ConfigurationResult Read(JsonNode node, params (string Key, string Value)[] overrides) => ConfigurationReader.Read(
        new ConfigurationBuilder()
            .AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(node.ToJsonString())))
            .AddInMemoryCollection(overrides.Select(pair => KeyValuePair.Create(pair.Key, (string?)pair.Value)))
            .Build());

    /// <summary>A front end that serves nothing, for a gateway that nobody looks at.</summary>
    public static string FrontEnd(TempFolder folder)
    {
        folder.Write("dist/assets/embed.js", "");
        folder.Write("dist/vega-lite.iife.js", "");
        folder.Write("dist/manifest.json", """{"viewer":{"file":"assets/embed.js"},"connect":{"file":"assets/embed.js"},"portal":{"file":"assets/embed.js"}}""");
        return folder.In("dist");
    }
}
