using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Postern.Model;
using Postern.Policy;

namespace Postern.Host.Tests.Configuration;

/// <summary>What a good configuration becomes, where secrets come from, and that they stay there.</summary>
public sealed class ConfigurationTests
{
    [Fact]
    public void Read_TheDemo_BecomesSettings()
    {
        var result = Given.Read(Given.Demo());

        Assert.Empty(result.Problems);
        var settings = Assert.IsType<Host.Configuration.PosternSettings>(result.Settings);
        Assert.Equal(new Uri("http://localhost:7300"), settings.PublicOrigin);
        Assert.Equal("demo", settings.Node.Name);
        var tenant = Assert.Single(settings.Tenants);
        Assert.Equal("skyline", tenant.Tenant.Id.Value);
        Assert.Equal(["lakehouse", "archive", "lakehouse-service"], tenant.Connections.Select(connection => connection.Id.Value).Order(Comparer<string>.Create(DemoOrder)));
        Assert.Equal(["skyline", "skyline-partners"], tenant.EmbedKeys.Select(key => key.Id));
        var policy = Assert.Single(tenant.Policies);
        Assert.IsType<RowFilter.Lookup>(policy.Rows);
    }

    [Fact]
    public void Read_LeftOut_TakesTheDefaults()
    {
        var settings = Given.Read(Given.Demo()).Settings!;

        var connection = settings.Tenants[0].Connections.Single(one => one.Id.Value == "lakehouse");
        // Of the Databricks profile.
        Assert.Equal(new Lifetimes { AssumedAccessToken = TimeSpan.FromHours(1) }, connection.Lifetimes);
        Assert.Equal(8, connection.Execution.MaxConcurrency);
        Assert.Equal(1_000_000, connection.Execution.MaxRows);
        Assert.Equal(ClientAuthentication.SecretBasic, connection.Authorization.ClientAuthentication);
        Assert.Equal(ParUse.WhenOffered, connection.Authorization.Par);
        Assert.Empty(settings.TrustedProxies);
    }

    [Fact]
    public void Read_EverythingSet_IsTaken()
    {
        var configuration = Given.Demo();
        configuration.Set(Given.Lakehouse + ":IdentityMatch", "attribute:login");
        configuration.Set(Given.Lakehouse + ":Execution:MaxConcurrency", 3);
        configuration.Set(Given.Lakehouse + ":Execution:MaxRows", 500);
        configuration.Set(Given.Lakehouse + ":Authorization:Par", "required");
        configuration.Set(Given.Lakehouse + ":Authorization:ClientAuthentication", "secret-post");
        configuration.Set(Given.Lakehouse + ":Lifetimes", new JsonObject { ["KeepFreshAfterUse"] = "7.00:00:00", ["Unconfirmed"] = "00:02:00" });
        configuration.Set(Given.Lakehouse + ":AllowedNetworks", new JsonArray("10.20.0.0/16", "192.168.1.7"));
        configuration.Set(Given.Lakehouse + ":Authorization:AllowedNetworks", "fd12:3456::/48");
        configuration.Set("Postern:TrustedProxies", new JsonArray("10.0.0.5", "10.1.0.0/16", "fd00::/8"));

        var settings = Given.Read(configuration).Settings!;

        var connection = settings.Tenants[0].Connections.Single(one => one.Id.Value == "lakehouse");
        Assert.Equal(new IdentityMatch("login"), connection.IdentityMatch);
        Assert.Equal(3, connection.Execution.MaxConcurrency);
        Assert.Equal(500, connection.Execution.MaxRows);
        Assert.Equal(ParUse.Required, connection.Authorization.Par);
        Assert.Equal(ClientAuthentication.SecretPost, connection.Authorization.ClientAuthentication);
        Assert.Equal(["10.20.0.0/16", "192.168.1.7/32"], connection.AllowedNetworks.Select(network => network.ToString()));
        Assert.Equal(["fd12:3456::/48"], connection.Authorization.AllowedNetworks.Select(network => network.ToString()));
        Assert.All(settings.Tenants[0].Connections.Where(one => one != connection), one => Assert.Empty(one.AllowedNetworks));
        Assert.Equal(TimeSpan.FromDays(7), connection.Lifetimes.KeepFreshAfterUse);
        Assert.Equal(TimeSpan.FromMinutes(2), connection.Lifetimes.Unconfirmed);
        Assert.Equal(["10.0.0.5/32", "10.1.0.0/16", "fd00::/8"], settings.TrustedProxies.Select(network => network.ToString()));
    }

