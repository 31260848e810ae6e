using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;
using Postern.Store;

namespace Postern.Cluster.Tests;

/// <summary>
/// A system under load and in trouble, through whose hands thousands of known tokens go: none of them is afterwards in a dump of the
/// database, its files and its log of writes, temporary files, spools, exports, outputs, telemetry, process environments, or anything that a browser got.
/// </summary>
public sealed class PlantedTokenTests
{
    private const int People = 40;
    private const string Browser = "the browser of person";
    private const string Marker = "planted-subject-";

    // Somebody in a hurry turned everything on; what is pinned must stay off all the same.
    private static readonly string[] Verbose =
    [
        "Default", "Postern", "Microsoft", "Microsoft.AspNetCore", "Microsoft.AspNetCore.Hosting.Diagnostics", "Microsoft.AspNetCore.HttpLogging",
        "Microsoft.AspNetCore.Routing", "System.Net.Http", "System.Net.Http.HttpClient", "Npgsql", "MySqlConnector",
    ];

    [Theory]
    [InlineData(StoreProvider.Sqlite)]
    [InlineData(StoreProvider.PostgreSql)]
    [InlineData(StoreProvider.MySql)]
    public async Task Load_OfThousandsOfTokens_LeavesNoneWhereItCanBeRead(StoreProvider store)
    {
        var planted = Suite.Full || store == StoreProvider.PostgreSql ? 5_000 : 1_000;
        await using var deployment = await Deployment.StartAsync(nodes: 0, store: store);
        using var collector = new Collector();
        deployment.WriteConfig(tenant => tenant.Root["Postern"]!["Node"] = new JsonObject
        {
            ["OtlpEndpoint"] = collector.Address.AbsoluteUri,
            ["SpoolDirectory"] = Path.Combine(deployment.Folder, "spool"),
        });
        deployment.Environment["TMPDIR"] = Directory.CreateDirectory(Path.Combine(deployment.Folder, "tmp")).FullName;
        deployment.Environment["OTEL_METRIC_EXPORT_INTERVAL"] = "1000";
        foreach (var category in Verbose)
            deployment.Environment["Logging__LogLevel__" + category] = "Trace";
        for (var index = 0; index < 2; index++)
            await deployment.StartNodeAsync(index);

        var people = Enumerable.Range(0, People).Select(index => Someone(deployment, index)).ToList();
        await Parallel.ForEachAsync(people.Index(), Four, async (one, _) => await one.Item.EmbedAndConnectAsync(deployment.Nodes[one.Index % 2]));
        for (var round = 0; deployment.IssuedSecrets.Count < planted; round++)
        {
            await deployment.Sandbox.ClearFaultsAsync();
            if (round % 3 == 0)
                await TroubleAsync(deployment, round / 3);
            await deployment.Sandbox.ExpireAccessTokensAsync("ana");
            await Parallel.ForEachAsync(people, Four, async (person, _) =>
            {
                using var answer = await person.QueryAsync(node: deployment.Nodes[round % 2]);
                // What was lost on the way has to be connected again; every other failure is over by the next round.
                if (!answer.IsSuccessStatusCode && (await Problem.ReadAsync(answer)).Type == "urn:postern:reconnect-required")
                    await person.ConnectAsync();
            });
        }
        await deployment.Sandbox.ClearFaultsAsync();
        var (revoked, said) = await deployment.RunAsync("grants", "revoke", "--tenant", "skyline", "--connection", "lakehouse");
        Assert.True(revoked == 0, said);
        var export = Path.Combine(deployment.Folder, "export.jsonl");
        await deployment.RunAsync("audit", "export", "--tenant", "skyline", "--output", export);
        await deployment.AssertAuditVerifiesAsync();

        var places = await PlacesAsync(deployment, collector, people);
        // A browser has cookies and handles of its own, and nobody else has.
        var (issued, handed) = (deployment.IssuedSecrets, people.SelectMany(person => person.Browser.Secrets.Where(secret => secret.Length >= 32)));
        var (anywhere, elsewhere) = (new LeakSearch(issued), new LeakSearch(issued.Concat(handed)));
        var leaks = places.SelectMany(place => (place.Place.StartsWith(Browser, StringComparison.Ordinal) ? anywhere : elsewhere)
            .Find(place.Content).Select(encoding => $"{encoding} in {place.Place}")).ToList();

        Assert.True(leaks.Count == 0, string.Join('\n', leaks));
    }

    private static ParallelOptions Four => new() { MaxDegreeOfParallelism = 4, CancellationToken = Suite.Token };

