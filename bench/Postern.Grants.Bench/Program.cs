using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Postern.Grants;
using Postern.Grants.Definitions;
using Postern.Grants.Leases;
using Postern.Model;
using Postern.OAuth;
using Postern.Policy;
using Postern.Store;
using Postern.Vault;

// What a query pays for its token when nothing is to be renewed: the lease, which is a handle on what this node has read, and the opening
// of it once the intent is written. Each against the least that it could be, in turns within each round. Batches are shorter than a time
// slice, so that the median of all of them says the same on a machine that does other things as well.

var rounds = args.Contains("--quick") ? 5 : 25;
const int Batches = 20;
const int Leases = 2_000;
const int Runs = 100;

var folder = Directory.CreateTempSubdirectory("postern-grants-bench-");
try
{
    await MeasureAsync();
}
finally
{
    folder.Delete(recursive: true);
}

async Task MeasureAsync()
{
    await using var server = await TokenServer.StartAsync();
    await using var services = Services();
    var store = services.GetRequiredService<PosternStore>();
    var desk = services.GetRequiredService<GrantDesk>();
    await store.MigrateAsync(CancellationToken.None);
    await desk.Definitions.SeedAsync(Given.Seed(server.Issuer), "bench", CancellationToken.None);
    foreach (var background in services.GetServices<IHostedService>())
        await background.StartAsync(CancellationToken.None);

    var permitted = await Given.PermitAsync(desk);
    var session = (await desk.Sessions.OpenPortalAsync(Given.Ana, null, CancellationToken.None)).Session;
    Take(await desk.LeaseAsync(permitted, CancellationToken.None));

    var floor = new ConcurrentDictionary<(SubjectKey, ConnectionId), object> { [(permitted.GrantOwner, permitted.Connection.Id)] = new() };
    var key = (permitted.GrantOwner, permitted.Connection.Id);
    using var gcm = new AesGcm(RandomNumberGenerator.GetBytes(32), 16);
    byte[] nonce = new byte[12], plaintext = RandomNumberGenerator.GetBytes(1200), ciphertext = new byte[1200], tag = new byte[16];
    gcm.Encrypt(nonce, plaintext, ciphertext, tag);

    var figures = new Dictionary<string, (List<double> Nanoseconds, List<double> Bytes)>();
    for (var round = -2; round < rounds; round++)
    {
        Many("lease from the cache", Leases, () => desk.LeaseAsync(permitted, CancellationToken.None).GetAwaiter().GetResult());
        Many("one timestamp", Leases, () => Stopwatch.GetTimestamp());
        Many("one lookup in a ConcurrentDictionary", Leases, () => floor.TryGetValue(key, out _));
        await OpenAsync("opening it, 1,200 bytes");
        Many("bare AesGcm decrypt of 1,200 bytes", Leases / 20, () => gcm.Decrypt(nonce, ciphertext, tag, plaintext));

        void Many(string name, int times, Action run)
        {
            for (var batch = 0; batch < Batches; batch++)
            {
                var before = GC.GetAllocatedBytesForCurrentThread();
                var began = Stopwatch.GetTimestamp();
                for (var i = 0; i < times; i++)
                    run();
                Keep(name, Stopwatch.GetElapsedTime(began), GC.GetAllocatedBytesForCurrentThread() - before, times);
            }
        }

        // Runs are made beforehand: the intent is a commit, and that is measured in Postern.Bench with the whole query.
        async Task OpenAsync(string name)
        {
            var lease = Take(await desk.LeaseAsync(permitted, CancellationToken.None));
            var runs = new List<QueryRun>();
            for (var i = 0; i < Runs; i++)
                runs.Add(Take(await desk.StartAsync(lease, session, new byte[32], CancellationToken.None)));
            foreach (var run in runs)
            {
                var before = GC.GetAllocatedBytesForCurrentThread();
                var began = Stopwatch.GetTimestamp();
                run.CurrentAsync(CancellationToken.None).GetAwaiter().GetResult();
                Keep(name, Stopwatch.GetElapsedTime(began), GC.GetAllocatedBytesForCurrentThread() - before, 1);
            }
            foreach (var run in runs)
                await run.DisposeAsync();
        }

        void Keep(string name, TimeSpan took, long bytes, int times)
        {
            if (round < 0)
                return;
            figures.TryAdd(name, ([], []));
            figures[name].Nanoseconds.Add(took.TotalNanoseconds / times);
            figures[name].Bytes.Add((double)bytes / times);
        }
    }

    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| one core, median | ns | allocated, bytes |"));
    Console.WriteLine("|---|---:|---:|");
    foreach (var (name, (nanoseconds, bytes)) in figures)
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {Median(nanoseconds):0} | {Median(bytes):0.0} |"));
    foreach (var background in services.GetServices<IHostedService>().Reverse())
        await background.StopAsync(CancellationToken.None);
}

