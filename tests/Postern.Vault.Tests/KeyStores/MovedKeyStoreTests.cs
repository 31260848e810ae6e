using Postern.Model;
using Postern.TestKit;

namespace Postern.Vault.Tests.KeyStores;

/// <summary>While a deployment moves from one key store to another; the rest is in the behaviours of every key store.</summary>
public sealed class MovedKeyStoreTests : IAsyncDisposable
{
    private static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
    private static readonly KeyWrapContext Context = new("testkit", TenantId.Parse("acme"), new Guid("0199a1b2-0000-7000-8000-0000000000aa"), KeyWrapContext.TenantKeyPurpose);
    private MovedFixture? fixture;

    public async ValueTask DisposeAsync()
    {
        if (fixture is not null)
            await fixture.DisposeAsync();
    }

    [Fact]
    public async Task KeyOfBefore_Unwraps_AndWrappedAnewNeedsTheFormerStoreNoMore()
    {
        await StartAsync();
        var before = await WrapAsync(fixture!.Former.Open());
        var moved = fixture.Open();
        using (var key = Value(await moved.UnwrapAsync(Context, before.RootKeyId, before.Wrapped, World.Cancellation)))
            Assert.Equal(Key, key.Reveal().ToArray());

        var after = Value(await moved.RewrapAsync(Context, before.RootKeyId, before.Wrapped, World.Cancellation));

        Assert.Equal("transit/postern:v1", after.RootKeyId);
        using var again = Value(await fixture.Now.Open().UnwrapAsync(Context, after.RootKeyId, after.Wrapped, World.Cancellation));
        Assert.Equal(Key, again.Reveal().ToArray());
    }

    [Fact]
    public async Task Key_WhoseRootKeyWasSwappedForOneOfTheOtherStore_IsRefused()
    {
        await StartAsync();
        var (before, now) = (await WrapAsync(fixture!.Former.Open()), await WrapAsync(fixture.Now.Open()));
        var moved = fixture.Open();

        Assert.NotNull((await moved.UnwrapAsync(Context, now.RootKeyId, before.Wrapped, World.Cancellation)).Refusal);
        Assert.NotNull((await moved.UnwrapAsync(Context, before.RootKeyId, now.Wrapped, World.Cancellation)).Refusal);
        Assert.Equal(VaultError.Refused, (await moved.RewrapAsync(Context with { Tenant = TenantId.Parse("globex") }, before.RootKeyId, before.Wrapped, World.Cancellation)).Refusal?.AsVaultError());
    }

    [Fact]
    public async Task Key_ThatIsNew_IsNeverWrappedByTheFormerStore()
    {
        await StartAsync();
        var moved = fixture!.Open();

        Assert.Equal(Value(await moved.CurrentRootKeyIdAsync(World.Cancellation)), (await WrapAsync(moved)).RootKeyId);
        var listed = Value(await moved.RootKeysAsync(World.Cancellation));
        Assert.Equal(["transit/postern:v1"], listed.Where(key => key.Current).Select(key => key.Id));
        Assert.Equal(2, listed.Count);
    }

    [Fact]
    public async Task FormerKeyring_ThatIsNotThere_IsNotMade()
    {
        await StartAsync();
        var missing = Path.Combine(fixture!.Now.Folder, "no-keys");
        var options = new VaultOptions { Deployment = "testkit", RemoteKeyStore = fixture.Now.Options, Former = new() { FileKeyring = new() { Directory = missing } } };
        var services = new Microsoft.Extensions.DependencyInjection.ServiceCollection().AddVault(options);
        await using var provider = Microsoft.Extensions.DependencyInjection.ServiceCollectionContainerBuilderExtensions.BuildServiceProvider(services);

        var refused = Assert.Throws<KeyringException>(() => provider.GetService(typeof(IKeyStore)));

        Assert.Equal((KeyringProblem.Missing, false), (refused.Problem, Directory.Exists(missing)));
    }

    [Fact]
    public async Task Options_WithTwoStoresOfOneKind_AreWrong()
    {
        await StartAsync();
        var remote = fixture!.Now.Options;
        var file = new FileKeyringOptions { Directory = "/var/lib/postern/keys" };
        var options = new VaultOptions { Deployment = "testkit", RemoteKeyStore = remote };

        Assert.Empty((options with { Former = new() { FileKeyring = file } }).Validate());
        Assert.Contains("of the same kind", Assert.Single((options with { Former = new() { RemoteKeyStore = remote } }).Validate()), StringComparison.Ordinal);
        Assert.StartsWith("Former.", Assert.Single((options with { Former = new() }).Validate()), StringComparison.Ordinal);
        Assert.StartsWith("Former.FileKeyring.Directory", Assert.Single((options with { Former = new() { FileKeyring = new() { Directory = "" } } }).Validate()), StringComparison.Ordinal);
    }

    private async Task StartAsync() => fixture = (MovedFixture)await MovedFixture.StartAsync();

    private static async Task<RootWrapping> WrapAsync(IKeyStore store)
    {
        using var key = new SecretBytes(Key);
        return Value(await store.WrapAsync(Context, key, World.Cancellation));
    }

    private static T Value<T>(Outcome<T> outcome) where T : notnull => outcome.TryGet(out var value, out var why) ? value : throw new InvalidOperationException(why.Code);
}
