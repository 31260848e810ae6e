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
        if (options.FileKeyring is { } keyring)
            services.TryAddSingleton<IKeyStore>(provider => OpenKeyring(keyring, options, provider));
        if (options.RemoteKeyStore is { } remote)
            services.TryAddSingleton(provider => remote.Create(provider.GetRequiredService<IChance>(), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<TokenVault>();
        return services;
    }

    private static FileKeyring OpenKeyring(FileKeyringOptions keyring, VaultOptions options, IServiceProvider provider) =>
        OperatingSystem.IsWindows()
            ? throw KeyringException.UnsupportedPlatform()
            : FileKeyring.OpenOrCreate(
                keyring, options.Deployment, provider.GetRequiredService<IChance>(), provider.GetRequiredService<TimeProvider>());
}
