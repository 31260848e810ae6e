using Postern.Grants.Keys;
using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.TestKit;
using Postern.Vault;

namespace Postern.Grants.Tests.Keys;

/// <summary>
/// The root key's rotation over the services, through the class that <c>postern vault rotate-root</c> calls: from the file keyring to each of
/// them, and from one of a service's keys to the next. What is left behind is taken away afterwards, and everything still opens.
/// </summary>
public sealed class RemoteRotationTests
{
    // The services' fakes answer in real time.
    private static readonly RotationPace AtOnce = new(1_000_000, TimeSpan.FromMilliseconds(1));
    private static readonly TenantId Globex = TenantId.Parse("globex");

    [Theory]
    [InlineData("transit")]
    [InlineData("aws")]
    [InlineData("azure")]
    [InlineData("google")]
    public async Task RotateRoot_FromTheFileKeyringToAService_LeavesNothingThatNeedsTheKeyring(string service)
    {
        await using var rig = await Rig.StartAsync(live: true);
        await using var at = await Service.StartAsync(service);
        await PopulateAsync(rig);
        var before = await rig.One.Store.Keys.AllAsync(Rig.Cancellation);
        rig.Vault = options => Over(at.After, options) with { Former = new() { FileKeyring = options.FileKeyring } };
        var moving = rig.AddNode("moving");

        var report = await moving.Get<RootRotation>().RunAsync("operator:test", AtOnce, new Silent(), Rig.Cancellation);

        var keyring = before.Select(key => key.RootKeyId).Distinct();
        Assert.Equal((before.Count, 0L), (report.Rewrapped, report.Unreadable));
        Assert.Equal(keyring, report.Kept.Intersect(keyring));
        AssertTold(moving, before, report.RootKeyId);
        Directory.Delete(rig.Keys, recursive: true);
        rig.Vault = options => Over(at.After, options);
        await AssertEverythingOpensAsync(rig.AddNode("moved"), report.RootKeyId);
        at.AssertNoComplaints();
    }

    [Theory]
    [InlineData("transit")]
    [InlineData("aws")]
    [InlineData("azure")]
    [InlineData("google")]
    public async Task RotateRoot_ToTheServicesNextKey_LeavesNothingThatNeedsTheOldOne(string service)
    {
        await using var at = await Service.StartAsync(service);
        await using var rig = await Rig.StartAsync(live: true, vault: options => Over(at.Before, options));
        await PopulateAsync(rig);
        var before = await rig.One.Store.Keys.AllAsync(Rig.Cancellation);
        await at.RotateAsync();
        rig.Vault = options => Over(at.After, options);
        var node = rig.AddNode("after");

        var report = await node.Get<RootRotation>().RunAsync("operator:test", AtOnce, new Silent(), Rig.Cancellation);

        Assert.Equal((before.Count, 0L, 0), (report.Rewrapped, report.Unreadable, report.Destroyed.Count));
        Assert.DoesNotContain(report.RootKeyId, before.Select(key => key.RootKeyId));
        AssertTold(node, before, report.RootKeyId);
        // Nothing is left to do, and nothing is done twice.
        Assert.Equal(0, (await node.Get<RootRotation>().RunAsync("operator:test", AtOnce, new Silent(), Rig.Cancellation)).Rewrapped);
        at.RetireOld();
        await AssertEverythingOpensAsync(rig.AddNode("fresh"), report.RootKeyId);
        // Settings that still name what the service destroyed hold nothing up.
        Assert.Empty((await node.Get<RootRotation>().RunAsync("operator:test", AtOnce, new Silent(), Rig.Cancellation)).Kept);
        at.AssertNoComplaints();
    }

    [Fact]
    public async Task RotateRoot_WhoseServiceFallsSilent_StopsAndIsFinishedByTheNextRun()
    {
        await using var rig = await Rig.StartAsync(live: true);
        await using var at = await Service.StartAsync("transit");
        await PopulateAsync(rig);
        var keys = await rig.One.Store.Keys.AllAsync(Rig.Cancellation);
        rig.Vault = options => Over(at.After, options) with { Former = new() { FileKeyring = options.FileKeyring } };
        var wrapped = 0;
        at.Fake.Before = async http =>
        {
            if (!http.Request.Path.Value!.Contains("/encrypt/", StringComparison.Ordinal) || Interlocked.Increment(ref wrapped) == 1)
                return false;
            http.Response.StatusCode = 503;
            await http.Response.CompleteAsync();
            return true;
        };

        await Assert.ThrowsAsync<VaultException>(() => rig.AddNode("stopped").Get<RootRotation>().RunAsync("operator:test", AtOnce, new Silent(), Rig.Cancellation));
        at.Fake.Before = static _ => Task.FromResult(false);
        // Some keys are under the one root key and some under the other; every one of them opens.
        await AssertEverythingOpensAsync(rig.AddNode("between"), null);
        var report = await rig.AddNode("again").Get<RootRotation>().RunAsync("operator:test", AtOnce, new Silent(), Rig.Cancellation);

        Assert.Equal((keys.Count - 1L, 0L), (report.Rewrapped, report.Unreadable));
        Directory.Delete(rig.Keys, recursive: true);
        rig.Vault = options => Over(at.After, options);
        await AssertEverythingOpensAsync(rig.AddNode("moved"), report.RootKeyId);
    }

