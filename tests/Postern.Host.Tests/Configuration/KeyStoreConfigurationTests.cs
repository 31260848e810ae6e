using System.Text.Json.Nodes;
using Postern.Vault;

namespace Postern.Host.Tests.Configuration;

/// <summary>Section <c>KeyStore</c>: each provider is read, has the schema's keys, and every mistake is named with its path.</summary>
public sealed class KeyStoreConfigurationTests
{
    private const string Section = "Postern:KeyStore";

    private static readonly Dictionary<string, (string Name, string Json)> Providers = new()
    {
        ["transit"] = ("Transit", """{ "Address": "https://vault.example:8200", "Key": "postern", "TokenFile": "/run/vault/token" }"""),
        ["aws-kms"] = ("AwsKms", """{ "KeyArn": "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab" }"""),
        ["azure-key-vault"] = ("AzureKeyVault", """{ "Address": "https://acme.vault.azure.net", "Key": "postern", "SigningKey": "postern-signer" }"""),
        ["google-kms"] = ("GoogleKms", """{ "Key": "projects/acme/locations/europe-west3/keyRings/postern/cryptoKeys/root" }"""),
    };

    [Theory]
    [InlineData("transit", typeof(TransitOptions))]
    [InlineData("aws-kms", typeof(AwsKmsOptions))]
    [InlineData("azure-key-vault", typeof(AzureKeyVaultOptions))]
    [InlineData("google-kms", typeof(GoogleKmsOptions))]
    public void Provider_WithItsSection_IsRead(string provider, Type options)
    {
        var result = Given.Read(With(provider));
        Assert.Empty(result.Problems);
        Assert.Equal(options, result.Settings!.KeyStore.Remote!.GetType());
        Assert.Null(result.Settings.KeyStore.File);
    }

