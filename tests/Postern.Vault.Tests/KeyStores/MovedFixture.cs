using Postern.TestKit;

namespace Postern.Vault.Tests.KeyStores;

/// <summary>A deployment that moved from the file keyring to Transit.</summary>
internal sealed class MovedFixture : KeyStoreFixture
{
    private MovedFixture(TransitFixture now) => Now = now;

    /// <summary>What is used now.</summary>
    public TransitFixture Now { get; }

    /// <summary>What was used before.</summary>
    public FileKeyringFixture Former { get; } = new(withPassphrase: false);

    public override bool CanRotate => true;

    public static async Task<KeyStoreFixture> StartAsync() => new MovedFixture((TransitFixture)await TransitFixture.StartAsync());

    public override IKeyStore Open() => new MovedKeyStore(Now.Open(), Former.Open());

    public override Task RotateAsync(CancellationToken cancellation) => Now.RotateAsync(cancellation);

    public override async ValueTask DisposeAsync()
    {
        await Now.DisposeAsync();
        await Former.DisposeAsync();
    }
}
