using System.Data.Common;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Postern.Cluster.Tests.Storm;
using Postern.Store;
using Postern.TestDatabases;

namespace Postern.Cluster.Tests.Processes;

/// <summary>One node: a Postern process and its address.</summary>
internal sealed record Node(string Name, Uri Address, ChildProcess Process);

/// <summary>
/// A deployment of its own: one sandbox, one database, any number of Postern processes over it, all on free loopback ports. The
/// configuration is the demo's with other ports, so what is tested is what is shown.
/// </summary>
internal sealed class Deployment : IAsyncDisposable
{
    private static readonly string PosternAssembly = Checkout.Assembly("Postern.Host", "postern");
    private readonly string folder = Directory.CreateTempSubdirectory("postern-cluster-").FullName;
    private readonly List<ChildProcess> all = [];
    private readonly List<string> notes = [];
    private readonly List<int> ports;
    private readonly int sandboxPort;

    private Deployment(int nodes, TestDatabase database)
    {
        Database = database;
        var free = Ports.Free(nodes + 2);
        sandboxPort = free[0];
        HostOrigin = $"http://127.0.0.1:{free[1]}";
        ports = free[2..];
        PublicOrigin = new Uri($"http://localhost:{ports[0]}");
        SandboxAddress = new Uri($"http://127.0.0.1:{sandboxPort}");
        Sandbox = new SandboxControl(SandboxAddress);
    }

    /// <summary>Where browsers know Postern; the first node listens there.</summary>
    public Uri PublicOrigin { get; }

    /// <summary>The origin of the host application that embeds. Nothing listens there.</summary>
    public string HostOrigin { get; }

    /// <summary>Where the authorization servers and the platform are.</summary>
    public Uri SandboxAddress { get; }

    /// <summary>The process of the sandbox.</summary>
    public ChildProcess SandboxProcess => all.First(process => process.Name == "sandbox");

    /// <summary>Their control.</summary>
    public SandboxControl Sandbox { get; }

    /// <summary>The configuration file of every node.</summary>
    public string ConfigFile => Path.Combine(folder, "postern.json");

    /// <summary>The database of every node.</summary>
    public TestDatabase Database { get; }

    /// <summary>A folder of the deployment, for files of a test.</summary>
    public string Folder => folder;

    /// <summary>What nodes find in their environment, besides their name.</summary>
    public Dictionary<string, string> Environment { get; } = [];

    /// <summary>Every secret that passed a back channel of the sandbox: tokens, codes, verifiers.</summary>
    public IReadOnlySet<string> IssuedSecrets => File.ReadAllLines(SecretsFile).ToHashSet(StringComparer.Ordinal);

    /// <summary>Every process that ever ran here, dead ones too.</summary>
    public IReadOnlyList<ChildProcess> Processes => all;