    /// <summary>Everybody is Ana at the platform, and a person of their own here.</summary>
    private static Person Someone(Deployment deployment, int index) =>
        new(deployment, "ana", new Actors.Browser { Received = new MemoryStream() }, Marker + index.ToString(CultureInfo.InvariantCulture));

    /// <summary>Answers that are late, lost, refused or not what was asked for; some repeat a living token in their words.</summary>
    private static async Task TroubleAsync(Deployment deployment, int round)
    {
        var token = deployment.IssuedSecrets.Last();
        await ((round % 7) switch
        {
            0 => deployment.Sandbox.FaultAsync("token", "status", status: 503, times: 2, body: $"<html>{token}</html>"),
            1 => deployment.Sandbox.FaultAsync("statement", "status", status: 400, times: 3, body: $$"""{"error_code":"INVALID_PARAMETER_VALUE","message":"not with Bearer {{token}}"}"""),
            2 => deployment.Sandbox.FaultAsync("token", "drop-before"),
            3 => deployment.Sandbox.FaultAsync("poll", "status", status: 500, times: 2, body: $"stack trace: Authorization: Bearer {token}"),
            4 => deployment.Sandbox.FaultAsync("token", "drop-after-commit"),
            5 => deployment.Sandbox.FaultAsync("token", "status", status: 400, body: $$"""{"error":"invalid_request","error_description":"{{token}} is not what I know"}"""),
            _ => deployment.Sandbox.FaultAsync("token", "status", status: 200, times: 2, body: $$"""{"access_token":"{{token}}","token_type":["not","a string"]}"""),
        });
    }

    /// <summary>Everything that was written or sent. In some of it the marker must be, or the search looked elsewhere.</summary>
    private static async Task<IReadOnlyList<(string Place, byte[] Content)>> PlacesAsync(Deployment deployment, Collector collector, IReadOnlyList<Person> people)
    {
        var places = new List<(string, byte[])>();
        foreach (var node in deployment.Nodes)
        {
            foreach (var file in new[] { "environ", "cmdline" })
                places.Add(($"{file} of {node.Name}", await File.ReadAllBytesAsync($"/proc/{node.Process.Id}/{file}", Suite.Token)));
        }
        await Suite.UntilAsync("telemetry arrived", TimeSpan.FromSeconds(10), () => Has(collector.Received, "postern.renewals"));
        places.Add(("telemetry", collector.Received));
        var dump = await deployment.Database.ContentAsync();
        places.AddRange(dump.Select(table => ($"the dump of {table.Place}", table.Content)));
        places.AddRange(deployment.Processes.Where(process => process.Name != "sandbox")
            .Select(process => ($"the output of {process.Name}", Encoding.UTF8.GetBytes(string.Join('\n', process.Lines)))));
        places.AddRange(people.Select((person, index) => ($"{Browser} {index}", ((MemoryStream)person.Browser.Received!).ToArray())));
        // With the nodes still running: their temporary files are there, and their last writes are in the logs.
        var files = Directory.EnumerateFiles(deployment.Database.Folder, "*", SearchOption.AllDirectories)
            .Concat(Directory.EnumerateFiles(deployment.Folder, "*", SearchOption.AllDirectories))
            .Where(file => !file.StartsWith(Path.Combine(deployment.Folder, "sandbox"), StringComparison.Ordinal) && !IsSpecial(file));
        foreach (var file in files)
            places.Add((file, await ReadAsync(file)));

        foreach (var part in new[] { "the dump", "the output", deployment.Database.Folder, Path.Combine(deployment.Folder, "export.jsonl") })
            Assert.True(places.Any(place => place.Item1.StartsWith(part, StringComparison.Ordinal) && Has(place.Item2, Marker)), $"{part} was not searched where it says who came.");
        return places;
    }

    private static bool Has(byte[] content, string text) => content.AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0;

    /// <summary>Sockets and pipes, which hold nothing and cannot be read to an end.</summary>
    private static bool IsSpecial(string file) => Path.GetFileName(file) is var name
        && (name.EndsWith("socket", StringComparison.Ordinal) || name.StartsWith(".s.", StringComparison.Ordinal) || name.StartsWith("clr-debug-pipe", StringComparison.Ordinal));

    private static async Task<byte[]> ReadAsync(string file)
    {
        try
        {
            await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var bytes = new MemoryStream();
            await stream.CopyToAsync(bytes, Suite.Token);
            return bytes.ToArray();
        }
        catch (FileNotFoundException)
        {
            // A file of work that ended meanwhile.
            return [];
        }
    }
}
