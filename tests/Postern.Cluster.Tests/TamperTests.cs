using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;

namespace Postern.Cluster.Tests;

/// <summary>Whoever can write to the database gets no token, no session, and leaves a trace.</summary>
public sealed class TamperTests
{
    [Fact]
    public async Task Connection_EndpointEditedWhileRunning_IsNotUsedUntilPutRight()
    {
        using var attacker = new Listening();
        await using var deployment = await Deployment.StartAsync();
        using var ana = new Person(deployment, "ana");
        await ana.EmbedAndConnectAsync();
        var anas = await ana.FlightsAsync();

        Redirect(deployment, "lakehouse", attacker.Authority);
        // The attacker also makes every node look at it now.
        deployment.Edit("INSERT INTO changes (at, kind, tenant, entity_key) VALUES (0, 3, 'skyline', 'connection/lakehouse')");
        await Suite.UntilAsync("the edited row is refused", TimeSpan.FromSeconds(10), async () =>
        {
            using var refused = await ana.QueryAsync();
            if (refused.IsSuccessStatusCode)
                return false;
            var problem = await Problem.ReadAsync(refused);
            Assert.Equal((503, "urn:postern:unavailable", "definition-tampered"), (problem.Status, problem.Type, problem.Code));
            Assert.DoesNotContain(attacker.Authority, problem.Text, StringComparison.Ordinal);
            return true;
        });
        await deployment.Node.Process.SaysAsync("RowTampered", TimeSpan.FromSeconds(10));
        using (var refused = await ana.Browser.CallAsync(HttpMethod.Post, ana.At("/api/connects"), new JsonObject { ["connection"] = "lakehouse" }))
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);