    [Fact]
    public void Read_OverrideInCapitals_ChangesTheValueAndKeepsTheNames()
    {
        var result = Given.Read(
            Given.Demo(),
            ("POSTERN:PUBLICORIGIN", "https://analytics.example"),
            ("POSTERN:TENANTS:SKYLINE:HOSTS:0", "analytics.example"),
            ("POSTERN:TENANTS:SKYLINE:CONNECTIONS:LAKEHOUSE:FREESQL", "FALSE"));

        Assert.Empty(result.Problems);
        Assert.Equal(new Uri("https://analytics.example"), result.Settings!.PublicOrigin);
        var tenant = Assert.Single(result.Settings.Tenants);
        Assert.Equal("skyline", tenant.Tenant.Id.Value);
        Assert.Equal(["analytics.example"], tenant.Tenant.Hosts);
        Assert.False(tenant.Connections.Single(one => one.Id.Value == "lakehouse").FreeSql);
    }

    [Fact]
    public void Read_ConfigurationFromOverridesAlone_IsEnough()
    {
        var result = Given.Read(
            new JsonObject(),
            [.. Flatten("", Given.Demo()).Select(pair => (pair.Key.ToUpperInvariant(), pair.Value))]);

        Assert.Empty(result.Problems);
        Assert.Equal("skyline", Assert.Single(result.Settings!.Tenants).Tenant.Id.Value);
    }

    [Fact]
    public void Read_SecretFiles_HoldTheSecretsWithoutTheLastLineBreak()
    {
        using var folder = new TempFolder();
        const string embedSecret = "an embed secret from a file, long enough";
        var configuration = Given.Demo();
        configuration.Remove(Given.Lakehouse + ":Authorization:ClientSecret");
        configuration.Set(Given.Lakehouse + ":Authorization:ClientSecretFile", folder.Write("client", "client secret from a file\r\n"));
        configuration.Remove(Given.Skyline + ":EmbedKeys:0:Secret");
        configuration.Set(Given.Skyline + ":EmbedKeys:0:SecretFile", folder.Write("embed", embedSecret + "\n"));

        var result = Given.Read(configuration);

        Assert.Empty(result.Problems);
        var tenant = result.Settings!.Tenants[0];
        Assert.Equal(new SecretText("client secret from a file"), tenant.Connections.Single(one => one.Id.Value == "lakehouse").Authorization.ClientSecret);
        Assert.Equal(SHA256.HashData(Encoding.UTF8.GetBytes(embedSecret)), tenant.EmbedKeys.Single(key => key.Id == "skyline").SecretHash);
    }

    [Fact]
    public void Read_SecretFileEmptyOrAbsent_IsToldOnce()
    {
        using var folder = new TempFolder();
        var configuration = Given.Demo();
        configuration.Remove(Given.Lakehouse + ":Authorization:ClientSecret");
        configuration.Set(Given.Lakehouse + ":Authorization:ClientSecretFile", folder.Write("empty", "\n"));
        configuration.Remove(Given.Skyline + ":EmbedKeys:0:Secret");
        configuration.Set(Given.Skyline + ":EmbedKeys:0:SecretFile", folder.In("absent"));

        var problems = Given.Read(configuration).Problems;

        Assert.Equal(2, problems.Length);
        Assert.Contains(problems, problem => problem.Path == Given.Lakehouse + ":Authorization:ClientSecretFile" && problem.Problem.Contains("empty", StringComparison.Ordinal));
        Assert.Contains(problems, problem => problem.Path == Given.Skyline + ":EmbedKeys:0:SecretFile" && problem.Problem.Contains("cannot be read", StringComparison.Ordinal));
    }

