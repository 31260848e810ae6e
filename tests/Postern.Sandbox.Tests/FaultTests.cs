using System.Diagnostics;
using System.Net;

namespace Postern.Sandbox.Tests;

public sealed class FaultTests : IAsyncLifetime
{
    private SandboxServer _server = null!;
    private OAuthClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await SandboxServer.StartAsync(new SandboxOptions { Port = 0 }, TestContext.Current.CancellationToken);
        _client = new OAuthClient(_server.Address, "workspace");
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task DropAfterCommit_AtTheTokenEndpoint_SpendsTheTokenAndAnswersNothing()
    {
        var minted = await MintAsync();
        await FaultAsync(new { where = "token", kind = "drop-after-commit" });

        await Assert.ThrowsAsync<HttpRequestException>(() => _client.RefreshAsync(minted.RefreshToken));

        var entry = Assert.Single(await LogAsync("tokenRequests"));
        Assert.Equal("ok", entry.GetProperty("outcome").GetString());
        Assert.Equal("drop-after-commit", entry.GetProperty("fault").GetString());
        Assert.NotEqual(entry.GetProperty("refreshFingerprint").GetString(), entry.GetProperty("issuedRefreshFingerprint").GetString());
        Assert.Equal("invalid_grant", (await _client.RefreshAsync(minted.RefreshToken)).Error);
    }

    [Fact]
    public async Task DropBefore_AtTheTokenEndpoint_LeavesTheTokenUnspent()
    {
        var minted = await MintAsync();
        await FaultAsync(new { where = "token", kind = "drop-before" });

        await Assert.ThrowsAsync<HttpRequestException>(() => _client.RefreshAsync(minted.RefreshToken));

        Assert.Equal(HttpStatusCode.OK, (await _client.RefreshAsync(minted.RefreshToken)).Status);
        Assert.Equal(
            ["fault:drop-before", "ok"],
            (await LogAsync("tokenRequests")).Select(entry => entry.GetProperty("outcome").GetString()));
    }

    [Fact]
    public async Task Status_Queued_StrikesAsOftenAsAskedAndLeavesTheTokenUnspent()
    {
        var minted = await MintAsync();
        await FaultAsync(new { where = "token", kind = "status", status = 503, times = 2, retryAfter = 7 });
        await FaultAsync(new { where = "token", kind = "status", status = 200, body = "<html>Sign in to the hotel network</html>" });

        var first = await _client.RefreshAsync(minted.RefreshToken);
        var second = await _client.RefreshAsync(minted.RefreshToken);
        var third = await _client.RefreshAsync(minted.RefreshToken);
        var fourth = await _client.RefreshAsync(minted.RefreshToken);

        Assert.Equal((HttpStatusCode.ServiceUnavailable, "temporarily_unavailable", "7"), (first.Status, first.Error, first.Headers["Retry-After"]));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, second.Status);
        Assert.Equal((HttpStatusCode.OK, "<html>Sign in to the hotel network</html>"), (third.Status, third.Body));
        Assert.Equal(HttpStatusCode.OK, fourth.Status);
        Assert.Equal(0, (await _client.ControlAsync(HttpMethod.Get, "faults")).Json.GetArrayLength());
    }

    [Fact]
    public async Task Delay_AtTheTokenEndpoint_AnswersLate()
    {
        var minted = await MintAsync();
        await FaultAsync(new { where = "token", kind = "delay", delayMs = 300 });
        var started = Stopwatch.GetTimestamp();

        var answer = await _client.RefreshAsync(minted.RefreshToken);

        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.True(Stopwatch.GetElapsedTime(started) >= TimeSpan.FromMilliseconds(290));
    }

    [Fact]
    public async Task Fault_ForAnIssuerOrAnotherPlace_StrikesNowhereElse()
    {
        var minted = await MintAsync();
        await FaultAsync(new { where = "token", kind = "status", status = 500, issuer = "generic" });
        await FaultAsync(new { where = "statement", kind = "status", status = 500 });

        Assert.Equal(HttpStatusCode.OK, (await _client.RefreshAsync(minted.RefreshToken)).Status);
        Assert.Equal(2, (await _client.ControlAsync(HttpMethod.Get, "faults")).Json.GetArrayLength());
        await _client.ControlAsync(HttpMethod.Delete, "faults");
        Assert.Equal(0, (await _client.ControlAsync(HttpMethod.Get, "faults")).Json.GetArrayLength());
    }

    [Fact]
    public async Task Faults_ThatMakeNoSense_AreRefused()
    {
        object[] nonsense =
        [
            new { where = "nowhere", kind = "delay", delayMs = 1 }, new { where = "token", kind = "explode" }, new { where = "token", kind = "status" },
            new { where = "token", kind = "delay" }, new { where = "token", kind = "drop-before", times = 0 }, new { where = "token" },
            new { where = "token", kind = "drop-before", typo = 1 },
        ];
        foreach (var fault in nonsense)
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await _client.ControlAsync(HttpMethod.Post, "faults", fault)).Status);
        }

        Assert.Equal(0, (await _client.ControlAsync(HttpMethod.Get, "faults")).Json.GetArrayLength());
    }

    private async Task<TokenAnswer> MintAsync() =>
        await _client.ControlAsync(HttpMethod.Post, "mint", new { issuer = "workspace", user = "ana" });

    private async Task FaultAsync(object fault) =>
        Assert.Equal(HttpStatusCode.Created, (await _client.ControlAsync(HttpMethod.Post, "faults", fault)).Status);

    private async Task<IReadOnlyList<System.Text.Json.JsonElement>> LogAsync(string list) =>
        [.. (await _client.ControlAsync(HttpMethod.Get, "log")).Json.GetProperty(list).EnumerateArray()];
}