        // The configuration still says what is right: the next start writes it anew, and the grant works.
        await Deployment.StopAsync(deployment.Node);
        await deployment.StartNodeAsync();
        Assert.Equal(anas, await ana.FlightsAsync());
        await deployment.HasEventAsync("RowTampered");
        Assert.Equal(0, attacker.Accepted);
        await deployment.AssertAuditVerifiesAsync();
    }

    [Fact]
    public async Task Connection_EditedAndGoneFromTheConfiguration_GetsNoRenewalAndNoRevocation()
    {
        using var attacker = new Listening();
        await using var deployment = await Deployment.StartAsync();
        using var ana = new Person(deployment, "ana");
        await ana.SignInAsync();
        await ana.ConnectAsync("archive");
        await Deployment.StopAsync(deployment.Node);

        Redirect(deployment, "archive", attacker.Authority);
        deployment.WriteConfig(tenant => tenant["Connections"]!.AsObject().Remove("archive"));
        // Due at once, and as if it had been used just now.
        deployment.Edit("UPDATE grants SET renewal_due_at = 1, access_expires_at = 2, last_used_at = CAST(strftime('%s','now') AS INTEGER) * 1000");
        await deployment.Sandbox.ClearLogAsync();
        var node = await deployment.StartNodeAsync();
        await node.Process.SaysAsync("RowTampered");
        var grant = Assert.Single(await ana.GrantsAsync());
        using (var revoked = await ana.Browser.CallAsync(HttpMethod.Delete, ana.At("/api/grants/" + grant.GetProperty("id").GetString())))
            Assert.True(revoked.IsSuccessStatusCode, await revoked.Content.ReadAsStringAsync(Suite.Token));
        await node.Process.SaysAsync("ProviderRevocationFailed");

        Assert.Equal(0, attacker.Accepted);
        Assert.Empty(await deployment.Sandbox.TokenRequestsAsync());
        await deployment.HasEventAsync("RowTampered");
    }

    [Fact]
    public async Task Connection_IssuerEditedAfterTheMacWasMadeToFit_IsStoppedByTheDigest()
    {
        // What the MAC would say is tested above; here the sealed tokens speak for themselves: a connection that an administrator moves
        // to another client gets no old token.
        using var elsewhere = new Listening();
        await using var deployment = await Deployment.StartAsync();
        using var ana = new Person(deployment, "ana");
        await ana.EmbedAndConnectAsync();
        await Deployment.StopAsync(deployment.Node);
        deployment.WriteConfig(tenant => tenant["Connections"]!["lakehouse"]!["Endpoint"] = "http://" + elsewhere.Authority);
        await deployment.StartNodeAsync();

        using var refused = await ana.QueryAsync();
        var problem = await Problem.ReadAsync(refused);
        Assert.Equal((409, "urn:postern:reconnect-required", "changed"), (problem.Status, problem.Type, problem.Reason));
        Assert.Equal(0, elsewhere.Accepted);
        await deployment.HasEventAsync("RecordRefused");
    }

    [Fact]
    public async Task Session_RowEdited_IsNoSession()
    {
        await using var deployment = await Deployment.StartAsync();
        string[] edits =
        [
            "subject_id = 'portal-ben'", "attributes = replace(attributes, 'ana@', 'ben@')", "workbook = 'partner_delays'",
            "absolute_expires_at = absolute_expires_at + 1", "origin = 'http://elsewhere.example'",
        ];
        var refusals = 0;
        foreach (var edit in edits)
        {
            using var ana = new Person(deployment, "ana");
            await ana.EmbedAsync();
            Assert.Equal(1, deployment.Edit($"UPDATE sessions SET {edit} WHERE created_at = (SELECT max(created_at) FROM sessions)"));
            using var refused = await ana.Browser.CallAsync(HttpMethod.Get, ana.At("/api/session"));
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
            refusals++;
            await Suite.UntilAsync($"the refusal of {edit} is an event", TimeSpan.FromSeconds(10), () => deployment.Node.Process.Count("SessionRefused") == refusals);
        }

        // A frame's session made a portal's: its cookie under the other name, its row edited to fit.
        using var frame = new Person(deployment, "ana");
        using var thief = new Person(deployment, "ana");
        await frame.EmbedAsync();
        Assert.Equal(1, deployment.Edit("UPDATE sessions SET kind = 0, workbook = NULL WHERE created_at = (SELECT max(created_at) FROM sessions)"));
        thief.Browser.SetCookie("localhost", "__Host-postern", frame.Browser.Cookie("localhost", "__Host-postern-frame")!);
        using var portal = await thief.Browser.CallAsync(HttpMethod.Get, thief.At("/api/grants"));
        Assert.Equal(HttpStatusCode.Unauthorized, portal.StatusCode);
        await Suite.UntilAsync("and is an event", TimeSpan.FromSeconds(10), () => deployment.Node.Process.Count("SessionRefused") == refusals + 1);
    }

    [Theory]
    [InlineData("access_sealed")]
    [InlineData("refresh_sealed")]
    public async Task Grant_SealedTokenOfAnotherPersonCopiedIn_DoesNotOpen(string column)
    {
        await using var deployment = await Deployment.StartAsync();
        using var ana = new Person(deployment, "ana");
        using var ben = new Person(deployment, "ben");
        await ana.EmbedAndConnectAsync();
        await ben.EmbedAndConnectAsync();
        await Deployment.StopAsync(deployment.Node);
        Assert.Equal(1, deployment.Edit(
            $"UPDATE grants SET {column} = (SELECT {column} FROM grants WHERE subject_id = 'portal-ben') WHERE subject_id = 'portal-ana'"));
        await deployment.Sandbox.ExpireAccessTokensAsync("ana");
        await deployment.Sandbox.ClearLogAsync();
        await deployment.StartNodeAsync();

        using var refused = await ana.QueryAsync();
        var problem = await Problem.ReadAsync(refused);
        Assert.Equal((409, "changed"), (problem.Status, problem.Reason));
        Assert.DoesNotContain(await deployment.Sandbox.StatementsAsync(), statement => statement.User == "ben");
        Assert.Equal(0, await deployment.Sandbox.RefreshesAsync());
        Assert.True(await ben.FlightsAsync() > 0);
        await deployment.HasEventAsync("RecordRefused");
    }

    [Fact]
    public async Task Audit_LeafEdited_FailsVerification()
    {
        await using var deployment = await Deployment.StartAsync();
        using var ana = new Person(deployment, "ana");
        await ana.EmbedAndConnectAsync();
        await Deployment.StopAsync(deployment.Node);
        await deployment.AssertAuditVerifiesAsync();
        Assert.Equal(1, deployment.Edit(
            "UPDATE event_leaves SET bytes = CAST(replace(CAST(bytes AS TEXT), 'portal-ana', 'portal-eve') AS BLOB) WHERE id = (SELECT min(id) FROM event_leaves WHERE subject_id = 'portal-ana')"));

        var (code, output) = await deployment.RunAsync("audit", "verify");
        Assert.True(code == 1, output);
    }

    private static void Redirect(Deployment deployment, string connection, string authority)
    {
        var body = (string)deployment.Read(
            "SELECT body FROM definitions WHERE kind = 2 AND name = @name AND superseded_at IS NULL", ("@name", connection))!;
        var edited = body.Replace(deployment.SandboxAddress.Authority, authority, StringComparison.Ordinal);
        Assert.NotEqual(body, edited);
        Assert.Equal(1, deployment.Edit(
            "UPDATE definitions SET body = @body WHERE kind = 2 AND name = @name AND superseded_at IS NULL", ("@body", edited), ("@name", connection)));
    }

    /// <summary>Listens where the attacker would, and counts who comes.</summary>
    private sealed class Listening : IDisposable
    {
        private readonly TcpListener listener = new(IPAddress.Loopback, 0);
        private int accepted;

        public Listening()
        {
            listener.Start();
            Authority = listener.LocalEndpoint.ToString()!;
            _ = AcceptAsync();
        }

        public string Authority { get; }

        public int Accepted => Volatile.Read(ref accepted);

        public void Dispose() => listener.Dispose();

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                {
                    using var client = await listener.AcceptTcpClientAsync(CancellationToken.None);
                    Interlocked.Increment(ref accepted);
                }
            }
            catch (Exception stopped) when (stopped is SocketException or ObjectDisposedException)
            {
                // The test is over.
            }
        }
    }
}
