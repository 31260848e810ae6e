using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using static Postern.Sandbox.Tests.Platform.PlatformServer;

namespace Postern.Sandbox.Tests.Platform;

[Collection(nameof(PlatformCollection))]
public sealed class StatementsApiTests(PlatformServer server)
{
    /// <summary>Runs for minutes unless stopped.</summary>
    private const string Endless = "SELECT count(*) FROM flights a, flights b WHERE a.delay + b.delay = 17.5";

    [Fact]
    public async Task Token_ThatIsDead_Gets403WithANumber()
    {
        using var response = await server.PostAsync("expired", new() { ["statement"] = "SELECT 1" });
        Assert.Equal(403, (int)response.StatusCode);
        Assert.Equal("""{"error_code":403,"message":"Invalid access token."}""", await response.Content.ReadAsStringAsync());
        Assert.Equal("Invalid access token.", response.Headers.GetValues("x-databricks-reason-phrase").Single());
        Assert.Equal("databricks", response.Headers.GetValues("Server").Single());
        Assert.True(response.Headers.Contains("x-request-id"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("Basic YTpi")]
    [InlineData("Bearer ")]
    public async Task Credential_ThatIsMissingOrOfAnotherKind_Gets401WithAChallenge(string? authorization)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/2.0/sql/statements/x");
        if (authorization is not null)
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        using var response = await server.Http.SendAsync(request);
        Assert.Equal(401, (int)response.StatusCode);
        Assert.Contains("\"error_code\":401", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal("Bearer realm=\"DatabricksRealm\"", response.Headers.WwwAuthenticate.ToString());
    }

    [Fact]
    public async Task Token_WithoutASqlScope_GetsPermissionDenied()
    {
        using var response = await server.PostAsync("no-scope", new() { ["statement"] = "SELECT 1" });
        Assert.Equal(403, (int)response.StatusCode);
        Assert.Contains("\"error_code\":\"PERMISSION_DENIED\"", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"statement":"SELECT 1","warehouse_id":"other"}""")]
    [InlineData("""{"warehouse_id":"demo0000warehouse"}""")]
    [InlineData("""{"statement":"SELECT 1"}""")]
    [InlineData("""{"statement":7,"warehouse_id":"demo0000warehouse"}""")]
    [InlineData("""{"statement":"SELECT 1","warehouse_id":"demo0000warehouse","wait_timeout":"4s"}""")]
    [InlineData("""{"statement":"SELECT 1","warehouse_id":"demo0000warehouse","wait_timeout":"51s"}""")]
    [InlineData("""{"statement":"SELECT 1","warehouse_id":"demo0000warehouse","wait_timeout":"10"}""")]
    [InlineData("""{"statement":"SELECT 1","warehouse_id":"demo0000warehouse","wait_timeout":"0s","on_wait_timeout":"CANCEL"}""")]
    [InlineData("""{"statement":"SELECT 1","warehouse_id":"demo0000warehouse","disposition":"MAGIC"}""")]
    [InlineData("""{"statement":"SELECT 1","warehouse_id":"demo0000warehouse","format":"ARROW_STREAM"}""")]
    [InlineData("""{"statement":"SELECT 1","warehouse_id":"demo0000warehouse","row_limit":0}""")]
    [InlineData("""{"statement":"SELECT 1","warehouse_id":"demo0000warehouse","row_limit":"many"}""")]
    [InlineData("""{"statement":"SELECT 1","warehouse_id":"demo0000warehouse","catalog":"other"}""")]
    [InlineData("""{"statement":"SELECT :a","warehouse_id":"demo0000warehouse","parameters":[{"name":"a","value":"x","type":"INT"}]}""")]
    [InlineData("""{"statement":"SELECT :a","warehouse_id":"demo0000warehouse","parameters":[{"name":"a","value":"x","type":"ARRAY<INT>"}]}""")]
    [InlineData("""{"statement":"SELECT :a","warehouse_id":"demo0000warehouse","parameters":[{"name":"a","value":1}]}""")]
    [InlineData("""{"statement":"SELECT :a","warehouse_id":"demo0000warehouse","parameters":[{"ordinal":1,"value":"1"}]}""")]
    [InlineData("""{"statement":"SELECT :a","warehouse_id":"demo0000warehouse","parameters":[{"name":"a"},{"name":"a"}]}""")]
    public async Task Field_WithAWrongValue_IsRefusedAsRequest(string body)
    {
        using var response = await server.SendAsync(HttpMethod.Post, "/api/2.0/sql/statements", "ana", JsonNode.Parse(body));
        Assert.Equal(400, (int)response.StatusCode);
        Assert.Equal("INVALID_PARAMETER_VALUE", (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error_code").GetString());
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("")]
    public async Task Body_ThatIsNoObject_IsMalformed(string body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/2.0/sql/statements/") { Content = new StringContent(body) };
        request.Headers.Authorization = new("Bearer", "ana");
        using var response = await server.Http.SendAsync(request);
        Assert.Equal(400, (int)response.StatusCode);
        Assert.Contains("MALFORMED_REQUEST", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("SELEC 1", "UNSUPPORTED_FEATURE", "0A000")]
    [InlineData("SELECT FROM WHERE", "PARSE_SYNTAX_ERROR", "42601")]
    [InlineData("SELECT * FROM nowhere", "TABLE_OR_VIEW_NOT_FOUND", "42P01")]
    [InlineData("SELECT nothing FROM flights", "UNRESOLVED_COLUMN", "42703")]
    [InlineData("SELECT no_such(1)", "UNRESOLVED_ROUTINE", "42883")]
    [InlineData("SELECT CAST('x' AS INT)", "CAST_INVALID_INPUT", "22018")]
    [InlineData("SELECT origin, count(*) FROM flights", "MISSING_AGGREGATION", "42803")]
    [InlineData("SELECT :unbound", "UNBOUND_SQL_PARAMETER", "42P02")]
    public async Task Sql_ThatIsWrong_FailsInsideA200(string sql, string condition, string sqlState)
    {
        var reply = await server.ExecuteAsync("ana", sql);
        Assert.Equal("FAILED", State(reply));
        Assert.Equal("BAD_REQUEST", reply.GetProperty("status").GetProperty("error").GetProperty("error_code").GetString());
        Assert.StartsWith($"[{condition}", Message(reply), StringComparison.Ordinal);
        Assert.EndsWith($"SQLSTATE: {sqlState}", Message(reply), StringComparison.Ordinal);
        Assert.Equal(sqlState, reply.GetProperty("status").GetProperty("sql_state").GetString());
    }

    [Fact]
    public async Task Statement_Unknown_Is404()
    {
        using var response = await server.SendAsync(HttpMethod.Get, "/api/2.0/sql/statements/01f0aa11-2222-1333-8444-555566667777", "ana");
        Assert.Equal(404, (int)response.StatusCode);
    }

    [Fact]
    public async Task Statement_WithoutWait_IsPendingOrRunningAndThenCanceled()
    {
        using var response = await server.PostAsync("ana", new() { ["statement"] = Endless, ["wait_timeout"] = "0s" });
        var reply = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Contains(State(reply), (string[])["PENDING", "RUNNING"]);
        Assert.False(reply.TryGetProperty("manifest", out _));

        using var cancel = await server.SendAsync(HttpMethod.Post, $"/api/2.0/sql/statements/{Id(reply)}/cancel", "ana");
        Assert.Equal("{}", await cancel.Content.ReadAsStringAsync());
        var ended = await UntilAsync(() => server.PollAsync("ana", Id(reply)), poll => State(poll) is not ("PENDING" or "RUNNING"));
        Assert.Equal("CANCELED", State(ended));
        Assert.Equal("370248", (await server.RowsAsync("ana", "SELECT count(*) FROM flights"))[0][0]);
    }

    [Fact]
    public async Task Statement_ThatOutlivesItsWait_ContinuesOrIsCanceledAsAsked()
    {
        async Task<JsonElement> RunAsync(string then)
        {
            using var response = await server.PostAsync("ana", new() { ["statement"] = Endless, ["wait_timeout"] = "5s", ["on_wait_timeout"] = then });
            return await response.Content.ReadFromJsonAsync<JsonElement>();
        }

        var replies = await Task.WhenAll(RunAsync("CONTINUE"), RunAsync("CANCEL"));
        Assert.Equal(["RUNNING", "CANCELED"], replies.Select(State));
        using var delete = await server.SendAsync(HttpMethod.Delete, $"/api/2.0/sql/statements/{Id(replies[0])}", "ana");
        Assert.Equal(200, (int)delete.StatusCode);
        using var gone = await server.SendAsync(HttpMethod.Get, $"/api/2.0/sql/statements/{Id(replies[0])}", "ana");
        Assert.Equal(404, (int)gone.StatusCode);
    }

    [Fact]
    public async Task Statement_WhoseClientLeaves_RunsToItsEnd()
    {
        const string sql = "SELECT count(*) AS the_client_leaves FROM flights a JOIN flights b USING (origin, destination, date)";
        using var left = new CancellationTokenSource();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/2.0/sql/statements")
        {
            Content = JsonContent.Create(new { statement = sql, warehouse_id = Warehouse, wait_timeout = "50s" }),
        };
        request.Headers.Authorization = new("Bearer", "chloe");
        var sending = server.Http.SendAsync(request, left.Token);
        await UntilAsync(() => Task.FromResult(server.Log.Entries), log => log.Any(entry => entry.Sql == sql));
        await left.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
        await UntilAsync(() => Task.FromResult(server.Log.Entries), log => log.Any(entry => entry.Sql == sql && entry.State == "SUCCEEDED"));
    }

    [Fact]
    public async Task Response_LostAfterAcceptance_LeavesAStatementThatRanOnce()
    {
        const string sql = "SELECT 'lost after commit'";
        server.Faults.DropOnce("statement", "after");
        await Assert.ThrowsAsync<HttpRequestException>(() => server.PostAsync("ana", new() { ["statement"] = sql }));
        Assert.Equal(["PENDING", "SUCCEEDED"], server.Log.Entries.Where(entry => entry.Sql == sql).Select(entry => entry.State));
    }

    [Fact]
    public async Task Request_DroppedBefore_RunsNothing()
    {
        const string sql = "SELECT 'dropped before'";
        server.Faults.DropOnce("statement", "before");
        await Assert.ThrowsAsync<HttpRequestException>(() => server.PostAsync("ana", new() { ["statement"] = sql }));
        Assert.DoesNotContain(server.Log.Entries, entry => entry.Sql == sql);
    }

    [Fact]
    public async Task Statement_PastItsRetention_IsForgotten()
    {
        await using var other = new PlatformServer { Options = new() { Retention = TimeSpan.FromHours(12) } };
        await other.InitializeAsync();
        var id = Id(await other.ExecuteAsync("ana", "SELECT 1"));
        other.Time.Advance(TimeSpan.FromHours(13));
        await other.ExecuteAsync("ana", "SELECT 2");
        using var response = await other.SendAsync(HttpMethod.Get, $"/api/2.0/sql/statements/{id}", "ana");
        Assert.Equal(404, (int)response.StatusCode);
    }

    [Fact]
    public async Task Queue_ThatIsFull_Answers429AndPendingOnesCanBeCanceled()
    {
        await using var other = new PlatformServer { Options = new() { MaxRunning = 1, MaxWaiting = 1, StatementTimeout = TimeSpan.FromSeconds(100) } };
        await other.InitializeAsync();
        JsonObject Body() => new() { ["statement"] = Endless, ["wait_timeout"] = "0s" };
        using var running = await other.PostAsync("ana", Body());
        using var waiting = await other.PostAsync("ana", Body());
        using var refused = await other.PostAsync("ana", Body());
        Assert.Equal(429, (int)refused.StatusCode);
        Assert.Contains("RESOURCE_EXHAUSTED", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal("1", refused.Headers.RetryAfter!.ToString());

        var second = Id(await waiting.Content.ReadFromJsonAsync<JsonElement>());
        using var cancel = await other.SendAsync(HttpMethod.Post, $"/api/2.0/sql/statements/{second}/cancel", "ana");
        await UntilAsync(() => other.PollAsync("ana", second), poll => State(poll) == "CANCELED");
    }

    [Fact]
    public async Task Statement_ThatRunsTooLong_FailsWithDeadlineExceeded()
    {
        await using var other = new PlatformServer { Options = new() { StatementTimeout = TimeSpan.FromMilliseconds(500) } };
        await other.InitializeAsync();
        var reply = await other.ExecuteAsync("ana", Endless);
        Assert.Equal("FAILED", State(reply));
        Assert.Equal("DEADLINE_EXCEEDED", reply.GetProperty("status").GetProperty("error").GetProperty("error_code").GetString());
    }

    [Fact]
    public async Task Engines_MoreThanAllowed_AreClosedAndComeBack()
    {
        await using var other = new PlatformServer { Options = new() { MaxEngines = 1 } };
        await other.InitializeAsync();
        for (var round = 0; round < 2; round++)
        {
            Assert.Equal("370248", (await other.RowsAsync("ana", "SELECT count(*) FROM flights"))[0][0]);
            Assert.Equal("355905", (await other.RowsAsync("ben", "SELECT count(*) FROM flights"))[0][0]);
        }
    }

    [Fact]
    public async Task Me_OfAPerson_IsTheirScimUser()
    {
        using var response = await server.SendAsync(HttpMethod.Get, "/api/2.0/preview/scim/v2/Me", "no-scope");
        var me = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal("ana@skyline.example", me.GetProperty("userName").GetString());
        Assert.Equal("Ana Ortega", me.GetProperty("displayName").GetString());
        Assert.Equal("ana@skyline.example", me.GetProperty("emails")[0].GetProperty("value").GetString());
        using var dead = await server.SendAsync(HttpMethod.Get, "/api/2.0/preview/scim/v2/Me", "expired");
        Assert.Equal(403, (int)dead.StatusCode);
    }

    [Fact]
    public async Task Me_OfAService_HasNoEmail()
    {
        using var response = await server.SendAsync(HttpMethod.Get, "/api/2.0/preview/scim/v2/Me", "service");
        var me = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal("postern-service", me.GetProperty("userName").GetString());
        Assert.False(me.TryGetProperty("emails", out _));
    }

    [Fact]
    public void Data_ThatIsMissing_SaysWhatToRun()
    {
        var builder = Microsoft.AspNetCore.Builder.WebApplication.CreateSlimBuilder();
        Postern.Sandbox.Platform.PlatformEndpoints.AddPlatform(builder.Services, new() { DataDirectory = Path.Combine(Path.GetTempPath(), "no-such-folder") });
        var app = builder.Build();
        var error = Assert.Throws<InvalidOperationException>(() => Postern.Sandbox.Platform.PlatformEndpoints.MapPlatform(app));
        Assert.Contains("npm ci", error.Message, StringComparison.Ordinal);
    }

    private static async Task<T> UntilAsync<T>(Func<Task<T>> look, Func<T, bool> done)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            var seen = await look();
            if (done(seen))
                return seen;
            await Task.Delay(20, patience.Token);
        }
    }
}
