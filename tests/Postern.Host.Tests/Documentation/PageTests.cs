using System.Text.Json.Nodes;
using NJsonSchema;

namespace Postern.Host.Tests.Documentation;

/// <summary>Pages lead where they say, and what they tell people to copy works.</summary>
public sealed class PageTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string> All => [.. Pages.All];

    [Theory]
    [MemberData(nameof(All))]
    public void Page_EveryRelativeLink_LeadsToAFileAndAHeading(string page)
    {
        var broken = new List<string>();
        foreach (var link in Pages.Links(page).Where(link => !link.Contains(':')))
        {
            var (path, anchor) = link.Split('#') is [var file, var name] ? (file, name) : (link, null);
            var target = path.Length == 0 ? page : Path.GetRelativePath(Checkout.PathOf("."), Checkout.PathOf(Path.Combine(Path.GetDirectoryName(page)!, path)));
            if (!Path.Exists(Checkout.PathOf(target)) || anchor is not null && !Pages.Anchors(target).Contains(anchor))
                broken.Add(link);
        }

        Assert.Empty(broken);
    }

    [Theory]
    [InlineData("README.md")]
    [InlineData("docs/README.md")]
    public void Overview_OfThePages_LinksEveryPage(string overview)
    {
        var linked = Pages.Links(overview).Select(link => Path.GetFullPath(Checkout.PathOf(Path.Combine(Path.GetDirectoryName(overview)!, link.Split('#')[0])))).ToHashSet();

        // Decisions have an overview of their own.
        var missing = Pages.All.Where(page => page.StartsWith("docs/", StringComparison.Ordinal) && page != overview && !page.StartsWith("docs/adr/0", StringComparison.Ordinal))
            .Where(page => !linked.Contains(Path.GetFullPath(Checkout.PathOf(page))));

        Assert.Empty(missing);
    }

    [Theory]
    [InlineData("docs/reference/configuration.md")]
    [InlineData("docs/tutorial/first-embed.md")]
    public async Task Example_OfAConfiguration_IsReadWithoutAProblemAndFitsTheSchema(string page)
    {
        var schema = await JsonSchema.FromJsonAsync(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "postern.schema.json")), TestContext.Current.CancellationToken);
        var examples = Pages.Blocks(page, "json").Select(text => JsonNode.Parse(text)!).Where(node => node["Postern"] is not null).ToList();

        Assert.NotEmpty(examples);
        foreach (var example in examples)
        {
            Assert.Empty(schema.Validate(example.ToJsonString()));
            MoveFiles(example);
            Assert.Empty(Given.Read(example).Problems);
        }
    }

    [Fact]
    public async Task Example_OfAConnection_IsReadWithoutAProblemAndFitsTheSchema()
    {
        var schema = await JsonSchema.FromJsonAsync(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "postern.schema.json")), TestContext.Current.CancellationToken);
        var examples = Pages.Blocks("docs/how-to/connect-databricks.md", "json").Select(text => JsonNode.Parse($"{{{text}}}")!).ToList();

        Assert.Equal(2, examples.Count);
        foreach (var example in examples)
        {
            var configuration = Given.Demo();
            foreach (var (name, connection) in (example["Connections"] ?? example).AsObject())
                configuration.Set($"{Given.Skyline}:Connections:{name}", connection!.DeepClone());
            Assert.Empty(schema.Validate(configuration.ToJsonString()));
            MoveFiles(configuration);
            Assert.Empty(Given.Read(configuration).Problems);
        }
    }

    // The files that an example names are on somebody else's machine: here they are in the test's folder.
    private void MoveFiles(JsonNode node)
    {
        if (node is JsonArray list)
        {
            foreach (var item in list)
                MoveFiles(item!);
        }
        if (node is not JsonObject section)
            return;
        foreach (var (name, value) in section.ToList())
        {
            if (name.EndsWith("SecretFile", StringComparison.Ordinal))
                section[name] = folder.Write("a.secret", "KpQ9vZ2xT7mR4wY8bN3cJ6hL1dF5gS0a");
            else if (name == "Workbooks" && section.ContainsKey("Hosts"))
                section[name] = new JsonArray(folder.Path);
            else
                MoveFiles(value!);
        }
    }
}
