using System.Collections.Immutable;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Postern.Grants.Definitions;
using Postern.Model;
using Postern.OAuth;
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
    private readonly List<Events> told = [];

    private readonly Func<GrantOptions, GrantOptions> configure;

    private readonly bool live;

    private IKeyStore? keyStore;

    private Rig(
        TestDatabase database, bool live, FakeTimeProvider clock, Authority authority, TimeSpan? waitAtMost, Func<GrantOptions, GrantOptions>? configure)
    {
        Database = database;
        this.live = live;
        Clock = clock;
        DatabaseClock = new(clock);
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

    /// <summary>The settings of the vault of every node that is added from now on; the file keyring unless a test changes it.</summary>
    public Func<VaultOptions, VaultOptions> Vault { get; set; } = same => same;

    public Authority Authority { get; }

    /// <summary>The time that passes, and the clock of every node that has none of its own.</summary>
    public FakeTimeProvider Clock { get; }

    /// <summary>The database's clock, which a test may step.</summary>
    public SteppedClock DatabaseClock { get; }

    public DateTimeOffset Now => Clock.GetUtcNow();

    public TestNode One => nodes[0];

    public static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static Subject Ana { get; } = Person("ana");

    public static Subject Ben { get; } = Person("ben");

    /// <param name="waitAtMost">How long a query waits for another's renewal; the default's fifteen seconds are long to turn through.</param>
    /// <param name="configure">Other options than the defaults, for every node.</param>
    /// <param name="database">Another database than a file of SQLite; gone with the rig.</param>
    /// <param name="live">By the real time, for tests with processes or servers beside; the clock turns nothing then.</param>
    /// <param name="vault">As <see cref="Vault"/>, from the first node on.</param>
    /// <param name="keyStore">The key store of every node, in the file keyring's place.</param>
    public static async Task<Rig> StartAsync(
        TimeSpan? waitAtMost = null, Func<GrantOptions, GrantOptions>? configure = null, TestDatabase? database = null, bool live = false,
        Func<VaultOptions, VaultOptions>? vault = null, IKeyStore? keyStore = null)
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 11, 22, 9, 0, 0, TimeSpan.Zero));
        var rig = new Rig(database ?? Sqlite.InMemory(), live, clock, await Authority.StartAsync(live ? TimeProvider.System : clock), waitAtMost, configure);
        rig.Vault = vault ?? rig.Vault;
        rig.keyStore = keyStore;
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
    /// <param name="clock">Its clock, where that is not everybody's.</param>
    public TestNode AddNode(string name, TimeProvider? clock = null)
    {
        var node = new TestNode(this, name, BuildServices(name, clock: clock));
        nodes.Add(node);
        told.Add(node.Events);
        return node;
    }

    /// <summary>What all nodes reported, those that died included.</summary>
    public IReadOnlyList<AuditEvent> EventsOf(EventKind kind) => [.. told.SelectMany(events => events.Of(kind))];

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

    /// <summary>An active grant with a first pair of the authorization server, an hour long unless that says otherwise.</summary>
    public async Task<(GrantId Id, Family Family)> GrantAsync(ConnectionId connectionId, Subject? subject = null, Authority? at = null, DateTimeOffset? absoluteEnd = null)
    {
        var connection = await One.ConnectionAsync(connectionId, subject?.Key.Tenant);
        var family = (at ?? Authority).NewFamily(connection.Identity == IdentityMode.Service ? RefreshRotation.None : Profile(connection.Authorization.Profile)!.Rotation);
        var id = new GrantId(One.Get<IChance>().NewId());
        var owner = (subject ?? Ana).Key;
        TimeSpan? life = (at ?? Authority).ExpiresIn is { } seconds ? TimeSpan.FromSeconds(seconds) : null;
        using var tokens = new TokenSet(SecretBytes.FromText(family.Access), SecretBytes.FromText(family.Refresh), life, ["sql"], null);
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

    /// <summary>Many grants of as many people, through the same code, so many at once that they share commits.</summary>
    public async Task<IReadOnlyList<Held>> GrantsAsync(ConnectionId connection, int count, DateTimeOffset? absoluteEnd = null, string name = "person")
    {
        var grants = new Held[count];
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 64, CancellationToken = Cancellation }, async (i, _) =>
        {
            var person = Person($"{name}-{i}");
            var (id, family) = await GrantAsync(connection, person, absoluteEnd: absoluteEnd);
            grants[i] = new(id, family, person);
        });
        return grants;
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

    private ServiceProvider BuildServices(string name, string? database = null, TimeProvider? clock = null)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton(live ? TimeProvider.System : clock ?? Clock);
        services.AddSingleton<IChance, SystemChance>();
        services.AddSingleton<Events>();
        services.AddSingleton<IEventListener>(provider => provider.GetRequiredService<Events>());
        var options = database is null ? Database.Options : new StoreOptions { ConnectionString = $"Data Source={database}" };
        services.AddPosternStore(options with { Node = name, Time = live ? StoreTime.Database : StoreTime.Bound, BoundClock = DatabaseClock });
        if (keyStore is not null)
            services.AddSingleton(keyStore);
        services.AddVault(Vault(new VaultOptions
        {
            Deployment = "test",
            FileKeyring = new FileKeyringOptions { Directory = Keys },
        }));
        services.AddOAuthClient();
        services.AddGrants(configure(new GrantOptions { Node = name, Profiles = Profile }));
        return services.BuildServiceProvider();
    }
}

/// <summary>A grant, the server's side of it, and whose it is.</summary>
internal sealed record Held(GrantId Id, Family Family, Subject Person);
