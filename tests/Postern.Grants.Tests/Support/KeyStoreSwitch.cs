using Microsoft.Extensions.DependencyInjection;
using Postern.Model;
using Postern.Vault;

namespace Postern.Grants.Tests.Support;

/// <summary>A key store that falls silent when a test says so.</summary>
internal sealed class KeyStoreSwitch : IKeyStore, IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("postern-switch-").FullName;
    private readonly ServiceProvider services;
    private readonly IKeyStore keyring;

    public KeyStoreSwitch()
    {
        var options = new VaultOptions { Deployment = "test", FileKeyring = new() { Directory = Path.Combine(folder, "keys") } };
        services = new ServiceCollection().AddVault(options).BuildServiceProvider();
        keyring = services.GetRequiredService<IKeyStore>();
    }

    /// <summary>Whether it is silent now.</summary>
    public bool Silent { get; set; }

    /// <summary>What whoever asks for a key waits for.</summary>
    public Task Held { get; set; } = Task.CompletedTask;

    /// <summary>How often it was asked for a key.</summary>
    public int Unwraps { get; private set; }

    public string Description => "a key store with a switch";

    public ValueTask<Outcome<string>> CurrentRootKeyIdAsync(CancellationToken cancellation) => keyring.CurrentRootKeyIdAsync(cancellation);

    public ValueTask<Outcome<IReadOnlyList<RootKeyInfo>>> RootKeysAsync(CancellationToken cancellation) => keyring.RootKeysAsync(cancellation);

    public ValueTask<Outcome<RootWrapping>> WrapAsync(KeyWrapContext context, SecretBytes key, CancellationToken cancellation) =>
        Silent ? new(Unavailable) : keyring.WrapAsync(context, key, cancellation);

    public async ValueTask<Outcome<SecretBytes>> UnwrapAsync(KeyWrapContext context, string rootKeyId, ReadOnlyMemory<byte> wrapped, CancellationToken cancellation)
    {
        Unwraps++;
        await Held;
        return Silent ? Unavailable : await keyring.UnwrapAsync(context, rootKeyId, wrapped, cancellation);
    }

    public void Dispose()
    {
        services.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    private static Refusal Unavailable => VaultErrors.Refuse(VaultError.KeyStoreUnavailable, "the-operators-words at https://vault.internal:8200");
}
