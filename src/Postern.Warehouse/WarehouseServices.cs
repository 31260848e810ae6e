using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Postern.Model;
using Postern.Warehouse.Databricks;

namespace Postern.Warehouse;

/// <summary>Registers this room.</summary>
public static class WarehouseServices
{
    /// <summary>
    /// Adds the drivers and their <see cref="DriverRegistry"/>. Needs <see cref="TimeProvider"/> and <see cref="IChance"/>.
    /// </summary>
    /// <param name="transport">
    /// What sends a connection's requests: guarded by connect-time address checks, without redirects, retries, cookies or automatic decompression. Result links go
    /// to hosts that the platform chooses, so this is where an address is refused, by what that connection may reach. Called for each statement; nobody disposes it.
    /// </param>
    public static IServiceCollection AddWarehouse(this IServiceCollection services, Func<IServiceProvider, Connection, HttpMessageInvoker> transport)
    {
        services.AddSingleton<IPlatformDriver>(s => new DatabricksDriver(
            connection => transport(s, connection), s.GetRequiredService<TimeProvider>(), s.GetRequiredService<IChance>(),
            s.GetService<DatabricksOptions>() ?? new DatabricksOptions(), s.GetRequiredService<ILogger<DatabricksDriver>>()));
        services.AddSingleton<DriverRegistry>();
        return services;
    }
}
