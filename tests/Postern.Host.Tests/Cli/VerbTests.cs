using System.CommandLine;
using System.Text.Json.Nodes;
using Postern.Host.Cli;

namespace Postern.Host.Tests.Cli;

/// <summary>The verbs in this process: what they print, where, and their exit codes.</summary>
public sealed class VerbTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(true, "http://localhost:7300/oauth/callback", "http://localhost:7300/oauth/callback")]
    [InlineData(false, "http://localhost:7300/oauth/callback/archive", "http://localhost:7300/oauth/callback/lakehouse")]
    public async Task Redirects_AsText_ListsEachUriUnderItsServerAndClient(bool sendsIss, string archive, string lakehouse)
    {
        await using var server = await MetadataServer.StartAsync(sendsIss);
        var configuration = Given.Demo(folder);
        configuration.Set(Given.Skyline + ":Connections:archive:Authorization:Issuer", server.Address + "/generic");
        configuration.Set(Given.Skyline + ":Connections:lakehouse:Authorization:Issuer", server.Address + "/oidc");

        var ran = await Verb.RunAsync("redirects", "--config", folder.Write("redirects.json", configuration.ToJsonString()));

        Assert.Equal((0, ""), (ran.Code, ran.Error));
        Assert.Equal(
            $"""
            http://127.0.0.1:7310/corp  (client postern-portal)
              http://localhost:7300/sign-in/callback
            {server.Address}/generic  (client postern)
              {archive}
            {server.Address}/oidc  (client postern)
              {lakehouse}

            """, ran.Output, ignoreLineEndingDifferences: true);
    }

    [Fact]
    public async Task Redirects_OfServersThatDoNotAnswer_ListsBothOfEachAndSaysSo()
    {
        var ran = await Verb.RunAsync("redirects", "-c", Unreachable(), "--json");

        Assert.Equal(0, ran.Code);
        Assert.Equal(
            [
                "sign-in http://localhost:7300/sign-in/callback",
                "archive http://localhost:7300/oauth/callback", "archive http://localhost:7300/oauth/callback/archive",
                "lakehouse http://localhost:7300/oauth/callback", "lakehouse http://localhost:7300/oauth/callback/lakehouse",
            ],
            ran.Json.AsArray().Select(one => $"{one!["for"]} {one["redirectUri"]}"));
        Assert.All(ran.Json.AsArray(), one => Assert.Equal("skyline", (string?)one!["tenant"]));
        Assert.Contains("both are listed", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Redirects_TwoHosts_ListsBoth()
    {
        var configuration = JsonNode.Parse(await File.ReadAllTextAsync(Unreachable(), TestContext.Current.CancellationToken))!;
        configuration.Set("Postern:PublicOrigin", "https://analytics.example:8443");
        configuration.Set(Given.Skyline + ":Hosts", new JsonArray("analytics.example", "data.example"));

        var ran = await Verb.RunAsync("redirects", "-c", folder.Write("two.json", configuration.ToJsonString()));

        Assert.Contains("https://analytics.example:8443/oauth/callback", ran.Output, StringComparison.Ordinal);
        Assert.Contains("https://data.example:8443/oauth/callback", ran.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Migrate_Twice_SucceedsBothTimes()
    {
        var config = Demo();

        var first = await Verb.RunAsync("migrate", "--config", config);
        var second = await Verb.RunAsync("migrate", "--config", config);

        Assert.Equal((0, 0), (first.Code, second.Code));
        Assert.Equal("The schema is up to date.", second.Output.Trim());
        Assert.True(File.Exists(folder.In("data/postern.db")));
    }

    [Fact]
    public async Task Migrate_FolderIsAFile_SaysSo()
    {
        var configuration = Given.Demo(folder);
        folder.Write("data", "not a folder");

        var ran = await Verb.RunAsync("migrate", "--config", folder.Write("postern.json", configuration.ToJsonString()));

        Assert.Equal(1, ran.Code);
        Assert.StartsWith($"The store's folder {folder.In("data")} cannot be made", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Migrate_FileIsNoDatabase_SaysSoInOneSentence()
    {
        folder.Write("data/postern.db", new string('x', 8192));

        var ran = await Verb.RunAsync("migrate", "--config", Demo());

        Assert.Equal(1, ran.Code);
        Assert.StartsWith($"The store {folder.In("data/postern.db")} cannot be used", ran.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GrantsList_BeforeMigrate_SaysToMigrate()
    {
        folder.Write("data/postern.db", "");

        var ran = await Verb.RunAsync("grants", "list", "--config", Demo(), "--tenant", "skyline");

        Assert.Equal(1, ran.Code);
        Assert.Contains("postern migrate", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GrantsList_None_IsEmptyAndNoError()
    {
        var config = await MigratedAsync();

        var text = await Verb.RunAsync("grants", "list", "--config", config, "--tenant", "skyline");
        var json = await Verb.RunAsync("grants", "list", "--config", config, "--tenant", "skyline", "--connection", "lakehouse", "--json");

        Assert.Equal((0, "There are no grants."), (text.Code, text.Output.Trim()));
        Assert.Equal((0, "[]"), (json.Code, json.Output.Trim()));
    }

    [Theory]
    [InlineData("--tenant", "Sky Line")]
    [InlineData("--connection", "lake.house")]
    public async Task GrantsList_AWrongName_IsRefusedNotIgnored(string option, string value)
    {
        string[] rest = option == "--tenant" ? [] : ["--tenant", "skyline"];

        var ran = await Verb.RunAsync(["grants", "list", "--config", Demo(), option, value, .. rest]);

        Assert.Equal(1, ran.Code);
        Assert.Contains($"'{value}' is not a", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GrantsRevoke_NoSuchGrant_Fails()
    {
        var config = await MigratedAsync();

        var ran = await Verb.RunAsync("grants", "revoke", "11111111-2222-3333-4444-555555555555", "--config", config, "--tenant", "skyline");

        Assert.Equal(1, ran.Code);
        Assert.Contains("no such grant", ran.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData]
    [InlineData("11111111-2222-3333-4444-555555555555", "--all")]
    [InlineData("--all", "--connection", "lakehouse")]
    public async Task GrantsRevoke_NotExactlyOneChoice_IsRefused(params string[] choice)
    {
        var config = await MigratedAsync();

        var ran = await Verb.RunAsync(["grants", "revoke", "--config", config, "--tenant", "skyline", .. choice]);

        Assert.NotEqual(0, ran.Code);
        Assert.Contains("Name one grant", ran.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--all")]
    [InlineData("--subject", "ana", "--connection", "lakehouse")]
    public async Task GrantsRevoke_Many_SaysHowMany(params string[] choice)
    {
        var config = await MigratedAsync();

        var ran = await Verb.RunAsync(["grants", "revoke", "--config", config, "--tenant", "skyline", .. choice]);

        Assert.Equal((0, "Revoked 0 grants."), (ran.Code, ran.Output.Trim()));
    }

    [Fact]
    public async Task GrantsLift_NoSuchGrant_Fails()
    {
        var config = await MigratedAsync();

        var ran = await Verb.RunAsync("grants", "lift", "11111111-2222-3333-4444-555555555555", "--config", config, "--tenant", "skyline");

        Assert.Equal(1, ran.Code);
        Assert.Contains("no revoked grant of a service connection", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AuditVerify_AnEmptyLog_IsIntact()
    {
        var config = await MigratedAsync();

        var text = await Verb.RunAsync("audit", "verify", "--config", config);
        var json = await Verb.RunAsync("audit", "verify", "--config", config, "--tenant", "skyline", "--json");

        Assert.Equal(0, text.Code);
        Assert.Matches("^skyline: 0 entries are intact; the log's position is 0:[0-9a-f]{64}\\.\r?\npostern: 0 entries are intact; the log's position is 0:[0-9a-f]{64}\\.$", text.Output.Trim());
        Assert.Equal(0, json.Code);
        var verdict = Assert.Single(json.Json.AsArray())!;
        Assert.Equal("skyline", (string?)verdict["log"]);
        Assert.True((bool)verdict["valid"]!);
    }

    [Fact]
    public async Task AuditExport_ThenVerifyTheFile_NeedsNoConfiguration()
    {
        var config = await MigratedAsync();
        var file = folder.In("export.jsonl");

        var export = await Verb.RunAsync("audit", "export", "--config", config, "--tenant", "skyline", "--output", file);
        var verify = await Verb.RunAsync("audit", "verify", "--file", file);
        await File.WriteAllTextAsync(file, (await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)).Split('\n')[0] + "\n", TestContext.Current.CancellationToken);
        var cut = await Verb.RunAsync("audit", "verify", "--file", file, "--json");

        Assert.Equal((0, 0, 1), (export.Code, verify.Code, cut.Code));
        Assert.Equal("truncated", (string?)cut.Json[0]!["fault"]);
    }

    [Fact]
    public async Task WorkbookValidate_TheSamples_AreValid()
    {
        var files = Directory.GetFiles(Checkout.PathOf("samples/workbooks"), "*.workbook.yaml").Order(StringComparer.Ordinal).ToArray();

        var ran = await Verb.RunAsync(["workbook", "validate", .. files]);

        Assert.NotEmpty(files);
        Assert.Equal(0, ran.Code);
        Assert.Equal(files.Select(file => Path.GetFileName(file) + ": valid"), ran.Output.Trim().Split(Environment.NewLine));
    }

    [Fact]
    public async Task WorkbookValidate_OneBad_NamesItsProblemsAndFails()
    {
        var good = Checkout.PathOf("samples/workbooks/flight_delays.workbook.yaml");
        var bad = folder.Write("bad.workbook.yaml", Checkout.Read("samples/workbooks/flight_delays.workbook.yaml").Replace("connection: lakehouse", "conection: lakehouse", StringComparison.Ordinal));

        var text = await Verb.RunAsync("workbook", "validate", good, bad);
        var json = await Verb.RunAsync("workbook", "validate", bad, "--json");

        Assert.Equal((1, 1), (text.Code, json.Code));
        Assert.Contains("flight_delays.workbook.yaml: valid", text.Output, StringComparison.Ordinal);
        Assert.Contains("conection", text.Output, StringComparison.Ordinal);
        Assert.False((bool)json.Json[0]!["valid"]!);
        Assert.NotEmpty(json.Json[0]!["problems"]!.AsArray());
    }

    [Fact]
    public async Task WorkbookValidate_ChartThatDoesNotCompile_IsRefused()
    {
        var bad = folder.Write("bad.workbook.yaml", Checkout.Read("samples/workbooks/flight_delays.workbook.yaml").Replace("{type: bar}", "{type: zigzag}", StringComparison.Ordinal));

        var ran = await Verb.RunAsync("workbook", "validate", bad);

        Assert.Equal(1, ran.Code);
        Assert.Contains("pages[0].rows[1][1].chart", ran.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WorkbookValidate_NoFrontEnd_SaysHowToBuildIt()
    {
        var ran = await Verb.RunAsync("workbook", "validate", "--front-end", folder.In("absent"), Checkout.PathOf("samples/workbooks/flight_delays.workbook.yaml"));

        Assert.NotEqual(0, ran.Code);
        Assert.Contains("./run", ran.Output + ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WorkbookValidate_NoSuchFile_IsRefused()
    {
        var ran = await Verb.RunAsync("workbook", "validate", folder.In("absent.workbook.yaml"));

        Assert.Equal(1, ran.Code);
        Assert.Contains("absent.workbook.yaml", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnyVerb_BadConfiguration_PrintsEveryErrorAndExitsWithTwo()
    {
        var configuration = Given.Demo(folder);
        configuration.Remove("Postern:PublicOrigin");
        configuration.Set(Given.Lakehouse + ":Platform", "oracle");
        var config = folder.Write("bad.json", configuration.ToJsonString());

        foreach (var verb in new string[][] { ["serve"], ["migrate"], ["redirects"], ["grants", "list", "-t", "skyline"], ["audit", "verify"], ["audit", "export", "-t", "skyline"], ["workbook", "publish"] })
        {
            var ran = await Verb.RunAsync([.. verb, "--config", config]);

            Assert.Equal((verb[0], 2, ""), (verb[0], ran.Code, ran.Output));
            Assert.StartsWith($"{config} has 2 errors:", ran.Error, StringComparison.Ordinal);
            Assert.Contains("  Postern:PublicOrigin: is missing.", ran.Error, StringComparison.Ordinal);
            Assert.Contains($"  {Given.Lakehouse}:Platform: 'oracle' is not known here.", ran.Error, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("{ not json", "is not readable as JSON")]
    [InlineData("""{"Postern": {"PublicOrigin": "a", "publicorigin": "b"}}""", "is not readable as JSON")]
    [InlineData("{}", "has 1 error:")]
    public async Task Redirects_FileThatIsNoConfiguration_ExitsWithTwo(string text, string told)
    {
        var ran = await Verb.RunAsync("redirects", "--config", folder.Write("broken.json", text));

        Assert.Equal(2, ran.Code);
        Assert.Contains(told, ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Redirects_NoFile_SaysWhichAndExitsWithTwo()
    {
        var ran = await Verb.RunAsync("redirects", "--config", folder.In("absent.json"));

        Assert.Equal(2, ran.Code);
        Assert.Contains(folder.In("absent.json"), ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task UnknownVerb_ExitsWithOne()
    {
        var ran = await Verb.RunAsync("frobnicate");

        Assert.Equal(1, ran.Code);
        Assert.Contains("frobnicate", ran.Error, StringComparison.Ordinal);
    }

    public static TheoryData<string> Verbs => [.. Tree(PosternCommand.Create(), "")];

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task Help_OfEveryVerb_SaysWhatItDoesAndDescribesItsOptions(string verb)
    {
        var ran = await Verb.RunAsync([.. verb.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);

        Assert.Equal(0, ran.Code);
        var command = verb.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Aggregate((Command)PosternCommand.Create(), (parent, name) => parent.Subcommands.Single(child => child.Name == name));
        Assert.False(string.IsNullOrEmpty(command.Description));
        Assert.Contains(command.Description[..25], ran.Output, StringComparison.Ordinal);
        Assert.All(command.Options, option => Assert.False(string.IsNullOrEmpty(option.Description), option.Name));
        Assert.All(command.Options, option => Assert.Contains(option.Name, ran.Output, StringComparison.Ordinal));
        Assert.All(command.Arguments, argument => Assert.False(string.IsNullOrEmpty(argument.Description), argument.Name));
    }

    private static IEnumerable<string> Tree(Command command, string path) =>
        [path, .. command.Subcommands.SelectMany(child => Tree(child, $"{path} {child.Name}".Trim()))];

    /// <summary>The demo's configuration, with authorization servers where nobody listens.</summary>
    private string Unreachable()
    {
        var configuration = Given.Demo(folder);
        configuration.Set(Given.Skyline + ":Connections:archive:Authorization:Issuer", "http://127.0.0.1:1/generic");
        configuration.Set(Given.Skyline + ":Connections:lakehouse:Authorization:Issuer", "http://127.0.0.1:1/oidc");
        return folder.Write("unreachable.json", configuration.ToJsonString());
    }

    private string Demo() => folder.Write("postern.json", Given.Demo(folder).ToJsonString());

    private async Task<string> MigratedAsync()
    {
        var config = Demo();
        Assert.Equal(0, (await Verb.RunAsync("migrate", "--config", config)).Code);
        return config;
    }
}
