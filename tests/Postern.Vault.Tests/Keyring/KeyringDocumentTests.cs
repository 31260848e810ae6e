using System.Text;

namespace Postern.Vault.Tests;

public sealed class KeyringDocumentTests : IDisposable
{
    private const string Key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    private const string Id = "0199a1b2-0000-7000-8000-000000000001";
    private const string Whole = $$"""
        {
          "format": "postern-keyring/1",
          "deployment": "test-deployment",
          "current": "{{Id}}",
          "keys": [
            {
              "id": "{{Id}}",
              "created": "2026-01-02T03:04:05Z",
              "key": "{{Key}}"
            }
          ]
        }
        """;

    private readonly TempDirectory temp = new();

    public void Dispose() => temp.Dispose();

    [Fact]
    public void Document_Parsed_WritesTheSameBytes()
    {
        using var document = KeyringDocument.Parse(Encoding.UTF8.GetBytes(Whole));
        Assert.Equal(Whole, Encoding.UTF8.GetString(document.ToUtf8()));
        Assert.Equal(Enumerable.Range(0, 32).Select(i => (byte)i).ToArray(), document.Find(new Guid(Id))!.Reveal().ToArray());
    }

    [Fact]
    public void Document_CutAnywhere_IsRefused()
    {
        var bytes = Encoding.UTF8.GetBytes(Whole);
        for (var length = 0; length < bytes.Length; length++)
            Assert.Throws<FormatException>(() => KeyringDocument.Parse(bytes.AsSpan(0, length)));
    }

    [Theory]
    [InlineData("postern-keyring/1", "postern-keyring/2")]
    [InlineData("\"current\": \"" + Id, "\"current\": \"0199a1b2-0000-7000-8000-000000000002")]
    [InlineData("\"current\": \"" + Id, "\"current\": \"x")]
    [InlineData("\"created\": \"2026", "\"created\": \"x")]
    [InlineData("\"created\": \"2026-01-02T03:04:05Z\"", "\"created\": 5")]
    [InlineData(Key, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg")]
    [InlineData(Key, Key + "=")]
    [InlineData(Key, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH*8")]
    [InlineData("\"format\"", "\"extra\": 1, \"format\"")]
    [InlineData("\"key\":", "\"more\": 1, \"key\":")]
    [InlineData("\"keys\": [", "\"keys\": [ 1,")]
    [InlineData("\"keys\": [", "\"keys\": [ /* comment */")]
    [InlineData("\"deployment\": \"test-deployment\",", "")]
    [InlineData("{\n  \"format\"", "[\n  \"format\"")]
    public void Document_ThatIsNotAKeyring_IsRefusedWithoutQuotingIt(string found, string replacement)
    {
        Assert.Contains(found, Whole, StringComparison.Ordinal);
        var thrown = Assert.Throws<FormatException>(() => KeyringDocument.Parse(Encoding.UTF8.GetBytes(Whole.Replace(found, replacement, StringComparison.Ordinal))));
        Assert.DoesNotContain("AAECAw", thrown.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("x")]
    [InlineData("{}")]
    public void Document_WithSomethingAfterItsEnd_IsRefused(string more) =>
        Assert.Throws<FormatException>(() => KeyringDocument.Parse(Encoding.UTF8.GetBytes(Whole + more)));

    [Fact]
    public void Document_WithOneIdTwice_IsRefused()
    {
        var start = Whole.IndexOf("    {", StringComparison.Ordinal);
        var end = Whole.IndexOf("    }", StringComparison.Ordinal) + 5;
        var twice = Whole.Insert(end, ",\n" + Whole[start..end]);
        Assert.Throws<FormatException>(() => KeyringDocument.Parse(Encoding.UTF8.GetBytes(twice)));
    }

    [Fact]
    public void File_Malformed_NamesItsPathAndQuotesNoKey()
    {
        var options = new FileKeyringOptions { Directory = Path.Combine(temp.Path, "keys") };
        FileKeyring.OpenOrCreate(options, World.Deployment, new SeededChance("k"), TimeProvider.System).Dispose();
        var file = Path.Combine(options.Directory, "keyring.json");
        foreach (var content in new[] { "", Whole.Replace("}", "", StringComparison.Ordinal), Whole + Key, new string(' ', 300_000) })
        {
            File.WriteAllText(file, content);
            var thrown = Assert.Throws<KeyringException>(() => FileKeyring.Open(options, World.Deployment, new SeededChance("k"), TimeProvider.System));
            Assert.Equal(KeyringProblem.Malformed, thrown.Problem);
            Assert.Contains(file, thrown.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("AAECAw", thrown.ToString(), StringComparison.Ordinal);
        }
    }
}
