using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Postern.Grants.Connects;
using Postern.Grants.Definitions;
using Postern.Grants.Keys;
using Postern.Grants.Leases;
using Postern.Grants.Metrics;
using Postern.Grants.Pacing;
using Postern.Grants.Renewal;
using Postern.Grants.Revocation;
using Postern.Grants.Sessions;
using Postern.Grants.Spooling;
using Postern.Model;
using Postern.OAuth;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants;

/// <summary>Registers this room.</summary>
public static class GrantServices
{
    /// <summary>
    /// Adds the <see cref="GrantDesk"/> and its background work. Needs the store, the vault and the OAuth client, a
    /// <see cref="TimeProvider"/> and an <see cref="IChance"/>.
    /// </summary>
    public static IServiceCollection AddGrants(this IServiceCollection services, GrantOptions options)
    {
        // Checked when it is first needed, which for a node is its start: only then the timeout of its requests is known.
        services.AddSingleton(provider => options.Check(provider.GetRequiredService<OAuthClient>().RequestTimeout));
        services.AddSingleton<SteadyClock>();
        services.AddSingleton<RowMacs>();
        services.AddSingleton<TokenSealer>();
        services.AddSingleton<NodeIdentity>();
        services.AddSingleton<FeedWatch>();
        services.AddSingleton<GrantMetrics>();
        services.AddSingleton<IEventListener>(provider => provider.GetRequiredService<GrantMetrics>());
        services.AddSingleton<GrantGauges>();
        services.AddHostedService(provider => provider.GetRequiredService<GrantGauges>());
        services.AddSingleton<IssuerGates>();
        services.AddSingleton<PairSpool>();
        services.AddSingleton<FreshPairs>();
        services.AddSingleton<SpoolKeeper>();
        services.AddSingleton<RenewalAttempt>();
        services.AddSingleton<Renewer>();
        services.AddSingleton<ServiceGrants>();
        services.AddSingleton<RunFactory>();

        services.AddSingleton<DefinitionBook>();
        services.AddSingleton<IChangeListener>(provider => provider.GetRequiredService<DefinitionBook>());
        services.AddSingleton<LeaseCache>();
        services.AddSingleton<IChangeListener>(provider => provider.GetRequiredService<LeaseCache>());
        services.AddSingleton<OpenRuns>();
        services.AddSingleton<IChangeListener>(provider => provider.GetRequiredService<OpenRuns>());
        services.AddHostedService(provider => provider.GetRequiredService<OpenRuns>());
        services.AddSingleton<KeyWatch>();
        services.AddSingleton<IChangeListener>(provider => provider.GetRequiredService<KeyWatch>());
        services.AddSingleton<VaultRows>();
        services.AddSingleton(provider => new KeyRotation(
            provider.GetRequiredService<PosternStore>(), provider.GetRequiredService<TokenVault>(), provider.GetRequiredService<VaultRows>(),
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider => new RootRotation(
            provider.GetRequiredService<PosternStore>(), provider.GetRequiredService<TokenVault>(), provider.GetRequiredService<IKeyStore>(),
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider => new VaultInventory(provider.GetRequiredService<PosternStore>(), provider.GetRequiredService<VaultRows>()));
        services.AddSingleton(provider => new TenantShredder(
            provider.GetRequiredService<PosternStore>(), provider.GetRequiredService<TokenVault>(), provider.GetRequiredService<Revoker>(),
            provider.GetRequiredService<DefinitionBook>(), provider.GetRequiredService<VaultInventory>(), provider.GetRequiredService<Sequencer>(),
            provider.GetRequiredService<IChance>(), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<Revoker>();
        services.AddHostedService(provider => provider.GetRequiredService<Revoker>());
        // Before whatever renews: a restart finds its own pairs first.
        services.AddHostedService(provider => provider.GetRequiredService<SpoolKeeper>());
        services.AddSingleton<BackgroundRenewer>();
        services.AddHostedService(provider => provider.GetRequiredService<BackgroundRenewer>());
        services.AddSingleton<Housekeeper>();
        services.AddHostedService(provider => provider.GetRequiredService<Housekeeper>());

        services.AddSingleton(provider => new SessionBook(
            provider.GetRequiredService<PosternStore>(), provider.GetRequiredService<RowMacs>(), provider.GetRequiredService<SteadyClock>(),
            provider.GetRequiredService<IChance>(), options));
        services.AddSingleton(provider => new SignInDesk(
            provider.GetRequiredService<PosternStore>(), provider.GetRequiredService<TokenVault>(), provider.GetRequiredService<OAuthClient>(),
            provider.GetRequiredService<IssuerGates>(), provider.GetRequiredService<SteadyClock>(), provider.GetRequiredService<IChance>()));
        services.AddSingleton<HandBack>();
        services.AddSingleton(provider => new ConnectDesk(
            provider.GetRequiredService<PosternStore>(), provider.GetRequiredService<TokenVault>(), provider.GetRequiredService<RowMacs>(),
            provider.GetRequiredService<OAuthClient>(), provider.GetRequiredService<IssuerGates>(),
            provider.GetRequiredService<DefinitionBook>(), provider.GetRequiredService<TokenSealer>(), provider.GetRequiredService<HandBack>(),
            provider.GetRequiredService<SteadyClock>(), provider.GetRequiredService<IChance>(), options));
        services.AddSingleton(provider => new GrantDesk(
            provider.GetRequiredService<PosternStore>(), provider.GetRequiredService<Renewer>(), provider.GetRequiredService<Revoker>(),
            provider.GetRequiredService<ServiceGrants>(), provider.GetRequiredService<LeaseCache>(), provider.GetRequiredService<OpenRuns>(),
            provider.GetRequiredService<RunFactory>(), provider.GetRequiredService<SteadyClock>(), provider.GetRequiredService<IChance>(),
            provider.GetRequiredService<NodeIdentity>(), provider.GetRequiredService<FeedWatch>(), provider.GetRequiredService<SessionBook>(),
            provider.GetRequiredService<SignInDesk>(), provider.GetRequiredService<ConnectDesk>(), provider.GetRequiredService<DefinitionBook>(),
            provider.GetRequiredService<IssuerGates>(), provider.GetRequiredService<PairSpool>(), provider.GetRequiredService<GrantMetrics>(),
            provider.GetRequiredService<TimeProvider>(), options));
        return services;
    }
}
