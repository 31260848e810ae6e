using Microsoft.Extensions.DependencyInjection;
using Postern.Grants.Definitions;
using Postern.Host.Composition;
using Postern.Model;
using Postern.Store;
using Postern.Vault;

namespace Postern.Host.Tests.Cli;

/// <summary>Key rotation, shredding and the inventory, as verbs.</summary>
public sealed class VaultTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("vault", "rotate")]
    [InlineData("vault", "rotate", "--all", "--tenant", "skyline")]
    [InlineData("vault", "rotate", "--all", "--rate", "0")]
    [InlineData("vault", "rotate-root", "--settle", "0")]
    [InlineData("vault", "shred", "--tenant", "skyline")]
    [InlineData("vault", "shred", "--tenant", "skyline", "--confirm", "skylines")]
    public async Task Verb_ThatDoesNotSayWhatItMeans_IsRefusedBeforeItReadsAnything(params string[] arguments)
    {
        var ran = await Verb.RunAsync([.. arguments, "--config", "/there/is/none.json"]);

        Assert.Equal((1, true), (ran.Code, ran.Error.Length > 0));
        Assert.DoesNotContain("There is no configuration file", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rotate_ThenVerify_CountsEverythingUnderOneNewVersion()
    {
        var config = await SeededAsync();
        var before = (await Verb.RunAsync("vault", "verify", "--config", config, "--json")).Json[0]!;

        var rotated = await Verb.RunAsync("vault", "rotate", "--all", "--settle", "1", "--config", config, "--json");
        var root = await Verb.RunAsync("vault", "rotate-root", "--settle", "1", "--config", config);
        var after = await Verb.RunAsync("vault", "verify", "--config", config, "--json");

        Assert.Equal((0, 0, 0), (rotated.Code, root.Code, after.Code));
        Assert.Contains("1 tenant keys wrapped anew, 1 old root keys destroyed, 0 kept", root.Output, StringComparison.Ordinal);
        Assert.Contains("done, 0 left", rotated.Error, StringComparison.Ordinal);
        var version = Assert.Single(after.Json[0]!["versions"]!.AsArray())!;
        Assert.Equal((string?)rotated.Json[0]!["version"], (string?)version["version"]);
        Assert.NotEqual((string?)before["versions"]![0]!["version"], (string?)version["version"]);
        Assert.Equal(((long)before["readable"]!, 0L), ((long)after.Json[0]!["readable"]!, (long)after.Json[0]!["unreadable"]!));
    }

    [Fact]
    public async Task Shred_ThenVerify_SaysThatNothingIsReadableAndBelievesTheReceipt()
    {
        var config = await SeededAsync();
        var receipt = folder.In("receipt.json");

        var shredded = await Verb.RunAsync("vault", "shred", "--tenant", "skyline", "--confirm", "skyline", "--receipt", receipt, "--config", config);
        var verified = await Verb.RunAsync("vault", "verify", "--tenant", "skyline", "--receipt", receipt, "--config", config);
        await File.WriteAllTextAsync(receipt, (await File.ReadAllTextAsync(receipt, TestContext.Current.CancellationToken)).Replace("\"readable\":0", "\"readable\":1", StringComparison.Ordinal), TestContext.Current.CancellationToken);
        var edited = await Verb.RunAsync("vault", "verify", "--tenant", "skyline", "--receipt", receipt, "--config", config);

        Assert.Equal((0, "", 0, 1), (shredded.Code, shredded.Error, verified.Code, edited.Code));
        Assert.StartsWith("skyline: 0 readable", verified.Output, StringComparison.Ordinal);
        Assert.Contains("was written by this deployment; the log has it", verified.Output, StringComparison.Ordinal);
        Assert.Contains("was NOT written by this deployment, or was edited; the log does NOT have it", edited.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RotateRoot_AddOnly_LeavesTheRestToTheNextRun()
    {
        var config = await SeededAsync();

        var added = await Verb.RunAsync("vault", "rotate-root", "--add-only", "--config", config);
        var again = await Verb.RunAsync("vault", "rotate-root", "--add-only", "--config", config);
        var rotated = await Verb.RunAsync("vault", "rotate-root", "--settle", "1", "--config", config, "--json");

        Assert.Equal((0, added.Output), (added.Code, again.Output));
        Assert.Contains((string)rotated.Json["rootKeyId"]!, added.Output, StringComparison.Ordinal);
    }

    /// <summary>The demo's configuration with one tenant that has a key and a sealed secret.</summary>
    private async Task<string> SeededAsync()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var node = Given.Demo(folder);
        var config = folder.Write("vault.json", node.ToJsonString());
        var settings = Given.Read(node).Settings!;
        settings.Store.MakeFolder();
        await using var rooms = PosternApplication.BuildRooms(settings);
        await rooms.GetRequiredService<PosternStore>().MigrateAsync(cancellation);
        var tenant = settings.Tenants.Single();
        await rooms.GetRequiredService<DefinitionBook>().SeedAsync(new TenantSeed(tenant.Tenant, tenant.Connections, tenant.EmbedKeys, []), "configuration", cancellation);
        return config;
    }
}
