using Npgsql;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;
using Postern.Store;

namespace Postern.Cluster.Tests;

/// <summary>
/// A node that stands still (SIGSTOP) with a refresh token in its hands for longer than its claim holds, and goes on as if no time had
/// passed. The database is held at the very statement, so that the place is the same each time.
/// </summary>
public sealed class PausedNodeTests
{
    // Claims and sendings hold for 30 s.
    private static readonly TimeSpan Beyond = TimeSpan.FromSeconds(33);
    private const string Gate = "SELECT pg_advisory_lock(4711)";

    [Theory]
    // Before "sending" is written: the claim runs out, and the other node renews.
    [InlineData("CREATE TRIGGER held BEFORE UPDATE ON grants FOR EACH ROW WHEN (NEW.renewal_state = 2) EXECUTE FUNCTION held()", 1)]
    // At the commit of "sending": it stands, and the node learns of it when its time is over. Nobody may send the token any more.
    [InlineData("CREATE CONSTRAINT TRIGGER held AFTER UPDATE ON grants DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.renewal_state = 2) EXECUTE FUNCTION held()", 0)]
    public async Task Node_PausedBetweenClaimAndSend_SendsNothingWhenItGoesOn(string hold, int sentByTheOther)
    {
        await using var deployment = await Deployment.StartAsync(nodes: 2, store: StoreProvider.PostgreSql);
        using var ana = new Person(deployment, "ana");
        await ana.EmbedAndConnectAsync();
        await ana.FlightsAsync(node: deployment.Other);
        await deployment.Sandbox.ClearLogAsync();
        await deployment.Database.SqlAsync(
            "CREATE FUNCTION held() RETURNS trigger AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NEW; END $$ LANGUAGE plpgsql");
        await deployment.Database.SqlAsync(hold);
        await using var gate = new NpgsqlConnection(deployment.Database.Options.ConnectionString + ";Pooling=false");
        await gate.OpenAsync(Suite.Token);
        await using (var close = new NpgsqlCommand(Gate, gate))
            await close.ExecuteNonQueryAsync(Suite.Token);

        // Due at once; whichever node claims it comes to the gate, and is stopped there.
        deployment.Edit("UPDATE grants SET renewal_due_at = 1");
        await Suite.UntilAsync("a node stands at the gate", TimeSpan.FromSeconds(20), () =>
            (long)deployment.Read("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")! > 0);
        var holder = (string)deployment.Read("SELECT renewal_node FROM grants")!;
        var paused = deployment.Nodes.Single(node => node.Name == holder);
        var other = deployment.Nodes.Single(node => node.Name != holder);
        paused.Process.Pause();
        await gate.CloseAsync();
        await Task.Delay(Beyond, Suite.Token);

        if (sentByTheOther > 0)
            await Suite.UntilAsync("the other node renews", TimeSpan.FromSeconds(30), () => other.Process.Count("TokensRenewed") == 1);
        else
            await other.Process.SaysAsync("code=access-token-serves", TimeSpan.FromSeconds(30));
        paused.Process.Resume();
        // It is awake when it answers; by then it has long had its chance.
        await ana.FlightsAsync(node: other);
        await Suite.UntilAsync("the node answers again", TimeSpan.FromSeconds(30), async () =>
        {
            using var response = await ana.QueryAsync(node: paused);
            return response.IsSuccessStatusCode;
        });

        Assert.Equal(sentByTheOther, await deployment.Sandbox.RefreshesAsync());
        Assert.Equal(0, paused.Process.Count("TokensRenewed"));
        await deployment.AssertAuditVerifiesAsync();
    }
}
