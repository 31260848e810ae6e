using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Postern.Sandbox.Tests;

public sealed class ControlTests(SandboxFixture sandbox) : IClassFixture<SandboxFixture>
{
    [Fact]
    public async Task Log_AfterAWholeFlow_HoldsFingerprintsAndNoSecrets()
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "generic");
        await client.ControlAsync(HttpMethod.Delete, "log");
        var (code, verifier) = await client.CodeAsync(browser);
        var first = await client.RedeemAsync(code, verifier);
        var second = await client.RefreshAsync(first.RefreshToken);
        await client.RefreshAsync(first.RefreshToken);
        await client.RevokeAsync(second.RefreshToken);
        await client.PushAsync(client.Request(verifier));
        await client.RedeemAsync(code, verifier);

        var log = await client.ControlAsync(HttpMethod.Get, "log");

        string[] secrets =
        [
            code, verifier, client.Secret!, first.AccessToken, first.RefreshToken, first.Text("id_token"), second.AccessToken, second.RefreshToken,
            browser.Cookies.Values.Single(),
        ];
        Assert.All(secrets, secret => Assert.DoesNotContain(secret, log.Body, StringComparison.Ordinal));
        Assert.All(secrets, secret => Assert.DoesNotContain(sandbox.LogLines, line => line.Contains(secret, StringComparison.Ordinal)));
        var requests = log.Json.GetProperty("tokenRequests").EnumerateArray().ToList();
        Assert.Equal(
            [("authorization_code", "ok"), ("refresh_token", "ok"), ("refresh_token", "invalid_grant"), ("authorization_code", "invalid_grant")],
            requests.Select(entry => (entry.GetProperty("grant_type").GetString(), entry.GetProperty("outcome").GetString())));
        Assert.All(requests, entry => Assert.Equal(("generic", "postern"), (entry.GetProperty("issuer").GetString(), entry.GetProperty("client").GetString())));
        Assert.Equal(Fingerprint(first.RefreshToken), requests[0].GetProperty("issuedRefreshFingerprint").GetString());
        Assert.Equal(Fingerprint(first.RefreshToken), requests[1].GetProperty("refreshFingerprint").GetString());
        Assert.Equal(Fingerprint(second.RefreshToken), requests[1].GetProperty("issuedRefreshFingerprint").GetString());
        Assert.Single(log.Json.GetProperty("revocations").EnumerateArray());
        Assert.Equal("S256", Assert.Single(log.Json.GetProperty("pushedRequests").EnumerateArray()).GetProperty("codeChallengeMethod").GetString());
    }

    [Fact]
    public async Task Refreshes_OfATokenPresentedTwice_AreCountedAndNamed()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");
        await client.ControlAsync(HttpMethod.Delete, "log");
        var first = await MintAsync(client, "workspace", "ana");
        var second = await client.RefreshAsync(first.RefreshToken);
        await client.RefreshAsync(second.RefreshToken);

        var before = (await client.ControlAsync(HttpMethod.Get, "refreshes")).Json;
        await client.RefreshAsync(first.RefreshToken);
        await client.RefreshAsync("no token");
        var after = (await client.ControlAsync(HttpMethod.Get, "refreshes")).Json;

        Assert.Equal((2, 2, 0), Sums(before));
        Assert.Empty(before.GetProperty("repeated").EnumerateArray());
        Assert.Equal((4, 2, 1), Sums(after));
        var repeated = Assert.Single(after.GetProperty("repeated").EnumerateArray());
        Assert.Equal(("workspace", Fingerprint(first.RefreshToken), "ws-ana", 2, 1), (repeated.GetProperty("issuer").GetString(),
            repeated.GetProperty("fingerprint").GetString(), repeated.GetProperty("subject").GetString(),
            repeated.GetProperty("presented").GetInt32(), repeated.GetProperty("redeemed").GetInt32()));
        Assert.Equal((0, 1), (before.GetProperty("ended").GetInt32(), after.GetProperty("ended").GetInt32()));

        static (int, int, int) Sums(System.Text.Json.JsonElement count) =>
            (count.GetProperty("presented").GetInt32(), count.GetProperty("redeemed").GetInt32(), count.GetProperty("reused").GetInt32());
    }

    [Fact]
    public async Task Refreshes_WhoseAnswerWasLost_CountAsRedeemed()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");
        await client.ControlAsync(HttpMethod.Delete, "log");
        var first = await MintAsync(client, "workspace", "ana");
        await client.ControlAsync(HttpMethod.Post, "faults", new { where = "token", kind = "drop-after-commit" });

        await Assert.ThrowsAsync<HttpRequestException>(() => client.RefreshAsync(first.RefreshToken));

        Assert.Equal(1, (await client.ControlAsync(HttpMethod.Get, "refreshes")).Json.GetProperty("redeemed").GetInt32());
    }

    [Fact]
    public async Task ExpireAccessTokens_OfOnePerson_EndsTheirsOnly()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "generic");
        var ana = await MintAsync(client, "workspace", "ana");
        var ben = await MintAsync(client, "workspace", "ben");
        var elsewhere = await MintAsync(client, "generic", "ana");

        var answer = await client.ControlAsync(HttpMethod.Post, "expire-access-tokens", new { user = "ana" });

        Assert.True(answer.Json.GetProperty("ended").GetInt64() >= 2);
        Assert.False(await sandbox.IsAliveAsync(ana.AccessToken));
        Assert.False(await sandbox.IsAliveAsync(elsewhere.AccessToken));
        Assert.True(await sandbox.IsAliveAsync(ben.AccessToken));
        Assert.Equal(HttpStatusCode.OK, (await client.RefreshAsync(elsewhere.RefreshToken)).Status);
    }

    [Fact]
    public async Task ExpireAccessTokens_OfOneClient_EndsTheirsOnly()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "generic");
        var service = await client.ControlAsync(
            HttpMethod.Post, "mint", new { issuer = "workspace", client = "postern-service", scopes = new[] { "sql" } });
        var person = await MintAsync(client, "workspace", "chloe");

        await client.ControlAsync(HttpMethod.Post, "expire-access-tokens", new { client = "postern-service" });

        Assert.False(await sandbox.IsAliveAsync(service.AccessToken));
        Assert.True(await sandbox.IsAliveAsync(person.AccessToken));
    }

    [Fact]
    public async Task RevokeRefreshTokens_OfOnePerson_LeavesAccessTokensAlone()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "generic");
        var minted = await MintAsync(client, "generic", "admin");

        await client.ControlAsync(HttpMethod.Post, "revoke-refresh-tokens", new { user = "admin" });

        Assert.True(await sandbox.IsAliveAsync(minted.AccessToken));
        Assert.Equal("invalid_grant", (await client.RefreshAsync(minted.RefreshToken)).Error);
    }

    [Theory]
    [InlineData("nowhere", "ana", "postern", "sql")]
    [InlineData("workspace", "nobody", "postern", "sql")]
    [InlineData("workspace", "ana", "nobody", "sql")]
    [InlineData("workspace", "ana", "postern", "everything")]
    public async Task Mint_OfSomethingUnknown_IsRefused(string issuer, string user, string client, string scope)
    {
        using var control = new OAuthClient(sandbox.Server.Address, "workspace");

        var answer = await control.ControlAsync(HttpMethod.Post, "mint", new { issuer, user, client, scopes = new[] { scope } });

        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
    }

    [Fact]
    public async Task Token_MintsOwnGrantType_IsUnknownOutside()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");

        var answer = await client.TokenAsync(new() { ["grant_type"] = "urn:postern:sandbox:mint", ["user"] = "ana" });

        Assert.Equal("unsupported_grant_type", answer.Error);
    }

    [Theory]
    [InlineData("Origin", "http://evil.example")]
    [InlineData("Origin", "null")]
    [InlineData("Sec-Fetch-Site", "cross-site")]
    public async Task Control_FromAPageOfAnotherSite_IsRefused(string header, string value)
    {
        using var http = new HttpClient(new SocketsHttpHandler());
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(sandbox.Server.Address, "/__sandbox/log"));
        request.Headers.Add(header, value);

        using var response = await http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
    }

    [Fact]
    public async Task Resources_AddedByTheOptions_ReadTokensLogStatementsAndObeyFaults()
    {
        await using var server = await SandboxServer.StartAsync(
            new SandboxOptions
            {
                Port = 0,
                MapResources = app => app.MapGet("/probe", ProbeAsync),
            },
            TestContext.Current.CancellationToken);
        using var client = new OAuthClient(server.Address, "workspace");
        var token = (await MintAsync(client, "workspace", "ben")).AccessToken;
        await client.ControlAsync(HttpMethod.Post, "faults", new { where = "statement", kind = "status", status = 429 });
        await client.ControlAsync(HttpMethod.Post, "faults", new { where = "statement", kind = "drop-after-commit" });

        var throttled = await client.GetAsync("/probe", token);
        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync("/probe", token));
        var served = await client.GetAsync("/probe", token);
        var anonymous = await client.GetAsync("/probe", "nonsense");

        Assert.Equal((HttpStatusCode.TooManyRequests, "REQUEST_LIMIT_EXCEEDED"), (throttled.Status, throttled.Text("error_code")));
        Assert.Equal("ws-ben", served.Body);
        Assert.Equal(HttpStatusCode.Unauthorized, anonymous.Status);
        var statements = (await client.ControlAsync(HttpMethod.Get, "log")).Json.GetProperty("statements").EnumerateArray().ToList();
        Assert.Equal(2, statements.Count);
        Assert.Equal("ben", statements[0].GetProperty("caller").GetProperty("user").GetString());
    }

    private static async Task<IResult> ProbeAsync(HttpContext context, ITokenReader tokens, ITrafficLog log, IFaultScript faults)
    {
        if (await tokens.ReadAsync(context.Request.Headers.Authorization.ToString()["Bearer ".Length..], context.RequestAborted) is not { } caller)
        {
            return Results.Unauthorized();
        }

        if (await faults.ApplyAsync("statement", "before", context))
        {
            return Results.Empty;
        }

        log.Statement(caller, "select 1", "SUCCEEDED");
        return await faults.ApplyAsync("statement", "after", context) ? Results.Empty : Results.Text(caller.Subject);
    }

    private static Task<TokenAnswer> MintAsync(OAuthClient client, string issuer, string user) =>
        client.ControlAsync(HttpMethod.Post, "mint", new { issuer, user });

    private static string Fingerprint(string secret) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(secret)))[..12];
}
