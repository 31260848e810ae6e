using System.Text.Json;

namespace Postern.Vault.Tests;

/// <summary>Files of the repository and beside it.</summary>
internal static class Repository
{
    /// <summary>The folder of <c>global.json</c>, above the test's own.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>
    /// A file of Wycheproof's <c>testvectors_v1</c>, from <c>POSTERN_WYCHEPROOF</c> or <c>../shared/data/wycheproof</c>. Without it
    /// the test is skipped with a word, and fails where <c>CI=true</c>.
    /// </summary>
    public static JsonDocument Wycheproof(string name)
    {
        var folder = Environment.GetEnvironmentVariable("POSTERN_WYCHEPROOF") is { Length: > 0 } named
            ? named
            : Path.GetFullPath(Path.Combine(Root, "..", "shared", "data", "wycheproof"));
        var file = Path.Combine(folder, name);
        if (!File.Exists(file))
        {
            var word = $"Wycheproof's {name} is not in {folder}; set POSTERN_WYCHEPROOF to its testvectors_v1 folder.";
            Assert.False(string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase), word);
            Assert.Skip(word);
        }
        return JsonDocument.Parse(File.ReadAllBytes(file));
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "global.json")))
                return folder.FullName;
        }
        throw new InvalidOperationException("No global.json above the tests: run them from inside the repository.");
    }
}
