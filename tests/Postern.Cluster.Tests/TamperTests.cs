using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;

namespace Postern.Cluster.Tests;

/// <summary>Whoever can write to the database gets no token, no session, and leaves a trace.</summary>
public sealed class TamperTests
{
    // The next place of the feed, as a commit takes it.
    private const string TellOfLakehouse =
        """
        UPDATE counters SET counted = counted + 1 WHERE name = 'feed';
        INSERT INTO changes (id, at, kind, tenant, entity_key) SELECT counted, 0, 3, 'skyline', 'connection/lakehouse' FROM counters WHERE name = 'feed';
        """;

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
        deployment.Edit(TellOfLakehouse);
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
            "absolute_expires_at = absolute_expires_at + 1", "idle_expires_at = idle_expires_at + 1", "origin = 'http://elsewhere.example'",
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
    public async Task EmbedCode_InsertedOrMovedToAnotherPerson_OpensNoFrame()
    {
        await using var deployment = await Deployment.StartAsync();
        using var ana = new Person(deployment, "ana");
        await ana.EmbedAsync();
        var (code, nonce) = (Secret(), Secret());
        // A row like a true one, with a code and a challenge of the thief's own.
        Assert.Equal(1, deployment.Edit(
            """
            INSERT INTO embed_codes (code_hash, tenant, subject_authority, subject_id, embed_key, attributes, workbook, origin, challenge, created_at, expires_at, mac)
            SELECT @code, tenant, subject_authority, 'portal-ben', embed_key, attributes, workbook, origin, @challenge, created_at, expires_at + 600000,
                (SELECT mac FROM sessions LIMIT 1)
            FROM embed_codes
            """,
            ("@code", Convert.ToHexStringLower(Hash(code))), ("@challenge", Base64Url.EncodeToString(Hash(nonce)))));

        using var thief = new Person(deployment, "ben");
        using var refused = await thief.Browser.CallAsync(
            HttpMethod.Post, thief.At("/embed/sessions"), new JsonObject { ["code"] = code, ["nonce"] = nonce });

        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.Equal(1L, deployment.Read("SELECT count(*) FROM sessions"));
        await deployment.HasEventAsync("RowTampered");
        await deployment.HasEventAsync("FrameRefused", "tampered");
    }

    [Theory]
    [InlineData("subject_id = 'portal-ben'")]
    [InlineData("session_hash = printf('%064d', 1)")]
    [InlineData("attributes = replace(attributes, 'ana@', 'ben@')")]
    [InlineData("connection = 'archive'")]
    [InlineData("redirect_uri = 'http://elsewhere.example/oauth/callback'")]
    [InlineData("host_origin = 'http://elsewhere.example'")]
    public async Task PendingConnect_EditedWhileThePersonConsents_SendsNoCodeAndStoresNothing(string edit)
    {
        await using var deployment = await Deployment.StartAsync();
        using var ana = new Person(deployment, "ana");
        await ana.EmbedAsync();
        var consented = await ana.ConsentAsync();
        Assert.Equal(1, deployment.Edit($"UPDATE pending_connects SET {edit}"));
        await deployment.Sandbox.ClearLogAsync();

        var page = await ana.CallbackAsync(consented);

        Assert.NotEqual("ready", page.Outcome);
        Assert.Empty(await deployment.Sandbox.TokenRequestsAsync());
        Assert.Equal(0L, deployment.Read("SELECT count(*) FROM grants"));
        await deployment.HasEventAsync("RowTampered");
    }

