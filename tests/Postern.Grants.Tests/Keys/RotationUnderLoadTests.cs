using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Tests.Keys;

/// <summary>
/// Tenant keys and the root key are rotated by processes that are killed again and again, while two nodes in this one query, renew and
/// sign in without a refusal. Afterwards everything is under the new keys, and what everybody had is what they have.
/// </summary>
public abstract class RotationUnderLoadTests<TDatabase> where TDatabase : ITestDatabase
{
    private const int RowsOfATenant = 200;
    private const int Users = 8;

    protected static bool Full { get; } = Environment.GetEnvironmentVariable("POSTERN_TEST_FULL") == "1";

    protected virtual int Tenants => 20;

    protected virtual int Kills => Full ? 20 : 4;

    // Nodes hear of a new key within a second here, and a renewal takes milliseconds.
    private static string Settle => Full ? "90" : "5";

    [Fact]
    public async Task Rotation_OfEveryKeyUnderLoadKilledAgainAndAgain_FailsNoRequestAndLosesNothing()
    {
        var seed = Environment.TickCount;
        Say($"seed {seed}");
        var random = new Random(seed);
        await using var rig = await Rig.StartAsync(database: await TDatabase.CreateMigratedAsync(), live: true);
        var written = Stopwatch.StartNew();
        var population = await Population.WriteAsync(rig, Tenants, RowsOfATenant);
        Say($"{Tenants} tenants, {Tenants * RowsOfATenant} rows written in {written.Elapsed.TotalSeconds:0} s");
        var before = await KeysAsync(rig);
        var verb = new VaultVerb(rig);
        await using var load = await Load.StartAsync(rig, population, Users);
        await load.HasDoneAsync(200);
        var quiet = load.Take();

        var killed = 0;
        var rotating = Stopwatch.StartNew();
        for (var run = 0; killed < Kills; run++)
        {
            string[] arguments = run % 4 == 3 ? ["rotate-root", "--rate", "100000", "--settle", "1"] : ["rotate", "--all", "--rate", "100000", "--settle", Settle];
            killed += await verb.KillAsync(TimeSpan.FromSeconds(1.2 + random.NextDouble() * (Full ? 10 : 2)), arguments) ? 1 : 0;
        }
        Say($"{killed} kills in {rotating.Elapsed.TotalSeconds:0} s");
        Assert.Equal(Kills, killed);
        var last = Stopwatch.StartNew();
        var (code, output) = await verb.RunAsync("rotate", "--all", "--rate", "100000", "--settle", Settle, "--json");
        Say($"last rotate: {last.Elapsed.TotalSeconds:0} s, {JsonNode.Parse(output)!.AsArray().Sum(report => (long)report!["moved"]!)} rows moved");
        Assert.True(code == 0, output);
        var whole = Stopwatch.StartNew();
        if (Full)
        {
            (code, output) = await verb.RunAsync("rotate", "--all", "--rate", "100000", "--settle", Settle, "--json");
            Assert.True(code == 0, output);
            var moved = JsonNode.Parse(output)!.AsArray().Sum(report => (long)report!["moved"]!);
            Say($"a whole rotation: {moved} rows in {whole.Elapsed.TotalSeconds:0} s, of which {Settle} s settling");
        }
        whole.Restart();
        (code, output) = await verb.RunAsync("rotate-root", "--rate", "100000", "--settle", Settle);
        Assert.True(code == 0, output);
        Say($"root: {output.Trim()} {whole.Elapsed.TotalSeconds:0} s");
        var busy = load.Take();
        await load.StopAsync();

        Say($"before: {quiet}; during: {busy}");
        Assert.Empty(load.Failed);
        Assert.Equal(0, rig.Authority.Reuses);
        var after = await KeysAsync(rig);
        Assert.Equal(before.Count, after.Count);
        Assert.Empty(before.Select(key => key.Version).Intersect(after.Select(key => key.Version)));
        Assert.Empty(before.Select(key => key.RootKeyId).Intersect(after.Select(key => key.RootKeyId)));
        Assert.Single(after.Select(key => key.RootKeyId).Distinct());
        whole.Restart();
        (code, output) = await verb.RunAsync("verify", "--json");
        Assert.True(code == 0, output);
        var inventory = JsonNode.Parse(output)!.AsArray();
        Say($"verify: {inventory.Sum(one => Readable(one!, null))} values in {whole.Elapsed.TotalSeconds:0} s");
        Assert.All(inventory, one => Assert.Single(one!["versions"]!.AsArray()));
        Assert.Equal(Tenants, inventory.Count(one => Readable(one!, "token.refresh") == RowsOfATenant - Population.Definitions - Population.Sessions + load.GrantsOf((string)one!["tenant"]!["value"]!)));
        await load.AssertTokensAsync();
    }

    private static long Readable(JsonNode tenant, string? kind) => tenant["kinds"]!.AsArray()
        .Where(one => kind is null || (string)one!["kind"]! == kind).Sum(one => (long)one!["readable"]!);

    private static async Task<IReadOnlyList<WrappedKey>> KeysAsync(Rig rig) =>
        [.. (await rig.One.Store.Keys.AllAsync(Rig.Cancellation)).Where(key => key.Tenant.Value.StartsWith("tenant", StringComparison.Ordinal))];

    private static void Say(FormattableString what) => TestContext.Current.SendDiagnosticMessage(what.ToString(CultureInfo.InvariantCulture));
}

/// <summary>At full size here: 200,000 rows of 1,000 tenants with <c>POSTERN_TEST_FULL=1</c>, 20,000 otherwise.</summary>
public sealed class RotationUnderLoadTestsOnPostgreSql : RotationUnderLoadTests<PostgreSql>
{
    protected override int Tenants => Full ? 1_000 : 100;

    protected override int Kills => 20;
}

public sealed class RotationUnderLoadTestsOnMariaDb : RotationUnderLoadTests<MariaDb>;

public sealed class RotationUnderLoadTestsOnSqlite : RotationUnderLoadTests<Sqlite>;
