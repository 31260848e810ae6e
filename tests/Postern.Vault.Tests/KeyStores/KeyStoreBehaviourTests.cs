using Postern.TestKit;

namespace Postern.Vault.Tests.KeyStores;

/// <summary>Every behaviour of a key store over every key store: the embedded one, the four remote ones over fakes of their wire.</summary>
public sealed class KeyStoreBehaviourTests
{
    private static readonly Dictionary<string, Func<Task<KeyStoreFixture>>> Stores = new()
    {
        ["file"] = static () => Task.FromResult<KeyStoreFixture>(new FileKeyringFixture(withPassphrase: false)),
        ["file with passphrase"] = static () => Task.FromResult<KeyStoreFixture>(new FileKeyringFixture(withPassphrase: true)),
        ["transit"] = TransitFixture.StartAsync,
        ["aws"] = AwsKmsFixture.StartAsync,
        ["azure"] = AzureKeyVaultFixture.StartAsync,
        ["google"] = GoogleKmsFixture.StartAsync,
        ["moved from a file to transit"] = MovedFixture.StartAsync,
    };

    public static TheoryData<string, string> Everything()
    {
        var data = new TheoryData<string, string>();
        foreach (var store in Stores.Keys.Concat(RealStores.Configured.Keys))
        {
            foreach (var behaviour in KeyStoreBehaviours.All)
                data.Add(store, behaviour.Name);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public async Task KeyStore_EveryBehaviour_Holds(string store, string behaviour)
    {
        await using var fixture = await (Stores.GetValueOrDefault(store) ?? RealStores.Configured[store])();
        await KeyStoreBehaviours.All.Single(one => one.Name == behaviour).RunAsync(fixture, TestContext.Current.CancellationToken);
        Assert.Empty(Complaints(fixture));
    }

    [Fact]
    public async Task Behaviour_OfAStoreThatBindsNoContext_IsFoundBroken()
    {
        // The suite itself can fail: a store without the binding does not pass.
        await using var fixture = new UnboundFixture();
        var broken = KeyStoreBehaviours.All.Single(one => one.Name == "WrappedKey_InAnotherContext_IsRefused");
        await Assert.ThrowsAsync<BehaviourBrokenException>(() => broken.RunAsync(fixture, TestContext.Current.CancellationToken));
    }

    private static IEnumerable<string> Complaints(KeyStoreFixture fixture) => fixture switch
    {
        TransitFixture one => one.Fake.Complaints,
        MovedFixture one => one.Now.Fake.Complaints,
        AwsKmsFixture one => one.Fake.Complaints,
        AzureKeyVaultFixture one => one.Fake.Complaints,
        GoogleKmsFixture one => one.Fake.Complaints,
        _ => [],
    };

    private sealed class UnboundFixture : KeyStoreFixture
    {
        public override bool CanRotate => false;

        public override IKeyStore Open() => new Unbound();

        public override Task RotateAsync(CancellationToken cancellation) => throw new NotSupportedException();

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class Unbound : IKeyStore
    {
        public string Description => "a key store that binds nothing";

        public ValueTask<Model.Outcome<string>> CurrentRootKeyIdAsync(CancellationToken cancellation) => new(Model.Outcome<string>.Of("root"));

        public ValueTask<Model.Outcome<IReadOnlyList<RootKeyInfo>>> RootKeysAsync(CancellationToken cancellation) =>
            new(Model.Outcome<IReadOnlyList<RootKeyInfo>>.Of([new("root", default, true)]));

        public ValueTask<Model.Outcome<RootWrapping>> WrapAsync(KeyWrapContext context, Model.SecretBytes key, CancellationToken cancellation) =>
            new(new RootWrapping("root", [.. key.Reveal().ToArray().Select(one => (byte)~one)]));

        public ValueTask<Model.Outcome<Model.SecretBytes>> UnwrapAsync(
            KeyWrapContext context, string rootKeyId, ReadOnlyMemory<byte> wrapped, CancellationToken cancellation) =>
            new(new Model.SecretBytes(wrapped.ToArray().Select(one => (byte)~one).ToArray()));
    }
}
