using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Postern.Grants.Definitions;
using Postern.Grants.Leases;
using Postern.Grants.Sessions;
using Postern.Model;
using Postern.OAuth;
using Postern.Policy;
using Postern.Store;
using Postern.Vault;

[assembly: AssemblyFixture(typeof(Servers))]

namespace Postern.Grants.Tests.Support;

/// <summary>
/// One or more whole nodes over one database (a SQLite file unless a test brings another), one file keyring and one scripted authorization server, under a clock that the test
/// turns. Background work runs only where a test starts it.
/// </summary>
internal sealed class Rig : IAsyncDisposable
{
    public static readonly TenantId Acme = TenantId.Parse("acme");
    public static readonly ConnectionId Lake = ConnectionId.Parse("lake");
    public static readonly ConnectionId Grace = ConnectionId.Parse("grace");
    public static readonly ConnectionId Steady = ConnectionId.Parse("steady");
    public static readonly ConnectionId Service = ConnectionId.Parse("service");

    private readonly string folder = Directory.CreateTempSubdirectory("postern-grants-").FullName;
    private readonly List<TestNode> nodes = [];

    private readonly Func<GrantOptions, GrantOptions> configure;

    private readonly bool live;

    private Rig(TestDatabase database, bool live, Authority authority, TimeSpan? waitAtMost, Func<GrantOptions, GrantOptions>? configure)
    {
        Database = database;
        this.live = live;
        Authority = authority;
        this.configure = options => (configure ?? (same => same))(options with { WaitAtMost = waitAtMost ?? options.WaitAtMost });
    }

    public TestDatabase Database { get; }

    /// <summary>Writes a file beside the database; answers its path.</summary>
    public string Write(string name, string text)
    {
        var file = Path.Combine(folder, name);
        File.WriteAllText(file, text);
        return file;
    }

    /// <summary>The directory of the keyring.</summary>
    public string Keys => Path.Combine(folder, "keys");

    public Authority Authority { get; }

    public FakeTimeProvider Clock { get; } = new(new DateTimeOffset(2026, 11, 22, 9, 0, 0, TimeSpan.Zero));

    public DateTimeOffset Now => Clock.GetUtcNow();

    public TestNode One => nodes[0];

    public static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static Subject Ana { get; } = Person("ana");

    public static Subject Ben { get; } = Person("ben");

    /// <param name="waitAtMost">How long a query waits for another's renewal; the default's fifteen seconds are long to turn through.</param>
    /// <param name="configure">Other options than the defaults, for every node.</param>
    /// <param name="database">Another database than a file of SQLite; gone with the rig.</param>
    /// <param name="live">By the real time, for tests with processes beside; the clock turns nothing then.</param>
    public static async Task<Rig> StartAsync(
        TimeSpan? waitAtMost = null, Func<GrantOptions, GrantOptions>? configure = null, TestDatabase? database = null, bool live = false)
    {
        var rig = new Rig(database ?? await Sqlite.CreateAsync(), live, await Authority.StartAsync(), waitAtMost, configure);
        rig.AddNode("one");
        await rig.One.Store.MigrateAsync(Cancellation);
        await rig.One.Desk.Definitions.SeedAsync(rig.Seed(), "test", Cancellation);
        return rig;
    }

    public TenantSeed Seed() => Seed(Acme);

    /// <summary>A tenant, with the same connections as every other.</summary>
    public TenantSeed Seed(TenantId tenant) => new(
        new Tenant(tenant, "Acme", [$"{tenant}.test"], ["https://host.test"], new SignInSettings(Client("generic"), ["email"]), [Lake, Grace, Steady, Service]),
        [.. new[] { Connection(Lake, "generic"), Connection(Grace, "test-grace"), Connection(Steady, "test-none"), Connection(Service, "generic") with { Identity = IdentityMode.Service } }
            .Select(connection => connection with { Tenant = tenant })],
        [new EmbedKey(tenant, "host", "Host", [.. new byte[32]], [WorkbookId.Parse("sales")], ["email"], ["https://host.test"])],
        [new SeedBody(DefinitionKind.Policy, "all", "{}")]);

