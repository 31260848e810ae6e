using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Postern.Vault.Tests;

/// <summary>The files of <c>vectors/</c>, which other languages read too. <c>POSTERN_WRITE_VECTORS=1</c> writes them anew.</summary>
internal static class Vectors
{
    private static readonly JsonSerializerOptions Pretty = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static JsonNode Read(string name) => JsonNode.Parse(File.ReadAllBytes(FileOf(name)))!;

    /// <summary>As <see cref="Read"/>; null when there is no such file yet.</summary>
    public static JsonNode? Find(string name) => File.Exists(FileOf(name)) ? Read(name) : null;

    /// <summary>What is made now is byte for byte what the file says.</summary>
    public static void AssertSame(string name, JsonObject made)
    {
        var text = made.ToJsonString(Pretty) + "\n";
        if (Environment.GetEnvironmentVariable("POSTERN_WRITE_VECTORS") == "1")
            File.WriteAllText(FileOf(name), text);
        Assert.Equal(text, File.ReadAllText(FileOf(name)));
    }

    public static byte[] Hex(JsonNode node, string name) => Convert.FromHexString(Text(node, name));

    public static string Text(JsonNode node, string name) => (string)node[name]!;

    private static string FileOf(string name) => Path.Combine(Repository.Root, "tests", "Postern.Vault.Tests", "vectors", name);
}
