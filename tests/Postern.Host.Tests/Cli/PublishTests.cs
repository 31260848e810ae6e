using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Postern.Host.Composition;
using Postern.Store;

namespace Postern.Host.Tests.Cli;

/// <summary>What the configuration says, what it no longer says, and what an operator published beside it.</summary>
public sealed class PublishTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Publish_AfterThingsWereRemoved_RetiresThemAndNothingElse()
    {
        var configuration = Demo("by_file");
        await PublishAsync(configuration);
        await PublishAsync(configuration, Workbook("by_hand"), "--tenant", "skyline");
        configuration.Remove(Given.Skyline + ":Connections:archive");
        configuration.Set(Given.Skyline + ":EmbedKeys", new JsonArray(configuration.At(Given.Skyline + ":EmbedKeys:0").DeepClone()));
        configuration.Set(Given.Skyline + ":Workbooks", new JsonArray());

        await PublishAsync(configuration);

        Assert.Equal(["connection/archive", "embed-key/skyline-partners", "workbook/by_file"], await NamesAsync(configuration, row => row.IsRetired));
        Assert.Contains("workbook/by_hand", await NamesAsync(configuration, row => !row.IsRetired));
    }

    [Fact]
    public async Task Publish_AfterATenantWasRenamed_RetiresTheOldOneWithAllItHad()
    {
        var configuration = Demo("by_file");
        await PublishAsync(configuration);
        var tenant = configuration.At(Given.Skyline).DeepClone();
        configuration.Set("Postern:Tenants", new JsonObject { ["horizon"] = tenant });

        await PublishAsync(configuration);

        var rows = await RowsAsync(configuration);
        Assert.All(rows, row => Assert.Equal(row.Tenant.Value == "skyline", row.IsRetired));
        Assert.Equal(rows.Count(row => row.IsRetired), rows.Count(row => !row.IsRetired));
    }

    [Fact]
    public async Task Publish_OfAFileWhoseNameTheConfigurationHolds_IsRefused()
    {
        var configuration = Demo("by_file");
        await PublishAsync(configuration);

        var ran = await RunAsync(configuration, "publish", Workbook("by_file", "Another title"), "--tenant", "skyline");

        Assert.Equal(1, ran.Code);
        Assert.StartsWith("The workbook 'by_file' comes from the configuration", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_OfAConfigurationThatTakesANameOver_MakesItItsOwn()
    {
        var configuration = Demo();
        await PublishAsync(configuration);
        await PublishAsync(configuration, Workbook("delays"), "--tenant", "skyline");
        configuration.Set(Given.Skyline + ":Workbooks", new JsonArray(Workbook("delays")));

        await PublishAsync(configuration);

        var row = Assert.Single(await RowsAsync(configuration), row => row.Kind == DefinitionKind.Workbook);
        Assert.Equal((2, DefinitionRow.Configuration), (row.Revision, row.MadeBy));
    }

    [Fact]
    public async Task Retire_WhatAnOperatorPublished_OnceAndNotWhatTheConfigurationHolds()
    {
        var configuration = Demo("by_file");
        await PublishAsync(configuration);
        await PublishAsync(configuration, Workbook("by_hand"), "--tenant", "skyline");

        var first = await RunAsync(configuration, "retire", "by_hand", "--tenant", "skyline");
        var second = await RunAsync(configuration, "retire", "by_hand", "--tenant", "skyline");
        var configured = await RunAsync(configuration, "retire", "by_file", "--tenant", "skyline");

        Assert.Equal((0, 1, 1), (first.Code, second.Code, configured.Code));
        Assert.StartsWith("There is no workbook 'by_hand'", second.Error, StringComparison.Ordinal);
        Assert.StartsWith("The workbook 'by_file' comes from the configuration", configured.Error, StringComparison.Ordinal);
        Assert.Equal(["workbook/by_hand"], await NamesAsync(configuration, row => row.IsRetired));
    }

    [Theory]
    [InlineData("Name the tenant")]
    [InlineData("no tenant 'elsewhere'", "--tenant", "elsewhere")]
    public async Task Publish_OfAFileWithoutAKnownTenant_IsRefused(string told, params string[] options)
    {
        var configuration = Demo();
        await PublishAsync(configuration);

        var ran = await RunAsync(configuration, ["publish", Workbook("by_hand"), .. options]);

        Assert.Equal(1, ran.Code);
        Assert.Contains(told, ran.Error, StringComparison.Ordinal);
    }

    private JsonNode Demo(params string[] workbooks)
    {
        var configuration = Given.Demo(folder);
        configuration.Set(Given.Skyline + ":Workbooks", new JsonArray([.. workbooks.Select(name => (JsonNode)Workbook(name))]));
        return configuration;
    }

    private string Workbook(string name, string title = "Flights") => folder.Write($"{name}.workbook.yaml", $"""
        workbook: {name}
        schema: 1
        title: {title}
        connection: lakehouse
        identity: [user]
        queries:
          total:
            sql: SELECT count(*) AS flights FROM flights
            columns:
              flights:
                type: int
        pages:
          - id: overview
            title: Overview
            rows:
              - - query: total
                  title: Flights
                  value:
                    field: flights
        """);

    private Task<Ran> RunAsync(JsonNode configuration, params string[] verb)
    {
        string[] frontEnd = verb[0] == "publish" ? ["--front-end", Given.FrontEnd(folder)] : [];
        return Verb.RunAsync(["workbook", .. verb, "--config", folder.Write("postern.json", configuration.ToJsonString()), .. frontEnd]);
    }

    private async Task PublishAsync(JsonNode configuration, params string[] arguments)
    {
        var ran = await RunAsync(configuration, ["publish", .. arguments]);
        Assert.True(ran.Code == 0, ran.Error);
    }

    private async Task<string[]> NamesAsync(JsonNode configuration, Func<DefinitionRow, bool> which) =>
        [.. (await RowsAsync(configuration)).Where(which).Select(row => DefinitionRow.FeedKey(row.Kind, row.Name))];

    private static async Task<List<DefinitionRow>> RowsAsync(JsonNode configuration)
    {
        await using var rooms = PosternApplication.BuildRooms(Given.Read(configuration).Settings!);
        var rows = new List<DefinitionRow>();
        foreach (var kind in new[] { DefinitionKind.Tenant, DefinitionKind.Connection, DefinitionKind.Policy, DefinitionKind.EmbedKey, DefinitionKind.Workbook })
            rows.AddRange(await rooms.GetRequiredService<PosternStore>().Definitions.CurrentOfAllAsync(kind, TestContext.Current.CancellationToken));
        return rows;
    }
}