    /// <summary>A further connection, of another server when one is given.</summary>
    public async Task<ConnectionId> AddConnectionAsync(string name, string profile, Authority? at = null, Func<Connection, Connection>? change = null)
    {
        var added = (change ?? (same => same))(Connection(ConnectionId.Parse(name), profile));
        if (at is not null)
            added = added with { Authorization = added.Authorization with { Issuer = at.Issuer } };
        await One.Desk.Definitions.SeedAsync(Seed() with { Connections = [added], EmbedKeys = [], Others = [] }, "test", Cancellation);
        return added.Id;
    }

    /// <summary>A further node, a whole container of its own.</summary>
    public TestNode AddNode(string name)
    {
        var node = new TestNode(this, name, BuildServices(name));
        nodes.Add(node);
        return node;
    }

    /// <summary>The process dies: nothing is told to anybody.</summary>
    public async Task KillAsync(TestNode node)
    {
        nodes.Remove(node);
        await node.DisposeAsync();
    }

    /// <summary>Turns the clock in small steps until the work is done, for work that waits for a moment of it.</summary>
    public async Task<T> PumpAsync<T>(Task<T> work)
    {
        while (!work.IsCompleted)
        {
            Clock.Advance(TimeSpan.FromMilliseconds(5));
            await Task.WhenAny(work, Task.Delay(1, Cancellation));
        }
        return await work;
    }

    /// <summary>As <see cref="PumpAsync"/>, for work that waits for minutes of the clock; what lives seconds by it is over soon.</summary>
    public async Task<T> PumpSecondsAsync<T>(Task<T> work)
    {
        while (!work.IsCompleted)
        {
            Clock.Advance(TimeSpan.FromMilliseconds(500));
            await Task.WhenAny(work, Task.Delay(1, Cancellation));
        }
        return await work;
    }

    /// <summary>Turns the clock in small steps until it is so; fails after a real half minute.</summary>
    public Task UntilAsync(Func<Task<bool>> so) => UntilAsync(so, TimeSpan.FromMilliseconds(5));

    /// <summary>Waits without turning the clock: what is awaited follows from what happened already.</summary>
    public Task SoonAsync(Func<bool> so) => UntilAsync(() => Task.FromResult(so()), TimeSpan.Zero);

