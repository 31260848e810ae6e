using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Postern.Model;

namespace Postern.Store;

/// <summary>Registers the store.</summary>
public static class ServiceCollectionExtensions
{
    /// <summary>
    /// Adds <see cref="PosternStore"/>, <see cref="AuditReader"/>, <see cref="StandingVerifier"/>, <see cref="ChangeFeed"/>,
    /// <see cref="Sequencer"/>, <see cref="IStoreClock"/> and <see cref="IWrappedKeys"/>, and the hosted services that read the feed for every registered
    /// <see cref="IChangeListener"/>, order the audit log and prune. Committed events go to every registered
    /// <see cref="IEventListener"/>. Call <see cref="PosternStore.MigrateAsync"/> before the host starts.
    /// <see cref="TimeProvider"/> and <see cref="IChance"/> are the system's unless registered.
    /// </summary>
    public static IServiceCollection AddPosternStore(this IServiceCollection services, StoreOptions options)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<IChance, SystemChance>();
        services.AddSingleton(options);
        // Made at once, so that a connection string that does not fit is an error here; by a factory, so that the provider disposes it.
        var dialect = SqlDialect.For(options);
        services.AddSingleton(_ => dialect);
        services.AddSingleton<Database>();
        services.AddSingleton<IStoreClock>(provider => provider.GetRequiredService<Database>());
        services.AddSingleton(provider => provider.GetRequiredService<SqlDialect>().CreateWriter(provider.GetRequiredService<Database>(), options));
        services.AddSingleton<Committer>();
        services.AddSingleton<Migrator>();
        services.AddSingleton<CommitSignals>();
        services.AddSingleton(provider => new PosternStore(
            provider.GetRequiredService<Database>(),
            provider.GetRequiredService<IWriter>(),
            provider.GetRequiredService<Committer>(),
            provider.GetRequiredService<Migrator>(),
            provider.GetRequiredService<CommitSignals>(),
            provider.GetServices<IEventListener>(),
            LoggerOf<PosternStore>(provider)));
        services.AddSingleton<IWrappedKeys, StoredWrappedKeys>();
        services.AddSingleton(provider => new AuditReader(provider.GetRequiredService<Database>()));
        services.AddSingleton(provider => new StandingVerifier(provider.GetRequiredService<Database>()));
        services.AddSingleton(provider => new ChangeFeed(
            provider.GetRequiredService<Database>(), provider.GetRequiredService<TimeProvider>(), LoggerOf<ChangeFeed>(provider)));
        services.AddSingleton(provider => new Sequencer(
            provider.GetRequiredService<Database>(), provider.GetRequiredService<IWriter>(), options, provider.GetRequiredService<IChance>()));
        // The sequencer is registered first and so stops last: events of the others' stopping still get their place.
        services.AddSingleton<IHostedService>(provider => new SequencerService(
            provider.GetRequiredService<Sequencer>(),
            provider.GetRequiredService<CommitSignals>(),
            options,
            provider.GetRequiredService<TimeProvider>(),
            LoggerOf<SequencerService>(provider)));
        services.AddSingleton<IHostedService>(provider => new ChangeFeedService(
            provider.GetRequiredService<ChangeFeed>(),
            provider.GetRequiredService<SqlDialect>(),
            provider.GetRequiredService<CommitSignals>(),
            options,
            provider.GetRequiredService<TimeProvider>(),
            provider.GetServices<IChangeListener>(),
            LoggerOf<ChangeFeedService>(provider)));
        services.AddSingleton<IHostedService>(provider => new PruneService(
            provider.GetRequiredService<PosternStore>(), options, provider.GetRequiredService<TimeProvider>(), LoggerOf<PruneService>(provider)));
        return services;
    }

    private static ILogger LoggerOf<T>(IServiceProvider provider) =>
        provider.GetService<ILoggerFactory>()?.CreateLogger(typeof(T).FullName!) ?? NullLogger.Instance;
}