    [Fact]
    public async Task Grant_RevokedAndMadeActiveAgain_RunsNothing()
    {
        await using var deployment = await Deployment.StartAsync();
        using var ana = new Person(deployment, "ana");
        await ana.SignInAsync();
        await ana.ConnectAsync();
        const string sql = "SELECT count(*) AS flights FROM flights";
        using (var allowed = await ana.SqlAsync(sql))
            Assert.True(allowed.IsSuccessStatusCode, await allowed.Content.ReadAsStringAsync(Suite.Token));
        deployment.Edit("CREATE TABLE copied AS SELECT * FROM grants");
        var grant = Assert.Single(await ana.GrantsAsync()).GetProperty("id").GetString();
        using (var revoked = await ana.Browser.CallAsync(HttpMethod.Delete, ana.At("/api/grants/" + grant)))
            Assert.True(revoked.IsSuccessStatusCode, await revoked.Content.ReadAsStringAsync(Suite.Token));
        await deployment.Sandbox.ClearLogAsync();
        Assert.Equal(1, deployment.Edit(
            """
            UPDATE grants SET state = 1, reason = 0, active_slot = copied.active_slot, access_sealed = copied.access_sealed,
                refresh_sealed = copied.refresh_sealed FROM copied
            """));

        using (var refused = await ana.SqlAsync(sql))
            Assert.Equal((409, "changed"), await StatusAndReasonAsync(refused));
        Assert.Empty(await deployment.Sandbox.StatementsAsync());
        await deployment.HasEventAsync("RowTampered");
        await deployment.AssertAuditVerifiesAsync();

        // Put back whole, with its MAC: the row fits, and the log does not.
        deployment.Edit("DELETE FROM grants; INSERT INTO grants SELECT * FROM copied");
        var (code, output) = await deployment.RunAsync("audit", "verify");
        Assert.True(code == 1 && output.Contains("grant/" + grant, StringComparison.Ordinal), output);
    }

    [Fact]
    public async Task Session_EndTakenBack_IsNoSession()
    {
        await using var deployment = await Deployment.StartAsync();
        using var ana = new Person(deployment, "ana");
        await ana.SignInAsync();
        var cookie = ana.Browser.Cookie("localhost", "__Host-postern")!;
        using (var signedOut = await ana.Browser.CallAsync(HttpMethod.Post, ana.At("/sign-out")))
            Assert.True((int)signedOut.StatusCode < 400, await signedOut.Content.ReadAsStringAsync(Suite.Token));
        Assert.Equal(1, deployment.Edit("UPDATE sessions SET ended_at = NULL WHERE ended_at IS NOT NULL"));

        ana.Browser.SetCookie("localhost", "__Host-postern", cookie);
        using var refused = await ana.Browser.CallAsync(HttpMethod.Get, ana.At("/api/session"));

        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        await deployment.HasEventAsync("SessionRefused");
    }

    [Fact]
    public async Task Definition_OlderRevisionPutBack_IsNotUsedAndFailsVerification()
    {
        await using var deployment = await Deployment.StartAsync();
        await Deployment.StopAsync(deployment.Node);
        deployment.WriteConfig(tenant => tenant["Connections"]!["lakehouse"]!["DisplayName"] = "Renamed");
        await deployment.StartNodeAsync();
        using var ana = new Person(deployment, "ana");
        await ana.EmbedAndConnectAsync();
        await ana.FlightsAsync();

        const string lakehouse = "kind = 2 AND name = 'lakehouse'";
        deployment.Edit(
            $"""
            DELETE FROM definitions WHERE {lakehouse} AND revision = 2;
            UPDATE definitions SET current_name = 'skyline/connection/lakehouse', superseded_at = NULL WHERE {lakehouse};
            {TellOfLakehouse}
            """);
        await Suite.UntilAsync("the older revision is refused", TimeSpan.FromSeconds(10), async () =>
        {
            using var refused = await ana.QueryAsync();
            return !refused.IsSuccessStatusCode && (await Problem.ReadAsync(refused)).Code == "definition-tampered";
        });
        await deployment.HasEventAsync("RowTampered", "older-revision");
        var (code, output) = await deployment.RunAsync("audit", "verify");
        Assert.True(code == 1 && output.Contains("connection/lakehouse is in force at revision 1", StringComparison.Ordinal), output);
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

    private static string Secret() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    private static byte[] Hash(string secret) => SHA256.HashData(Encoding.ASCII.GetBytes(secret));

    private static async Task<(int Status, string? Reason)> StatusAndReasonAsync(HttpResponseMessage response)
    {
        var problem = await Problem.ReadAsync(response);
        return (problem.Status, problem.Reason);
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
