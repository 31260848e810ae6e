using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Postern.Model;
using Postern.Store;
using Postern.Store.Crash;

// A process that holds only a store.
//   migrate PROVIDER CONNECTION [N]     brings the schema up to date; with N it kills itself before the N-th statement
//   write PROVIDER CONNECTION PREFIX    commits until it is killed; prints the name of each commit once it is acknowledged
//   fault CONNECTION POINT COUNT        SQLite, while calls of POINT fail; see Faults
var verb = args[0];
var options = verb == "fault"
    ? new StoreOptions { ConnectionString = args[1], Node = "crash", BusyTimeout = TimeSpan.FromSeconds(1) }
    : new StoreOptions { Provider = Enum.Parse<StoreProvider>(args[1]), ConnectionString = args[2], Node = "crash" };
var collection = new ServiceCollection().AddPosternStore(options);
if (verb == "migrate" && args.Length > 3)
    collection.AddSingleton<ILoggerFactory>(new DiesAt(int.Parse(args[3], System.Globalization.CultureInfo.InvariantCulture)));
await using var services = collection.BuildServiceProvider();
var store = services.GetRequiredService<PosternStore>();
switch (verb)
{
    case "migrate":
        await store.MigrateAsync(CancellationToken.None);
        break;
    case "write":
        await Task.WhenAll(Enumerable.Range(0, 4).Select(writer => Task.Run(async () =>
        {
            for (var i = 0; ; i++)
                await CommitAsync($"{args[3]}-{writer}-{i}");
        })));
        break;
    case "fault":
        await Faults.RunAsync(args[2], int.Parse(args[3], System.Globalization.CultureInfo.InvariantCulture), CommitAsync);
        break;
}

// A change, its event and its notice in the feed; said only when acknowledged.
async Task CommitAsync(string name)
{
    var tenant = TenantId.Parse("acme");
    var result = await store.CommitAsync(
        DefinitionChanges.Put(tenant, DefinitionKind.Policy, name, 0, 1, "{}", [1]), new AuditEvent(EventKind.DefinitionChanged, tenant).With("name", name));
    Console.WriteLine(result.Committed ? name : $"refused {name}");
}
