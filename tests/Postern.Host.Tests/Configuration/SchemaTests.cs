using System.Text.Json.Nodes;
using NJsonSchema;
using NJsonSchema.Validation;

namespace Postern.Host.Tests.Configuration;

/// <summary>The JSON Schema that ships with the product: what editors say must be what Postern says.</summary>
public sealed class SchemaTests
{
    private const string NoSuchKey = "zzzzzzzzzzzzzzzz";

    private static readonly string Text = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "postern.schema.json"));

    [Fact]
    public async Task Schema_TheDemo_IsAccepted() => Assert.Empty(await ErrorsAsync(Given.Demo()));

    [Theory]
    [InlineData("Postern")]
    [InlineData("Postern:Store")]
    [InlineData(Given.Skyline)]
    [InlineData(Given.Skyline + ":SignIn")]
    [InlineData(Given.Lakehouse)]
    [InlineData(Given.Lakehouse + ":Execution")]
    [InlineData(Given.Lakehouse + ":Authorization")]
    [InlineData(Given.Skyline + ":Policies:flights-by-state:Lookup")]
    [InlineData(Given.Skyline + ":EmbedKeys:1")]
    public async Task Schema_AnUnknownKey_IsRefused(string section)
    {
        var configuration = Given.Demo();
        configuration.Set($"{section}:{NoSuchKey}", "x");

        Assert.Contains(await ErrorsAsync(configuration), error => error.Property == NoSuchKey || error.ToString().Contains(NoSuchKey, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Postern:PublicOrigin", "https://analytics.example/")]
    [InlineData(Given.Lakehouse + ":Platform", "oracle")]
    [InlineData(Given.Lakehouse + ":IdentityMatch", "name")]
    [InlineData(Given.Skyline + ":EmbedKeys:0:Secret", "short")]
    public async Task Schema_AWrongValue_IsRefused(string path, string value)
    {
        var configuration = Given.Demo();
        configuration.Set(path, value);

        Assert.NotEmpty(await ErrorsAsync(configuration));
    }

    [Fact]
    public async Task Schema_TwoPlacesForOneSecret_AreRefused()
    {
        var configuration = Given.Demo();
        configuration.Set(Given.Lakehouse + ":Authorization:ClientSecretFile", "/run/secrets/client");

        Assert.NotEmpty(await ErrorsAsync(configuration));
    }

    /// <summary>The reader lists the keys it knows when a key is like none of them; in every section they are the schema's.</summary>
    [Theory]
    [InlineData("Postern", "#/properties/Postern")]
    [InlineData("Postern:Store", "#/properties/Postern/properties/Store")]
    [InlineData("Postern:KeyStore", "#/properties/Postern/properties/KeyStore")]
    [InlineData("Postern:KeyStore:Former", "#/properties/Postern/properties/KeyStore/properties/Former")]
    [InlineData("Postern:Node", "#/properties/Postern/properties/Node")]
    [InlineData(Given.Skyline, "#/definitions/tenant")]
    [InlineData(Given.Skyline + ":SignIn", "#/definitions/tenant/properties/SignIn")]
    [InlineData(Given.Lakehouse, "#/definitions/connection")]
    [InlineData(Given.Lakehouse + ":Execution", "#/definitions/connection/properties/Execution")]
    [InlineData(Given.Lakehouse + ":Authorization", "#/definitions/connection/properties/Authorization")]
    [InlineData(Given.Lakehouse + ":Authorization:Behaviour", "#/definitions/connection/properties/Authorization/properties/Behaviour")]
    [InlineData(Given.Lakehouse + ":Lifetimes", "#/definitions/connection/properties/Lifetimes")]
    [InlineData(Given.Skyline + ":Connections:archive:Agreement", "#/definitions/connection/properties/Agreement")]
    [InlineData(Given.Skyline + ":Policies:flights-by-state", "#/definitions/policy")]
    [InlineData(Given.Skyline + ":Policies:flights-by-state:Lookup", "#/definitions/policy/properties/Lookup")]
    [InlineData(Given.Skyline + ":EmbedKeys:0", "#/definitions/embedKey")]
    public void Schema_EverySection_HasTheKeysOfTheReader(string section, string place)
    {
        var configuration = Given.Demo();
        configuration.Set(Given.Lakehouse + ":Lifetimes", new JsonObject());
        if (section.EndsWith(":Former", StringComparison.Ordinal))
            configuration.Set(section, JsonNode.Parse("""{ "Provider": "google-kms", "GoogleKms": { "Key": "projects/acme/locations/europe-west3/keyRings/postern/cryptoKeys/root" } }""")!);
        configuration.Set(Given.Lakehouse + ":Authorization:Behaviour", new JsonObject());
        configuration.Set($"{section}:{NoSuchKey}", "x");

        var problem = Assert.Single(Given.Read(configuration).Problems);

        var known = problem.Remedy["Known here: ".Length..^1].Split(", ");
        var described = place.Split('/').Skip(1).Aggregate(JsonNode.Parse(Text)!, (node, key) => node[key]!)["properties"]!.AsObject().Select(pair => pair.Key);
        Assert.Equal(described.Order(StringComparer.Ordinal), known.Order(StringComparer.Ordinal));
    }

    private static async Task<ICollection<ValidationError>> ErrorsAsync(JsonNode configuration)
    {
        var schema = await JsonSchema.FromJsonAsync(Text, TestContext.Current.CancellationToken);
        return schema.Validate(configuration.ToJsonString());
    }
}