ServiceProvider Services()
{
    var services = new ServiceCollection();
    services.AddLogging();
    services.AddSingleton(TimeProvider.System);
    services.AddSingleton<IChance, SystemChance>();
    services.AddPosternStore(new StoreOptions { ConnectionString = $"Data Source={Path.Combine(folder.FullName, "postern.db")}", Node = "bench" });
    services.AddVault(new VaultOptions { Deployment = "bench", FileKeyring = new FileKeyringOptions { Directory = Path.Combine(folder.FullName, "keys") } });
    services.AddOAuthClient();
    services.AddGrants(new GrantOptions { Node = "bench" });
    return services.BuildServiceProvider();
}

static T Take<T>(Outcome<T> outcome) where T : notnull =>
    outcome.TryGet(out var value, out var why) ? value : throw new InvalidOperationException($"{why.Code}: {why.Detail}");

static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

/// <summary>One tenant with a service connection, and a person who may query it.</summary>
internal static class Given
{
    private static readonly TenantId Acme = TenantId.Parse("acme");
    private static readonly ConnectionId Lake = ConnectionId.Parse("lake");

    public static Subject Ana { get; } = new(
        new SubjectKey(Acme, "https://idp.example", "ana"), ImmutableSortedDictionary<string, ImmutableArray<string>>.Empty.Add("email", ["ana@acme.example"]));

    public static TenantSeed Seed(string issuer)
    {
        var client = new AuthorizationSettings("generic", issuer, "postern", new SecretText("bench-only"), ClientAuthentication.SecretBasic, ["sql"]) { AllowPlainHttpIssuerOnLoopback = true };
        return new TenantSeed(
            new Tenant(Acme, "Acme", ["acme.example"], ["https://host.example"], new SignInSettings(client, ["email"]), [Lake]),
            [
                new Connection(Acme, Lake, "Lake", "fake", new Uri("https://platform.example/"), IdentityMode.Service, IdentityMatch.Email, client, new ExecutionSettings(null, null, null)),
            ],
            [],
            [new SeedBody(DefinitionKind.Policy, "all", "{}")]);
    }

    public static async Task<PermittedQuery> PermitAsync(GrantDesk desk)
    {
        if (!(await desk.Definitions.ConnectionAsync(Acme, Lake, CancellationToken.None)).TryGet(out var connection, out var unknown))
            throw new InvalidOperationException(unknown.Detail);
        var revision = (await desk.Definitions.RowsAsync(Acme, DefinitionKind.Policy, CancellationToken.None)).Single().Revision;
        var policy = new TablePolicy("all", "flights", new RowFilter.Everything(), ImmutableSortedDictionary<string, ColumnMask>.Empty, revision);
        var query = new WorkbookQuery(WorkbookId.Parse("sales"), 1, "total", Lake, [IdentityMode.Service], [policy.Stamp], []);
        return QueryPolicy.Judge(new Viewer(Ana, SessionKind.Portal, null, new HashSet<ConnectionId> { Lake }), query, connection, [policy]).TryGet(out var permitted, out var why)
            ? permitted
            : throw new InvalidOperationException(why.Detail);
    }
}
