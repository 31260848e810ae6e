using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Postern.Model;

namespace Postern.Store.Tests;

/// <summary>One or more nodes over one real SQLite file, under a clock that the test turns.</summary>
internal sealed class StoreFixture : IAsyncDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("postern-store-").FullName;
    private readonly List<ServiceProvider> nodes = [];

    private StoreFixture(StoreTime time) => Time = time;

    public FakeTimeProvider Clock { get; } = new(new DateTimeOffset(2026, 11, 22, 9, 0, 0, TimeSpan.Zero));

    public StoreTime Time { get; }

    public string File => Path.Combine(folder, "postern.db");

    public string ConnectionString => $"Data Source={File}";

    public ServiceProvider First => nodes[0];

    public PosternStore Store => First.GetRequiredService<PosternStore>();

    public IChance Chance { get; } = new SystemChance();

    public DateTimeOffset Now => Clock.GetUtcNow();

    public static async Task<StoreFixture> StartAsync(StoreTime time = StoreTime.Bound)
    {
        var fixture = new StoreFixture(time);
        fixture.AddNode("one");
        await fixture.Store.MigrateAsync(TestContext.Current.CancellationToken);
        return fixture;
    }

    /// <summary>A further node over the same file.</summary>
    public ServiceProvider AddNode(string name, Func<StoreOptions, StoreOptions>? change = null, IEventListener? listener = null)
    {
        var options = new StoreOptions { ConnectionString = ConnectionString, Node = name, Time = Time };
        var services = new ServiceCollection().AddSingleton<TimeProvider>(Clock);
        if (listener is not null)
            services.AddSingleton(listener);
        var provider = services.AddPosternStore(change?.Invoke(options) ?? options).BuildServiceProvider();
        nodes.Add(provider);
        return provider;
    }

    /// <summary>Runs SQL beside the store, as somebody with access to the database would.</summary>
    public async Task<int> SqlAsync(string sql, object? parameters = null)
    {
        await using var connection = new SqliteConnection(ConnectionString);
        return await connection.ExecuteAsync(sql, parameters);
    }

    public async Task<T?> ScalarAsync<T>(string sql, object? parameters = null)
    {
        await using var connection = new SqliteConnection(ConnectionString);
        return await connection.ExecuteScalarAsync<T>(sql, parameters);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in nodes)
            await node.DisposeAsync();
        SqliteConnection.ClearAllPools();
        Directory.Delete(folder, recursive: true);
    }
}