    /// <summary>The service in the keyring's place. The time is generous: a busy machine is no outage.</summary>
    private static VaultOptions Over(RemoteKeyStoreOptions service, VaultOptions options) =>
        options with { FileKeyring = null, RemoteKeyStore = service, KeyStoreTimeout = TimeSpan.FromMinutes(1) };

    /// <summary>Two tenants with grants, a session and sealed secrets.</summary>
    private static async Task PopulateAsync(Rig rig)
    {
        await rig.One.Desk.Definitions.SeedAsync(rig.Seed(Globex), "test", Rig.Cancellation);
        await rig.GrantAsync(Rig.Lake);
        await rig.GrantAsync(Rig.Lake, Rig.Person("carl", Globex));
        await rig.One.SignInAsync();
    }

    private static void AssertTold(TestNode node, IReadOnlyList<WrappedKey> before, string current) => Assert.Equal(
        before.Select(key => $"{key.Tenant} {key.Version:D} {key.RootKeyId} {current}").Order(StringComparer.Ordinal),
        node.Events.Of(EventKind.TenantKeyRewrapped).Select(e => $"{e.Tenant} {e.Facts["version"]} {e.Facts["previous"]} {e.Facts["root-key"]}").Order(StringComparer.Ordinal));

    private static async Task AssertEverythingOpensAsync(TestNode node, string? rootKey)
    {
        foreach (var tenant in new[] { Rig.Acme, Globex })
        {
            var inventory = await node.Get<VaultInventory>().CountAsync(tenant, Rig.Cancellation);
            Assert.Equal((0L, true), (inventory.Unreadable, inventory.Readable > 5));
            Assert.All(inventory.Versions, version => Assert.Equal(rootKey ?? version.RootKey, version.RootKey));
        }
    }

    /// <summary>A service over its fake, with the settings of before and after a rotation.</summary>
    private sealed class Service : IAsyncDisposable
    {
        private readonly KeyStoreFixture fixture;
        private readonly Action retire;

        private Service(KeyStoreFixture fixture, WireFake fake, RemoteKeyStoreOptions before, RemoteKeyStoreOptions after, Action retire)
        {
            this.fixture = fixture;
            this.retire = retire;
            (Fake, Before, After) = (fake, before, after);
        }

        public WireFake Fake { get; }

        public RemoteKeyStoreOptions Before { get; }

        public RemoteKeyStoreOptions After { get; }

        public static async Task<Service> StartAsync(string service) => service switch
        {
            "transit" => Of((TransitFixture)await TransitFixture.StartAsync()),
            // Another key of the account: AWS rotates the material of one key under one name.
            "aws" => Of((AwsKmsFixture)await AwsKmsFixture.StartAsync(), options => (AwsKmsOptions)options with { KeyArn = FakeAwsKms.FormerArn, FormerKeyArns = [] }),
            "azure" => Of((AzureKeyVaultFixture)await AzureKeyVaultFixture.StartAsync()),
            _ => Of((GoogleKmsFixture)await GoogleKmsFixture.StartAsync()),
        };

        public Task RotateAsync() => fixture.RotateAsync(Rig.Cancellation);

        public void RetireOld() => retire();

        public void AssertNoComplaints() => Assert.Empty(Fake.Complaints);

        public ValueTask DisposeAsync() => fixture.DisposeAsync();

        private static Service Of<T>(FakedKeyStoreFixture<T> fixture, Func<RemoteKeyStoreOptions, RemoteKeyStoreOptions>? before = null) where T : WireFake =>
            new(fixture, fixture.Fake, (before ?? (same => same))(fixture.Options), fixture.Options, fixture.RetireOld);
    }

    private sealed class Silent : IProgress<RotationProgress>
    {
        public void Report(RotationProgress value)
        {
        }
    }
}
