using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;
using Postern.TestKit;

namespace Postern.Cluster.Tests;

/// <summary>A deployment moves its root key from a file to HashiCorp Vault, and there to the next version, without its people noticing.</summary>
public sealed class KeyStoreMoveTests
{
    [Fact]
    public async Task RotateRoot_FromTheKeyringToTransitAndToItsNextVersion_NeedsNothingOfBefore()
    {
        await using var transit = new FakeTransit();
        await transit.StartAsync();
        await using var deployment = await Deployment.StartAsync(nodes: 2);
        using var ana = new Person(deployment, "ana");
        await ana.EmbedAndConnectAsync();
        var anas = await ana.FlightsAsync();
        var keyring = Roots(deployment).Distinct().Single();
        var keyringFolder = Path.Combine(deployment.Folder, "keys");

        // One node after the other learns of the new key store.
        deployment.Reconfigure(postern => postern["KeyStore"] = TransitSection.Of(deployment, transit, former: keyringFolder));
        for (var index = 0; index < 2; index++)
        {
            await Deployment.StopAsync(deployment.Nodes.Single(node => node.Name == $"node-{index}"));
            await deployment.StartNodeAsync(index);
            Assert.Equal((anas, anas), (await ana.FlightsAsync(node: deployment.Node), await ana.FlightsAsync(node: deployment.Other)));
        }
        await RotateRootAsync(deployment);
        Assert.Equal(["transit/postern:v1"], Roots(deployment).Distinct());
        await AssertToldAsync(deployment, keyring, "transit/postern:v1");

        // The keyring goes; whoever starts from here on has never seen it.
        deployment.Reconfigure(postern => postern["KeyStore"] = TransitSection.Of(deployment, transit, former: null));
        Directory.Delete(keyringFolder, recursive: true);
        await RestartAsync(deployment);
        Assert.Equal(anas, await ana.FlightsAsync());

        // And on to the next version, while both nodes serve; the one before is no longer opened.
        transit.Rotate();
        await RotateRootAsync(deployment);
        transit.MinDecryptionVersion = transit.LatestVersion;
        Assert.Equal(["transit/postern:v2"], Roots(deployment).Distinct());
        await AssertToldAsync(deployment, "transit/postern:v1", "transit/postern:v2");
        await RestartAsync(deployment);
        Assert.Equal((anas, anas), (await ana.FlightsAsync(node: deployment.Node), await ana.FlightsAsync(node: deployment.Other)));

        var (sound, counted) = await deployment.RunAsync("vault", "verify");
        Assert.True(sound == 0, counted);
        Assert.Contains(" 0 unreadable", counted, StringComparison.Ordinal);
        Assert.Empty(transit.Complaints);
        await deployment.AssertAuditVerifiesAsync();
    }

    private static async Task RotateRootAsync(Deployment deployment)
    {
        var (code, output) = await deployment.RunAsync("vault", "rotate-root", "--settle", "1");
        Assert.True(code == 0, output);
    }

    private static async Task RestartAsync(Deployment deployment)
    {
        for (var index = 0; index < 2; index++)
        {
            await Deployment.StopAsync(deployment.Nodes.Single(node => node.Name == $"node-{index}"));
            await deployment.StartNodeAsync(index);
        }
    }

    /// <summary>Each tenant's step is an event of its log.</summary>
    private static async Task AssertToldAsync(Deployment deployment, string previous, string next)
    {
        foreach (var tenant in deployment.Column("SELECT DISTINCT tenant FROM tenant_keys"))
        {
            var told = (await deployment.EventsAsync(tenant)).Where(leaf => leaf.GetProperty("activity_name").GetString() == "TenantKeyRewrapped").Select(leaf => leaf.GetRawText());
            Assert.Single(told, leaf => leaf.Contains(previous, StringComparison.Ordinal) && leaf.Contains(next, StringComparison.Ordinal));
        }
    }

    private static IReadOnlyList<string> Roots(Deployment deployment) => deployment.Column("SELECT root_key_id FROM tenant_keys");
}