    public async Task UntilAsync(Func<Task<bool>> so, TimeSpan step)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        patience.CancelAfter(TimeSpan.FromSeconds(30));
        while (!await so())
        {
            patience.Token.ThrowIfCancellationRequested();
            Clock.Advance(step);
            await Task.Delay(1, patience.Token);
        }
    }

    /// <summary>An active grant with a first pair of the authorization server, an hour long.</summary>
    public async Task<(GrantId Id, Family Family)> GrantAsync(ConnectionId connectionId, Subject? subject = null, Authority? at = null, DateTimeOffset? absoluteEnd = null)
    {
        var connection = await One.ConnectionAsync(connectionId, subject?.Key.Tenant);
        var family = (at ?? Authority).NewFamily(connection.Identity == IdentityMode.Service ? RefreshRotation.None : Profile(connection.Authorization.Profile)!.Rotation);
        var id = new GrantId(One.Get<IChance>().NewId());
        var owner = (subject ?? Ana).Key;
        using var tokens = new TokenSet(SecretBytes.FromText(family.Access), SecretBytes.FromText(family.Refresh), TimeSpan.FromHours(1), ["sql"], null);
        var pair = await One.Get<TokenSealer>().SealAsync(id, owner, connection, 1, tokens, tokens.Refresh, absoluteEnd);
        var inserted = await One.Store.CommitAsync(
            [GrantChanges.InsertActive(await One.Get<RowMacs>().SignAsync(new NewGrant
            {
                Id = id,
                Subject = owner,
                Connection = connectionId,
                Pair = pair,
                Scopes = "sql",
                Principal = new(Authority.Issuer, owner.Id, owner.Id),
                ConnectionDigest = ConnectionDigest.Of(connection),
                DefinitionRevision = connection.Revision,
                AbsoluteEndAt = absoluteEnd,
            }, confirmation: null, Cancellation))],
            new AuditEvent(EventKind.GrantConfirmed, owner.Tenant), null, Cancellation);
        Assert.True(inserted.Committed, inserted.Refused);
        return (id, family);
    }

    public async Task<GrantRow> RowAsync(GrantId id) => (await One.Store.Grants.FindAsync(Acme, id, Cancellation))!;

    /// <summary>Runs SQL beside the store, as somebody with access to the database would.</summary>
    public Task<int> SqlAsync(string sql, object? parameters = null) => Database.SqlAsync(sql, parameters);

    public Task<IReadOnlyList<string>> ColumnsAsync(string table) => Database.ListAsync<string>("SELECT name FROM pragma_table_info(@table)", new { table });

    public async ValueTask DisposeAsync()
    {
        foreach (var node in nodes)
            await node.DisposeAsync();
        await Authority.DisposeAsync();
        await Database.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>A copy of the database as it is, as a backup would take it.</summary>
    public async Task<string> BackUpAsync()
    {
        var copy = Path.Combine(folder, Guid.NewGuid().ToString("N") + ".db");
        await SqlAsync("VACUUM INTO @copy", new { copy });
        return copy;
    }

    /// <summary>A node over such a copy, with the keyring as it is now.</summary>
    public TestNode NodeOver(string copy)
    {
        var node = new TestNode(this, "restored", BuildServices("restored", copy));
        nodes.Add(node);
        return node;
    }

    public static Subject Person(string name, TenantId? tenant = null) => new(
        new SubjectKey(tenant ?? Acme, "https://idp.test", name),
        ImmutableSortedDictionary<string, ImmutableArray<string>>.Empty.Add("email", [$"{name}@acme.test"]));

    private AuthorizationSettings Client(string profile) => new(
        profile, Authority.Issuer, "postern", new SecretText("client-secret-marker"), ClientAuthentication.SecretBasic, ["sql"])
    {
        AllowPlainHttpIssuerOnLoopback = true,
    };

    private Connection Connection(ConnectionId id, string profile) => new(
        Acme, id, id.Value, "fake", new Uri("https://platform.test/"), IdentityMode.User, IdentityMatch.Email, Client(profile),
        new ExecutionSettings(null, null, null))
    {
        FreeSql = true,
    };

    private static ProviderProfile? Profile(AuthorizationSettings settings) => Profile(settings.Profile)?.With(settings.Behaviour);

    private static ProviderProfile? Profile(string name) => name switch
    {
        "test-kills" => new(name, RefreshRotation.SingleUseKillsAccessTokens, true, [], []),
        "test-short-grace" => new(name, RefreshRotation.RotatingWithGrace, true, [], []) { Grace = TimeSpan.FromSeconds(30) },
        "test-grace" => new(name, RefreshRotation.RotatingWithGrace, true, [], []) { Grace = TimeSpan.FromMinutes(5) },
        "test-none" => new(name, RefreshRotation.None, true, [], []),
        "test-paced" => new(name, RefreshRotation.SingleUse, true, [], []) { TokenRequestsPerMinute = 60 },
        _ => ProviderProfile.Find(name),
    };

    private ServiceProvider BuildServices(string name, string? database = null)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton(live ? TimeProvider.System : Clock);
        services.AddSingleton<IChance, SystemChance>();
        services.AddSingleton<Events>();
        services.AddSingleton<IEventListener>(provider => provider.GetRequiredService<Events>());
        var options = database is null ? Database.Options : new StoreOptions { ConnectionString = $"Data Source={database}" };
        services.AddPosternStore(options with { Node = name, Time = live ? StoreTime.Database : StoreTime.Bound });
        services.AddVault(new VaultOptions
        {
            Deployment = "test",
            FileKeyring = new FileKeyringOptions { Directory = Keys },
        });
        services.AddOAuthClient();
        services.AddGrants(configure(new GrantOptions { Node = name, Profiles = Profile }));
        return services.BuildServiceProvider();
    }
}

/// <summary>Everything that a node reported, in order.</summary>
internal sealed class Events : IEventListener
{
    private readonly ConcurrentQueue<AuditEvent> all = new();

    public void On(AuditEvent committed) => all.Enqueue(committed);

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

internal static class Expect
{
    public static T Value<T>(this Outcome<T> outcome) where T : notnull
    {
        Assert.True(outcome.TryGet(out var value, out var refusal), $"refused: {refusal?.Kind} {refusal?.Code}: {refusal?.Detail}");
        return value;
    }

    public static Refusal Refused<T>(this Outcome<T> outcome, RefusalKind kind) where T : notnull
    {
        Assert.NotNull(outcome.Refusal);
        Assert.Equal(kind, outcome.Refusal.Kind);
        return outcome.Refusal;
    }

    /// <summary>The token that a bearer writes.</summary>
    public static string Token(this IBearer bearer)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "https://platform.test/statements");
        bearer.Authorize(request);
        return request.Headers.Authorization!.Parameter!;
    }
}