    [Theory]
    [InlineData("transit")]
    [InlineData("aws-kms")]
    [InlineData("azure-key-vault")]
    [InlineData("google-kms")]
    public void Section_OfAProvider_HasTheKeysOfTheSchema(string provider)
    {
        var configuration = With(provider);
        configuration.Set($"{Section}:{Providers[provider].Name}:zzzzzzzzzzzzzzzz", "x");
        var problem = Assert.Single(Given.Read(configuration).Problems);
        var schema = JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "postern.schema.json")))!;
        var keys = schema["properties"]!["Postern"]!["properties"]!["KeyStore"]!["properties"]![Providers[provider].Name]!["properties"]!.AsObject().Select(pair => pair.Key);
        Assert.Equal($"Known here: {string.Join(", ", keys.Order(StringComparer.Ordinal))}.", problem.Remedy);
    }

    [Theory]
    [InlineData("transit", "Transit:Address", "http://vault.example", "this machine alone")]
    [InlineData("transit", "Transit:Key", "a/b", "write a name")]
    [InlineData("transit", "Transit:Login", "password", "token, approle, kubernetes")]
    [InlineData("aws-kms", "AwsKms:KeyArn", "alias/postern", "not an alias")]
    [InlineData("azure-key-vault", "AzureKeyVault:SigningKey", "postern", "another key")]
    [InlineData("azure-key-vault", "AzureKeyVault:Address", "https://user@acme.vault.azure.net", "acme.vault.azure.net")]
    [InlineData("google-kms", "GoogleKms:Key", "root", "projects/P")]
    [InlineData("google-kms", "Directory", "/var/lib/postern/keys", "Remove it")]
    public void Value_ThatIsWrong_IsNamedWithItsPathAndRemedy(string provider, string path, string value, string remedy)
    {
        var configuration = With(provider);
        configuration.Set($"{Section}:{path}", value);
        var problem = Assert.Single(Given.Read(configuration).Problems);
        Assert.Equal($"{Section}:{path}", problem.Path);
        Assert.Contains(remedy, problem.Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("transit", "Login", "approle", "Role", "SecretIdFile")]
    [InlineData("aws-kms", "Credentials", "file", "CredentialsFile", null)]
    [InlineData("google-kms", "Credentials", "file", "CredentialsFile", null)]
    public void Credential_ThatIsMissing_IsNamed(string provider, string key, string choice, string first, string? second)
    {
        var configuration = With(provider);
        var section = $"{Section}:{Providers[provider].Name}";
        configuration.Set($"{section}:{key}", choice);
        Assert.Equal(
            new[] { first, second }.Where(missing => missing is not null).Select(missing => $"{section}:{missing}"),
            Given.Read(configuration).Problems.Select(problem => problem.Path));
    }

    [Fact]
    public void SectionOfAnotherProvider_IsNotIgnored()
    {
        var configuration = Given.Demo();
        configuration.Set($"{Section}:GoogleKms", JsonNode.Parse(Providers["google-kms"].Json)!);
        Assert.Equal($"{Section}:GoogleKms", Assert.Single(Given.Read(configuration).Problems).Path);
    }

    [Fact]
    public void File_WithItsProtection_IsRead()
    {
        var configuration = Given.Demo();
        configuration.Set($"{Section}:Credential", "postern-root");
        Assert.Equal(new KeyringProtection.Credential("postern-root"), Given.Read(configuration).Settings!.KeyStore.File!.Protection);
        configuration.Set($"{Section}:PassphraseFile", "/run/secrets/passphrase");
        Assert.Equal($"{Section}:PassphraseFile", Assert.Single(Given.Read(configuration).Problems).Path);
        configuration.Remove($"{Section}:PassphraseFile");
        configuration.Set($"{Section}:Credential", "../root");
        Assert.Equal($"{Section}:Credential", Assert.Single(Given.Read(configuration).Problems).Path);
    }

    [Theory]
    [InlineData("transit")]
    [InlineData("aws-kms")]
    [InlineData("azure-key-vault")]
    [InlineData("google-kms")]
    public void Former_OfAnotherKind_IsRead(string provider)
    {
        var toService = With(provider);
        toService.Set($"{Section}:Former", JsonNode.Parse("""{ "Directory": "/var/lib/postern/keys", "Credential": "postern-root" }""")!);
        var fromService = Given.Demo();
        fromService.Set($"{Section}:Former", new JsonObject { ["Provider"] = provider, [Providers[provider].Name] = JsonNode.Parse(Providers[provider].Json) });

        var (to, from) = (Given.Read(toService), Given.Read(fromService));

        Assert.Empty(to.Problems.Concat(from.Problems));
        Assert.Equal("/var/lib/postern/keys", to.Settings!.KeyStore.Former!.FileKeyring!.Directory);
        Assert.Equal(to.Settings.KeyStore.Remote!.GetType(), from.Settings!.KeyStore.Former!.RemoteKeyStore!.GetType());
        Assert.NotNull(from.Settings.KeyStore.File);
    }

    [Theory]
    [InlineData("Former:Provider", "transit", "move by way of another kind")]
    [InlineData("Former:Deployment", "another", "Known here")]
    [InlineData("Former:Directory", "", "Name a directory of its own")]
    public void Former_ThatCannotBeOne_IsNamedWithItsPathAndRemedy(string path, string value, string remedy)
    {
        var configuration = With("transit");
        configuration.Set($"{Section}:Former", JsonNode.Parse("""{ "Provider": "file", "Directory": "/var/lib/postern/keys" }""")!);
        if (value == "transit")
            configuration.Set($"{Section}:Former", JsonNode.Parse($$"""{ "Transit": {{Providers["transit"].Json}} }""")!);
        configuration.Set($"{Section}:{path}", value);

        var problem = Assert.Single(Given.Read(configuration).Problems);

        Assert.Equal($"{Section}:{path}", problem.Path);
        Assert.Contains(remedy, problem.Remedy, StringComparison.Ordinal);
    }

    private static JsonNode With(string provider)
    {
        var configuration = Given.Demo();
        configuration.Remove($"{Section}:Directory");
        configuration.Set($"{Section}:Provider", provider);
        configuration.Set($"{Section}:{Providers[provider].Name}", JsonNode.Parse(Providers[provider].Json)!);
        return configuration;
    }
}
