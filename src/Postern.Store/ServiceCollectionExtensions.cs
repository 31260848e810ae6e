using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Postern.Model;

namespace Postern.Store;

/// <summary>Registers the store.</summary>
public static class ServiceCollectionExtensions
{
    /// <summary>
    /// Adds <see cref="PosternStore"/>, <see cref="IStoreClock"/>, <see cref="IWrappedKeys"/>. Call
    /// <see cref="PosternStore.MigrateAsync"/> before the host starts. <see cref="TimeProvider"/> and <see cref="IChance"/> are the
    /// system's unless registered.
    /// </summary>
    public static IServiceCollection AddPosternStore(this IServiceCollection services, StoreOptions options)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<IChance, SystemChance>();
        services.AddSingleton(options);
        services.AddSingleton(new SqliteDialect(options));
        services.AddSingleton<SqlDialect>(provider => provider.GetRequiredService<SqliteDialect>());
        services.AddSingleton<Database>();
        services.AddSingleton<IStoreClock>(provider => provider.GetRequiredService<Database>());
        services.AddSingleton<IWriter, SqliteWriter>();
        services.AddSingleton<Committer>();
        services.AddSingleton<Migrator>();
        services.AddSingleton<CommitSignals>();
        services.AddSingleton(provider => new PosternStore(
            provider.GetRequiredService<Database>(),
            provider.GetRequiredService<IWriter>(),
            provider.GetRequiredService<Committer>(),
            provider.GetRequiredService<Migrator>(),
            provider.GetRequiredService<CommitSignals>(),
            provider.GetServices<IEventListener>()));
        services.AddSingleton<IWrappedKeys, StoredWrappedKeys>();
        return services;
    }
}
