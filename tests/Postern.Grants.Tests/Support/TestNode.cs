using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Postern.Grants.Leases;
using Postern.Grants.Sessions;
using Postern.Model;
using Postern.Policy;
using Postern.Store;

namespace Postern.Grants.Tests.Support;

/// <summary>Everything that a node reported, in order.</summary>
internal sealed class Events : IEventListener
{
    private readonly ConcurrentQueue<AuditEvent> all = new();

    /// <summary>What a test does at the moment of an event.</summary>
    public Action<AuditEvent> Then { get; set; } = static _ => { };

    public void On(AuditEvent committed)
    {
        all.Enqueue(committed);
        Then(committed);
    }

    public IReadOnlyList<AuditEvent> Of(EventKind kind) => [.. all.Where(e => e.Kind == kind)];
}

/// <summary>One process, as far as a test can have several.</summary>
internal sealed class TestNode(Rig rig, string name, ServiceProvider services) : IAsyncDisposable
{
    private readonly List<IHostedService> started = [];

    public string Name => name;

    public GrantDesk Desk => Get<GrantDesk>();

    public PosternStore Store => Get<PosternStore>();

    public Events Events => Get<Events>();

    public T Get<T>() where T : notnull => services.GetRequiredService<T>();

    public async Task<Connection> ConnectionAsync(ConnectionId id, TenantId? tenant = null) =>
        (await Desk.Definitions.ConnectionAsync(tenant ?? Rig.Acme, id, Rig.Cancellation)).Value();

    /// <summary>Starts everything that a host would.</summary>
    public async Task StartAsync()
    {
        foreach (var service in services.GetServices<IHostedService>())
            await StartAsync(service);
    }

    public async Task StartAsync(IHostedService service)
    {
        await service.StartAsync(Rig.Cancellation);
        started.Add(service);
    }

    /// <summary>Starts the reading of the feed, and with it everybody who listens.</summary>
    public Task StartFeedAsync() => StartAsync(services.GetServices<IHostedService>().Single(service => service.GetType().Name == "ChangeFeedService"));

    public async Task<PermittedQuery> PermitAsync(ConnectionId id, Subject? subject = null)
    {
        var connection = await ConnectionAsync(id, subject?.Key.Tenant);
        var viewer = new Viewer(subject ?? Rig.Ana, SessionKind.Portal, null, new HashSet<ConnectionId> { id });
        if (connection.Identity == IdentityMode.User)
            return QueryPolicy.JudgeFreeSql(viewer, connection).Value();
        var revision = Assert.Single(await Desk.Definitions.RowsAsync(Rig.Acme, DefinitionKind.Policy, Rig.Cancellation)).Revision;
        var policy = new TablePolicy("all", "flights", new RowFilter.Everything(), ImmutableSortedDictionary<string, ColumnMask>.Empty, revision);
        var query = new WorkbookQuery(WorkbookId.Parse("sales"), 1, "total", id, [IdentityMode.Service], [policy.Stamp], []);
        return QueryPolicy.Judge(viewer, query, connection, [policy]).Value();
    }

    public async Task<Outcome<TokenLease>> LeaseAsync(ConnectionId id, Subject? subject = null, CancellationToken? cancellation = null) =>
        await Desk.LeaseAsync(await PermitAsync(id, subject), cancellation ?? Rig.Cancellation);

    public async Task<Session> SignInAsync(Subject? subject = null) => (await Desk.Sessions.OpenPortalAsync(subject ?? Rig.Ana, null, Rig.Cancellation)).Session;

    /// <summary>A started query run.</summary>
    public async Task<QueryRun> RunAsync(ConnectionId id, Session session, CancellationToken? caller = null) =>
        (await TryRunAsync(id, session, caller)).Value();

    public async Task<Outcome<QueryRun>> TryRunAsync(ConnectionId id, Session session, CancellationToken? caller = null)
    {
        var leased = await LeaseAsync(id, session.Subject);
        return leased.TryGet(out var lease, out var refusal)
            ? await Desk.StartAsync(lease, session, new byte[32], caller ?? Rig.Cancellation)
            : refusal;
    }

    public async ValueTask DisposeAsync()
    {
        started.Reverse();
        foreach (var service in started)
            await service.StopAsync(CancellationToken.None);
        await services.DisposeAsync();
    }

    public override string ToString() => $"{name} of {rig.Now:O}";
}