    [Fact]
    public void Read_SecretsInEveryPlace_AreInNoProblem()
    {
        const string canary = "canary-7fb1";
        var configuration = Given.Demo();
        configuration.Set("Postern:PublicOrigin", $"https://me:{canary}@analytics.example");
        configuration.Set("Postern:Store:ConnectionString", $"Data Source=;Password={canary}");
        configuration.Set("Postern:TrustedProxies", $"me:{canary}@proxy");
        configuration.Set(Given.Skyline + ":Hosts", $"me:{canary}@localhost");
        configuration.Set(Given.Skyline + ":EmbedOrigins", $"https://me:{canary}@portal.example");
        configuration.Set(Given.Skyline + ":SignIn:ClientAuthentication", "none");
        configuration.Set(Given.Skyline + ":SignIn:ClientSecret", canary);
        configuration.Set(Given.Lakehouse + ":Endpoint", $"https://me:{canary}@dbc.example");
        configuration.Set(Given.Lakehouse + ":Authorization:Issuer", $"https://me:{canary}@login.example");
        configuration.Set(Given.Lakehouse + ":Authorization:ClientSecretFile", canary);
        configuration.Set(Given.Lakehouse + ":Authorization:ClientSecrets", canary);
        configuration.Set(Given.Skyline + ":EmbedKeys:0:Secret", canary);

        var problems = Given.Read(configuration).Problems;

        Assert.True(problems.Length >= 12, string.Join('\n', problems));
        Assert.DoesNotContain(problems, problem => problem.ToString().Contains(canary, StringComparison.Ordinal));
    }

    [Fact]
    public void Store_OnAServer_TakesItsPasswordFromAFileAndShowsItNowhere()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.In("password"), "hunter2;with=signs\n");
        var configuration = Given.Demo();
        configuration.Set("Postern:Store:Provider", "postgresql");
        configuration.Set("Postern:Store:ConnectionString", "Host=db.example;Database=postern;Username=postern");
        configuration.Set("Postern:Store:PasswordFile", folder.In("password"));
        configuration.Set("Postern:Store:PoolSize", 12);

        var settings = Given.Read(configuration).Settings!;

        var parts = new System.Data.Common.DbConnectionStringBuilder { ConnectionString = settings.Store.Options.ConnectionString };
        Assert.Equal("hunter2;with=signs", parts["Password"]);
        Assert.Equal((Postern.Store.StoreProvider.PostgreSql, 12), (settings.Store.Options.Provider, settings.Store.Options.PoolSize));
        Assert.Null(settings.Store.File);
        Assert.DoesNotContain("hunter2", $"{settings} {settings.Store}", StringComparison.Ordinal);
    }

    [Fact]
    public void Settings_AsText_HoldNoSecret()
    {
        const string canary = "canary-7fb1-that-is-long-enough";
        var configuration = Given.Demo();
        configuration.Set("Postern:Store:ConnectionString", $"Data Source=.postern/data/postern.db;Password={canary}");
        configuration.Set(Given.Skyline + ":SignIn:ClientSecret", canary);
        configuration.Set(Given.Lakehouse + ":Authorization:ClientSecret", canary);
        configuration.Set(Given.Skyline + ":EmbedKeys:0:Secret", canary);

        var settings = Given.Read(configuration).Settings!;

        var tenant = settings.Tenants[0];
        var texts = string.Join('\n', [settings, settings.Store, tenant, tenant.Tenant, .. tenant.Connections, .. tenant.EmbedKeys]);
        Assert.Contains("lakehouse", texts, StringComparison.Ordinal);
        Assert.DoesNotContain(canary, texts, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_ABlankOverride_TakesAnEntryOutOfAList()
    {
        var configuration = Given.Demo();
        configuration.Set(Given.Lakehouse + ":Authorization:Scopes", new JsonArray("sql", "all-apis", "openid"));

        var settings = Given.Read(configuration, (Given.Lakehouse + ":Authorization:Scopes:1", " ")).Settings!;

        Assert.Equal(["sql", "openid"], settings.Tenants[0].Connections.Single(one => one.Id.Value == "lakehouse").Authorization.Scopes);
    }

    private static int DemoOrder(string left, string right)
    {
        string[] order = ["lakehouse", "archive", "lakehouse-service"];
        return Array.IndexOf(order, left).CompareTo(Array.IndexOf(order, right));
    }

    private static IEnumerable<(string Key, string Value)> Flatten(string path, JsonNode node) => node switch
    {
        JsonObject section => section.SelectMany(pair => Flatten(path.Length == 0 ? pair.Key : $"{path}:{pair.Key}", pair.Value!)),
        JsonArray list => list.SelectMany((item, index) => Flatten($"{path}:{index}", item!)),
        _ => [(path, node.ToString())],
    };
}
