using Postern.Grants.Definitions;
using Postern.Grants.Tests.Support;
using Postern.Model;

namespace Postern.Grants.Tests.Definitions;

public sealed class DefinitionBookTests
{
    [Fact]
    public async Task Seed_OfTheSameAgain_ChangesNothing()
    {
        await using var rig = await Rig.StartAsync();
        var two = rig.AddNode("two");

        Assert.Empty(await two.Desk.Definitions.SeedAsync(rig.Seed(), "test", Rig.Cancellation));

        Assert.Equal(1, (await two.ConnectionAsync(Rig.Lake)).Revision);
        Assert.Equal("client-secret-marker", (await two.ConnectionAsync(Rig.Lake)).Authorization.ClientSecret!.Reveal());
    }

    [Fact]
    public async Task Seed_OfAnotherSecret_IsANewRevisionThatTheFeedTells()
    {
        await using var rig = await Rig.StartAsync();
        var two = rig.AddNode("two");
        await two.StartFeedAsync();
        await two.ConnectionAsync(Rig.Lake);
        var seed = rig.Seed();
        var lake = seed.Connections[0];
        var rotated = lake with { Authorization = lake.Authorization with { ClientSecret = new SecretText("rotated") } };

        Assert.Equal(["connection/lake"], await rig.One.Desk.Definitions.SeedAsync(seed with { Connections = [rotated] }, "test", Rig.Cancellation));
        await rig.UntilAsync(async () => (await two.ConnectionAsync(Rig.Lake)).Revision == 2);

        Assert.Equal("rotated", (await two.ConnectionAsync(Rig.Lake)).Authorization.ClientSecret!.Reveal());
    }