    /// <summary>Starts the sandbox and as many nodes as asked for.</summary>
    /// <param name="nodes">How many nodes start; their names are <c>node-0</c>, <c>node-1</c>, ….</param>
    /// <param name="change">Changes the configuration before anything starts.</param>
    /// <param name="store">On which kind of database; <see cref="StoreProvider.MySql"/> is MariaDB here.</param>
    /// <param name="people">People known to the sandbox besides the demo's; each sees the flights of one small state.</param>
    /// <param name="grace">How long the sandbox takes a refresh token again; zero for never.</param>
    /// <param name="withoutIss">Issuers of the sandbox that do not send <c>iss</c>.</param>
    public static async Task<Deployment> StartAsync(
        int nodes = 1, Action<JsonNode>? change = null, StoreProvider store = StoreProvider.Sqlite, IReadOnlyList<Crowd.Member>? people = null,
        TimeSpan grace = default, params string[] withoutIss)
    {
        // Empty, as a new deployment finds it: its first node makes the tables.
        var deployment = new Deployment(Math.Max(nodes, 4), await (store switch
        {
            StoreProvider.PostgreSql => PostgreSql.CreateAsync(),
            StoreProvider.MySql => MariaDb.CreateAsync(),
            _ => Sqlite.CreateAsync(),
        }));
        try
        {
            deployment.WriteConfig(change);
            await deployment.StartSandboxAsync(people ?? [], grace, withoutIss);
            for (var index = 0; index < nodes; index++)
                await deployment.StartNodeAsync(index);
            return deployment;
        }
        catch
        {
            await deployment.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a node, for the first time or again; waits until it is ready.</summary>
    /// <param name="connection">Its own way to the database; null for everybody's.</param>
    /// <param name="space">The network it runs in; null for this machine's.</param>
    /// <param name="build">The folder of another build; null for the one under test.</param>
    public async Task<Node> StartNodeAsync(int index = 0, string? connection = null, NetworkSpace? space = null, string? build = null)
    {
        var name = $"node-{index}";
        var address = new Uri($"http://localhost:{ports[index]}");
        var environment = new Dictionary<string, string>(Environment) { ["POSTERN__NODE__NAME"] = name };
        if (connection is not null)
            environment["POSTERN__STORE__CONNECTIONSTRING"] = connection;
        space?.Open(ports[index]);
        var listen = space is null ? address : new UriBuilder(address) { Host = NetworkSpace.Listens.ToString() }.Uri;
        var process = Keep(ChildProcess.DotNet(
            space is null ? [] : NetworkSpace.Enter, name, PosternIn(build), environment,
            "serve", "--config", ConfigFile, "--listen", listen.AbsoluteUri));
        await process.SaysAsync("Postern is ready");
        var node = new Node(name, address, process);
        Nodes = [.. Nodes.Where(other => other.Name != name), node];
        return node;
    }

    /// <summary>The nodes that were started, by name; a dead one stays until it is started again.</summary>
    public IReadOnlyList<Node> Nodes { get; private set; } = [];

    /// <summary>The first node.</summary>
    public Node Node => Nodes.Single(node => node.Name == "node-0");

    /// <summary>The second node.</summary>
    public Node Other => Nodes.Single(node => node.Name == "node-1");

    /// <summary>Ends a node in good order.</summary>
    public static async Task StopAsync(Node node)
    {
        node.Process.Terminate();
        Assert.Equal(0, await node.Process.EndedAsync(TimeSpan.FromSeconds(30)));
    }

    /// <summary>Writes the configuration: the demo's, with the ports and folders of this deployment.</summary>
    public void WriteConfig(Action<JsonNode>? change = null)
    {
        var text = File.ReadAllText(Checkout.Path("src/Postern.Host/Demo/postern.demo.json"))
            .Replace("http://localhost:7300", PublicOrigin.GetLeftPart(UriPartial.Authority), StringComparison.Ordinal)
            .Replace("http://127.0.0.1:7310", SandboxAddress.GetLeftPart(UriPartial.Authority), StringComparison.Ordinal)
            .Replace("http://127.0.0.1:7320", HostOrigin, StringComparison.Ordinal);
        var config = JsonNode.Parse(text)!;
        var postern = config["Postern"]!;
        postern["Store"] = new JsonObject
        {
            ["Provider"] = Database.Options.Provider.ToString().ToLowerInvariant(),
            ["ConnectionString"] = Database.Options.ConnectionString,
        };
        postern["KeyStore"]!["Directory"] = Path.Combine(folder, "keys");
        var tenant = postern["Tenants"]!["skyline"]!;
        tenant["Workbooks"] = new JsonArray(Checkout.Path("samples/workbooks"));
        tenant["Connections"]!["lakehouse"]!["Execution"]!["MaxConcurrency"] = 64;
        change?.Invoke(tenant);
        File.WriteAllText(ConfigFile, config.ToJsonString());
    }

    /// <summary>Changes section <c>Postern</c> of the configuration, for whatever starts from now on.</summary>
    public void Reconfigure(Action<JsonNode> change)
    {
        var config = JsonNode.Parse(File.ReadAllText(ConfigFile))!;
        change(config["Postern"]!);
        File.WriteAllText(ConfigFile, config.ToJsonString());
    }

    /// <summary>Writes down a measurement beside the outputs that are kept of this deployment.</summary>
    public void Note(string measured)
    {
        lock (notes)
            notes.Add(measured);
        TestContext.Current.TestOutputHelper?.WriteLine(measured);
    }

    /// <summary>Runs a verb of <c>postern</c> to its end.</summary>
    public Task<(int ExitCode, string Output)> RunAsync(params string[] arguments) => EndedAsync(Begin(arguments));

    /// <summary>Starts a verb of <c>postern</c>.</summary>
    public ChildProcess Begin(params string[] arguments) => BeginWith(null, arguments);

    /// <summary>The audit trail verifies, of every tenant and of Postern itself.</summary>
    /// <param name="build">The folder of another build that verifies it; null for the one under test.</param>
    public async Task AssertAuditVerifiesAsync(string? build = null)
    {
        var (code, output) = await EndedAsync(BeginWith(build, "audit", "verify"));
        Assert.True(code == 0, output);
    }

    /// <summary>The events of a tenant's audit trail, from an export that verifies by itself.</summary>
    public async Task<IReadOnlyList<JsonElement>> EventsAsync(string tenant = "skyline")
    {
        var file = Path.Combine(folder, $"export-{Guid.NewGuid():N}.jsonl");
        var (code, output) = await RunAsync("audit", "export", "--tenant", tenant, "--output", file);
        Assert.True(code == 0, output);
        var lines = await File.ReadAllLinesAsync(file, Suite.Token);
        return [.. lines.Select(line => JsonSerializer.Deserialize<JsonElement>(line)).Where(line => line.TryGetProperty("leaf", out _)).Select(line => line.GetProperty("leaf"))];
    }

    /// <summary>Waits until the audit trail holds an event of this kind and code.</summary>
    public Task HasEventAsync(string kind, string? code = null) => Suite.UntilAsync($"event {kind} {code}", TimeSpan.FromSeconds(20), async () =>
        (await EventsAsync()).Any(leaf => leaf.GetProperty("activity_name").GetString() == kind
            && (code is null || leaf.TryGetProperty("status_code", out var said) && said.GetString() == code)));

    /// <summary>The grants that have an event of this kind and code in the audit trail.</summary>
    public async Task<IReadOnlySet<string>> GrantsWithAsync(string kind, string? code = null) => (await EventsAsync())
        .Where(leaf => leaf.GetProperty("activity_name").GetString() == kind
            && (code is null || leaf.TryGetProperty("status_code", out var said) && said.GetString() == code))
        .Select(leaf => leaf.GetProperty("unmapped").GetProperty("grant").GetString()!)
        .ToHashSet(StringComparer.Ordinal);

    /// <summary>Changes the database behind Postern's back; answers the number of rows.</summary>
    public int Edit(string sql, params (string Name, object Value)[] parameters)
    {
        using var connection = Open();
        using var command = Command(connection, sql, parameters);
        return command.ExecuteNonQuery();
    }

    /// <summary>The first value of a query.</summary>
    public object? Read(string sql, params (string Name, object Value)[] parameters)
    {
        using var connection = Open();
        using var command = Command(connection, sql, parameters);
        return command.ExecuteScalar() is { } value and not DBNull ? value : null;
    }

    /// <summary>The first column of a query, as texts.</summary>
    public IReadOnlyList<string> Column(string sql)
    {
        using var connection = Open();
        using var command = Command(connection, sql, []);
        using var reader = command.ExecuteReader();
        var values = new List<string>();
        while (reader.Read())
            values.Add(reader.GetString(0));
        return values;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in all)
            process.Dispose();
        KeepOutputs();
        Sandbox.Dispose();
        await Database.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    // For whoever asks afterwards why a test failed.
    private void KeepOutputs()
    {
        var test = string.Concat((TestContext.Current.TestCase?.TestCaseDisplayName ?? "unknown").Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-'));
        var place = Checkout.Path($"artifacts/test-logs/cluster/{test}");
        if (Directory.Exists(place))
            Directory.Delete(place, recursive: true);
        Directory.CreateDirectory(place);
        File.WriteAllLines(Path.Combine(place, "notes.log"), notes);
        foreach (var (index, process) in all.Index())
            File.WriteAllLines(Path.Combine(place, $"{index:00}-{process.Name.Replace(' ', '-')}.log"), process.Lines);
    }

    private string SecretsFile => Path.Combine(SandboxFolder, "secrets.txt");

    private string SandboxFolder => Path.Combine(folder, "sandbox");

    private async Task StartSandboxAsync(IReadOnlyList<Crowd.Member> people, TimeSpan grace, string[] withoutIss)
    {
        var additions = new JsonObject
        {
            ["clients"] = new JsonArray(
                Client("workspace", "postern", "/oauth/callback"),
                Client("generic", "postern", "/oauth/callback"),
                Client("generic", "postern", "/oauth/callback/archive"),
                Client("corp", "postern-portal", "/sign-in/callback")),
            ["secretsFile"] = SecretsFile,
            ["withoutIss"] = new JsonArray([.. withoutIss.Select(issuer => JsonValue.Create(issuer))]),
            ["users"] = new JsonArray([.. people.Select(member => new JsonObject
            {
                ["id"] = member.Name,
                ["email"] = member.Name + "@skyline.example",
                ["name"] = member.Name,
                ["states"] = new JsonArray(member.State),
                ["admin"] = false,
            })]),
        };
        Directory.CreateDirectory(SandboxFolder);
        var file = Path.Combine(folder, "sandbox.json");
        await File.WriteAllTextAsync(file, additions.ToJsonString(), Suite.Token);
        var process = Keep(ChildProcess.DotNet(
            "sandbox", Checkout.Assembly("Postern.Sandbox", "postern-sandbox"),
            new Dictionary<string, string> { ["POSTERN_SANDBOX_DATA"] = Checkout.Path("web/node_modules/vega-datasets/data") },
            "serve", "--port", sandboxPort.ToString(CultureInfo.InvariantCulture), "--config", file, "--data", SandboxFolder,
            "--max-engines", people.Count == 0 ? "6" : "32", "--grace-seconds", grace.TotalSeconds.ToString(CultureInfo.InvariantCulture)));
        await process.SaysAsync("Sandbox ready");
    }

    private JsonObject Client(string issuer, string id, string callback) => new()
    {
        ["issuer"] = issuer,
        ["id"] = id,
        ["redirectUris"] = new JsonArray(new Uri(PublicOrigin, callback).AbsoluteUri),
    };

    private ChildProcess BeginWith(string? build, params string[] arguments) => Keep(ChildProcess.DotNet(
        "postern " + arguments[0], PosternIn(build), new Dictionary<string, string>(), [.. arguments, "--config", ConfigFile]));

    private static async Task<(int ExitCode, string Output)> EndedAsync(ChildProcess process)
    {
        var code = await process.EndedAsync(TimeSpan.FromSeconds(60));
        return (code, string.Join('\n', process.Lines));
    }

    private static string PosternIn(string? build) => build is null ? PosternAssembly : Path.Combine(build, "postern.dll");

    private ChildProcess Keep(ChildProcess process)
    {
        all.Add(process);
        return process;
    }

    private DbConnection Open()
    {
        var connection = Database.Connect();
        connection.Open();
        return connection;
    }

#pragma warning disable CA2100 // The SQL is the test's own.
    private static DbCommand Command(DbConnection connection, string sql, (string Name, object Value)[] parameters)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in parameters)
        {
            var parameter = command.CreateParameter();
            (parameter.ParameterName, parameter.Value) = (name, value);
            command.Parameters.Add(parameter);
        }
        return command;
    }
#pragma warning restore CA2100
}
