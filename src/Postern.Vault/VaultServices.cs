using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Postern.Model;

namespace Postern.Vault;

/// <summary>The vault in a service collection.</summary>
public static class VaultServices
{
    /// <summary>
    /// Adds <see cref="TokenVault"/> and, where <see cref="VaultOptions.FileKeyring"/> or <see cref="VaultOptions.RemoteKeyStore"/> is
    /// set, that as <see cref="IKeyStore"/>. The program registers <see cref="IWrappedKeys"/>, and its own <see cref="IKeyStore"/> when it wants
    /// another. <see cref="TimeProvider"/> and <see cref="IChance"/> default to the system's.
    /// </summary>
    /// <exception cref="ArgumentException">The options are wrong; every error is named.</exception>
    public static IServiceCollection AddVault(this IServiceCollection services, VaultOptions options)
    {
        services.AddSingleton(options.Checked());
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<IChance, SystemChance>();
        if (options.FileKeyring is not null || options.RemoteKeyStore is not null)
            services.TryAddSingleton(provider => Open(options, provider.GetRequiredService<IChance>(), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<TokenVault>();
        return services;
    }

    private static IKeyStore Open(VaultOptions options, IChance chance, TimeProvider time)
    {
        IKeyStore current = options.FileKeyring is { } keyring
            ? OpenKeyring(keyring, make: true, options.Deployment, chance, time)
            : options.RemoteKeyStore!.Create(chance, time);
        return options.Former switch
        {
            null => current,
            { FileKeyring: { } before } => new MovedKeyStore(current, OpenKeyring(before, make: false, options.Deployment, chance, time)),
            { RemoteKeyStore: var before } => new MovedKeyStore(current, before!.Create(chance, time)),
        };
    }

    private static FileKeyring OpenKeyring(FileKeyringOptions keyring, bool make, string deployment, IChance chance, TimeProvider time)
    {
        if (OperatingSystem.IsWindows())
            throw KeyringException.UnsupportedPlatform();
        return make ? FileKeyring.OpenOrCreate(keyring, deployment, chance, time) : FileKeyring.Open(keyring, deployment, chance, time);
    }
}
