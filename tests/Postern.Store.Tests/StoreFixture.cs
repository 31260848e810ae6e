using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Postern.Model;

[assembly: AssemblyFixture(typeof(Servers))]

namespace Postern.Store.Tests;

/// <summary>A suite of behaviours that every database must have. Each runs as <c>SuiteOnKind</c>, one sealed class per kind.</summary>
public abstract class StoreSuite<TDatabase> where TDatabase : ITestDatabase
{
    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    protected static async Task<StoreFixture> StartAsync(StoreTime time = StoreTime.Bound) => new(await TDatabase.CreateMigratedAsync(), time);
}

/// <summary>One or more nodes over one real database, under a clock that the test turns.</summary>
public sealed class StoreFixture : IAsyncDisposable
{
    private readonly List<ServiceProvider> nodes = [];

    public StoreFixture(TestDatabase database, StoreTime time)
    {
        Database = database;
        Time = time;
        AddNode("one");
    }

    public TestDatabase Database { get; }

    public FakeTimeProvider Clock { get; } = new(new DateTimeOffset(2026, 11, 22, 9, 0, 0, TimeSpan.Zero));

    public StoreTime Time { get; }

    public ServiceProvider First => nodes[0];

    public PosternStore Store => First.GetRequiredService<PosternStore>();

    public IChance Chance { get; } = new SystemChance();

    public DateTimeOffset Now => Clock.GetUtcNow();

    /// <summary>A further node over the same database.</summary>
    public ServiceProvider AddNode(string name, Func<StoreOptions, StoreOptions>? change = null, IEventListener? listener = null)
    {
        var options = Database.Options with { Node = name, Time = Time };
        var services = new ServiceCollection().AddSingleton<TimeProvider>(Clock);
        if (listener is not null)
            services.AddSingleton(listener);
        var provider = services.AddPosternStore(change?.Invoke(options) ?? options).BuildServiceProvider();
        nodes.Add(provider);
        return provider;
    }

    /// <summary>Runs SQL beside the store, as somebody with access to the database would.</summary>
    public Task<int> SqlAsync(string sql, object? parameters = null) => Database.SqlAsync(sql, parameters);

    public async Task<T?> ScalarAsync<T>(string sql, object? parameters = null) => await Database.ListAsync<T>(sql, parameters) is [var first, ..] ? first : default;

    public async ValueTask DisposeAsync()
    {
        foreach (var node in nodes)
            await node.DisposeAsync();
        await Database.DisposeAsync();
    }
}
