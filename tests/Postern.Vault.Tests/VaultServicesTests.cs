using Microsoft.Extensions.DependencyInjection;
using Postern.Model;

namespace Postern.Vault.Tests;

public sealed class VaultServicesTests : IDisposable
{
    private readonly TempDirectory temp = new();

    public void Dispose() => temp.Dispose();

    [Fact]
    public async Task AddVault_WithAFileKeyring_SealsAndOpensAfterARestart()
    {
        var wrappedKeys = new WrappedKeysInMemory();
        byte[] record;
        await using (var services = Build(wrappedKeys))
            record = await services.GetRequiredService<TokenVault>().SealAsync(World.Refresh, World.Token, World.Cancellation);
        await using (var services = Build(wrappedKeys))
            Assert.Null(World.ErrorOf(await services.GetRequiredService<TokenVault>().OpenAsync(World.Refresh, record, World.Cancellation)));
    }

    [Fact]
    public async Task AddVault_WithAKeyStoreOfTheProgram_UsesThatOne()
    {
        using var world = new World();
        var services = new ServiceCollection().AddSingleton<IKeyStore>(world.KeyStore).AddSingleton<IWrappedKeys>(world.WrappedKeys);
        services.AddVault(Options);
        await using var provider = services.BuildServiceProvider();
        await provider.GetRequiredService<TokenVault>().SealAsync(World.Refresh, World.Token, World.Cancellation);
        Assert.Equal(1, world.KeyStore.Wraps);
        Assert.False(Directory.Exists(Options.FileKeyring!.Directory));
    }

    [Fact]
    public void AddVault_WithWrongOptions_NamesEveryError()
    {
        var wrong = new VaultOptions
        {
            Deployment = "Not A Slug",
            OpenSuites = [(VaultSuite)7],
            KeyIdle = TimeSpan.FromHours(1),
            KeyLifetime = TimeSpan.FromMinutes(16),
            KeyStoreTimeout = TimeSpan.Zero,
            FileKeyring = new() { Directory = " " },
        };
        Assert.Equal(7, wrong.Validate().Count);
        var thrown = Assert.Throws<ArgumentException>(() => new ServiceCollection().AddVault(wrong));
        foreach (var name in new[] { "Deployment", "OpenSuites", "KeyIdle", "KeyLifetime", "KeyStoreTimeout", "FileKeyring.Directory" })
            Assert.Contains("\n- " + name, thrown.Message, StringComparison.Ordinal);
        Assert.Empty(Options.Validate());
    }

    [Fact]
    public void Options_ThatCouldNotOpenWhatTheySeal_AreWrong()
    {
        Assert.Single((Options with { OpenSuites = [] }).Validate());
        Assert.Equal(2, (Options with { SealSuite = (VaultSuite)9 }).Validate().Count);
        Assert.Single((Options with { KeyIdle = TimeSpan.Zero }).Validate());
        Assert.Empty((Options with { KeyIdle = TimeSpan.FromSeconds(1), KeyLifetime = TimeSpan.FromSeconds(1) }).Validate());
    }

    private VaultOptions Options => new() { Deployment = World.Deployment, FileKeyring = new() { Directory = Path.Combine(temp.Path, "keys") } };

    private ServiceProvider Build(IWrappedKeys wrappedKeys) =>
        new ServiceCollection().AddSingleton(wrappedKeys).AddVault(Options).BuildServiceProvider();
}