    [Fact]
    public async Task Definition_JustChanged_IsNeverAnsweredAsItWasToWhoeverAsksWhileItIsRead()
    {
        await using var rig = await Rig.StartAsync();
        for (var round = 0; round < 20; round++)
        {
            var added = await rig.AddConnectionAsync($"added{round}", "generic");

            var asked = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() => rig.One.ConnectionAsync(added))));

            Assert.All(asked, connection => Assert.Equal(added, connection.Id));
        }
    }

    [Fact]
    public async Task AllowedNetworks_OfOneConnection_AreItsOwnOnEveryNode()
    {
        await using var rig = await Rig.StartAsync();
        var lake = rig.Seed().Connections[0] with { AllowedNetworks = [System.Net.IPNetwork.Parse("10.20.0.0/16")] };
        await rig.One.Desk.Definitions.SeedAsync(rig.Seed() with { Connections = [lake] }, "test", Rig.Cancellation);
        var two = rig.AddNode("two");

        Assert.Equal("10.20.0.0/16", Assert.Single((await two.ConnectionAsync(Rig.Lake)).AllowedNetworks).ToString());
        Assert.Empty((await two.ConnectionAsync(Rig.Lake)).Authorization.AllowedNetworks);
        Assert.Empty((await two.ConnectionAsync(Rig.Grace)).AllowedNetworks);
    }

    [Fact]
    public async Task DefinitionRow_EditedInTheDatabase_IsUnavailableAndOneEvent()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        await rig.SqlAsync("UPDATE definitions SET body = REPLACE(body, 'platform.test', 'evil.test') WHERE kind = 2 AND name = 'lake'");
        var two = rig.AddNode("two");

        for (var look = 0; look < 3; look++)
        {
            var found = await two.Desk.Definitions.ConnectionAsync(Rig.Acme, Rig.Lake, Rig.Cancellation);
            Assert.Equal("definition-tampered", found.Refused(RefusalKind.Unavailable).Code);
            two.Get<DefinitionBook>().OnMissed();
        }

        Assert.Equal("connection/lake", Assert.Single(two.Events.Of(EventKind.RowTampered)).Facts["definition"]);
        // The others go on, and the configuration puts it right.
        await two.ConnectionAsync(Rig.Grace);
        Assert.Equal(["connection/lake"], await two.Desk.Definitions.SeedAsync(rig.Seed(), "test", Rig.Cancellation));
        Assert.Equal("platform.test", (await two.ConnectionAsync(Rig.Lake)).Endpoint.Host);
    }

    [Fact]
    public async Task DefinitionRow_CopiedUnderAnotherName_IsNotBelieved()
    {
        await using var rig = await Rig.StartAsync();
        await rig.SqlAsync("UPDATE definitions SET body = (SELECT body FROM definitions WHERE name = 'grace'), mac = (SELECT mac FROM definitions WHERE name = 'grace') WHERE name = 'lake'");
        var two = rig.AddNode("two");

        (await two.Desk.Definitions.ConnectionAsync(Rig.Acme, Rig.Lake, Rig.Cancellation)).Refused(RefusalKind.Unavailable);
        Assert.Equal(Rig.Grace, (await two.ConnectionAsync(Rig.Grace)).Id);
    }

    [Fact]
    public async Task Bodies_HoldNoSecret()
    {
        await using var rig = await Rig.StartAsync();

        Assert.Equal(0, await rig.SqlAsync("UPDATE definitions SET name = name WHERE body LIKE '%client-secret-marker%'"));
        Assert.Equal(5, await rig.SqlAsync("UPDATE definitions SET name = name WHERE body LIKE '%sealedSecret%'"));
    }

    [Fact]
    public async Task Host_ThatTwoTenantsName_BelongsToNeither_AndTheOthersGoOn()
    {
        await using var rig = await Rig.StartAsync();
        var tenant = rig.Seed().Tenant;
        var thief = tenant with { Id = TenantId.Parse("thief"), Hosts = ["acme.test", "thief.test"], Connections = [] };
        await rig.One.Desk.Definitions.SeedAsync(new TenantSeed(thief, [], [], []), "test", Rig.Cancellation);

        Assert.Null(await rig.One.Desk.Definitions.TenantOfHostAsync("acme.test", Rig.Cancellation));
        Assert.Equal(thief.Id, (await rig.One.Desk.Definitions.TenantOfHostAsync("thief.test", Rig.Cancellation))!.Id);
    }

    [Fact]
    public async Task OlderRevision_PutBackInTheDatabase_IsNotBelievedWhileTheNewerIsThere()
    {
        await using var rig = await Rig.StartAsync();
        await rig.One.Desk.Definitions.SeedAsync(Moved(rig), "test", Rig.Cancellation);
        await PutBackAsync(rig);
        var two = rig.AddNode("two");

        Assert.Equal("definition-tampered", (await two.Desk.Definitions.ConnectionAsync(Rig.Acme, Rig.Lake, Rig.Cancellation)).Refused(RefusalKind.Unavailable).Code);

        Assert.Equal("older-revision", Assert.Single(two.Events.Of(EventKind.RowTampered)).Code);
        // The configuration puts it right, above all that there ever were.
        Assert.Equal(["connection/lake"], await two.Desk.Definitions.SeedAsync(Moved(rig), "test", Rig.Cancellation));
        Assert.Equal(("moved.test", 3L), ((await two.ConnectionAsync(Rig.Lake)).Endpoint.Host, (await two.ConnectionAsync(Rig.Lake)).Revision));
    }

    [Fact]
    public async Task OlderRevision_PutBackAfterTheNewerWasDeleted_IsNotBelievedByANodeThatSawTheNewer()
    {
        await using var rig = await Rig.StartAsync();
        await rig.One.Desk.Definitions.SeedAsync(Moved(rig), "test", Rig.Cancellation);
        Assert.Equal(2, (await rig.One.ConnectionAsync(Rig.Lake)).Revision);
        await PutBackAsync(rig);
        await rig.SqlAsync("DELETE FROM definitions WHERE kind = 2 AND name = 'lake' AND revision = 2");
        rig.One.Get<DefinitionBook>().OnMissed();

        Assert.Equal("definition-tampered", (await rig.One.Desk.Definitions.ConnectionAsync(Rig.Acme, Rig.Lake, Rig.Cancellation)).Refused(RefusalKind.Unavailable).Code);

        Assert.Equal("older-revision", Assert.Single(rig.One.Events.Of(EventKind.RowTampered)).Code);
    }

    private static TenantSeed Moved(Rig rig)
    {
        var seed = rig.Seed();
        return seed with { Connections = [seed.Connections[0] with { Endpoint = new Uri("https://moved.test/") }] };
    }

    private static async Task PutBackAsync(Rig rig)
    {
        const string lake = "kind = 2 AND name = 'lake'";
        Assert.Equal(1, await rig.SqlAsync($"UPDATE definitions SET current_name = NULL, superseded_at = 1 WHERE {lake} AND revision = 2"));
        Assert.Equal(1, await rig.SqlAsync($"UPDATE definitions SET current_name = 'acme/connection/lake', superseded_at = NULL WHERE {lake} AND revision = 1"));
    }
}
