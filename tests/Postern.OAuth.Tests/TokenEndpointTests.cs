using System.Text;
using Microsoft.AspNetCore.Http;
using Postern.Model;
using Postern.OAuth.Tests.Support;

namespace Postern.OAuth.Tests;

public sealed class TokenEndpointTests
{
    private static async Task<(TokenAnswer Answer, Seen Request)> RefreshWith(string json, int status = 200)
    {
        await using var world = await World.StartAsync();
        world.Server.OnJson("/as/token", json, status);
        var answer = await world.RefreshAsync();
        return (answer, Assert.Single(world.Server.To("/as/token")));
    }

    private static TokenAnswer.Unavailable Lost(TokenAnswer answer, UnavailableKind kind, bool received)
    {
        var lost = Assert.IsType<TokenAnswer.Unavailable>(answer);
        Assert.Equal((kind, received), (lost.Kind, lost.MayHaveBeenReceived));
        return lost;
    }

    [Fact]
    public async Task Exchange_SendsTheCodeWithItsVerifierAndRedirectUri()
    {
        await using var world = await World.StartAsync();
        world.Server.OnJson("/as/token", World.GoodTokens);
        var callback = await world.CallbackAsync("code with+odd/chars=");

        var issued = Assert.IsType<TokenAnswer.Issued>(await world.Client.Tokens.ExchangeAsync(callback, world.Settings, CancellationToken.None));

        var request = Assert.Single(world.Server.To("/as/token"));
        Assert.Equal("POST", request.Method);
        Assert.Equal("", request.Query);
        Assert.Equal(["code", "code_verifier", "grant_type", "redirect_uri"], request.Form.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("code with+odd/chars=", request.Form["code"]);
        Assert.Equal(callback.Pending.Verifier.Reveal(), request.Form["code_verifier"]);
        Assert.Equal(World.RedirectUri, request.Form["redirect_uri"]);
        Assert.Equal("marker-access-token", issued.Tokens.Access.Text());
        Assert.Equal("marker-refresh-token", issued.Tokens.Refresh!.Text());
        Assert.Equal(TimeSpan.FromHours(1), issued.Tokens.ExpiresIn);
    }

    [Fact]
    public async Task Refresh_SendsTheTokenAndNothingElse()
    {
        var (answer, request) = await RefreshWith("""{"access_token":"a","token_type":"bEARER"}""");

        Assert.Equal(["grant_type", "refresh_token"], request.Form.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("marker-refresh-token", request.Form["refresh_token"]);
        var tokens = Assert.IsType<TokenAnswer.Issued>(answer).Tokens;
        Assert.Null(tokens.Refresh);
        Assert.Null(tokens.ExpiresIn);
        Assert.Null(tokens.Scope);
    }

    [Fact]
    public async Task ClientCredentials_SendsTheScopesOfTheConnection()
    {
        await using var world = await World.StartAsync();
        world.Server.OnJson("/as/token", World.GoodTokens);

        var answer = await world.Client.Tokens.ClientCredentialsAsync(world.Settings, await world.MetadataAsync(), CancellationToken.None);

        Assert.IsType<TokenAnswer.Issued>(answer);
        var request = Assert.Single(world.Server.To("/as/token"));
        Assert.Equal("client_credentials", request.Form["grant_type"]);
        Assert.Equal("sql offline_access", request.Form["scope"]);
    }

    [Theory] // TR-02, RFC 6749 section 2.3.1
    [InlineData("postern", "secret", "postern:secret")]
    [InlineData("odd id:+/%", "p:s+%&= é~", "odd+id%3A%2B%2F%25:p%3As%2B%25%26%3D+%C3%A9~")]
    public async Task Basic_IsFormEncodedFirst(string id, string secret, string expected)
    {
        await using var world = await World.StartAsync();
        world.Server.OnJson("/as/token", World.GoodTokens);
        world.Settings = world.Settings with { ClientId = id, ClientSecret = new SecretText(secret) };

        await world.RefreshAsync();

        var request = Assert.Single(world.Server.To("/as/token"));
        Assert.Equal("Basic " + Convert.ToBase64String(Encoding.ASCII.GetBytes(expected)), request.Authorization);
        Assert.False(request.Form.ContainsKey("client_id"));
        Assert.False(request.Form.ContainsKey("client_secret"));
    }

    [Fact]
    public async Task SecretPost_SendsIdAndSecretInTheBodyOnly()
    {
        await using var world = await World.StartAsync();
        world.Server.OnJson("/as/token", World.GoodTokens);
        world.Settings = world.Settings with { ClientAuthentication = ClientAuthentication.SecretPost, ClientSecret = new SecretText("a &=+%é") };

        await world.RefreshAsync();

        var request = Assert.Single(world.Server.To("/as/token"));
        Assert.Null(request.Authorization);
        Assert.Equal("postern", request.Form["client_id"]);
        Assert.Equal("a &=+%é", request.Form["client_secret"]);
    }

    [Fact] // R8: public clients
    public async Task PublicClient_SendsItsIdAlone()
    {
        await using var world = await World.StartAsync();
        world.Server.OnJson("/as/token", World.GoodTokens);
        world.Settings = world.Settings with { ClientAuthentication = ClientAuthentication.None, ClientSecret = null };

        await world.ExchangeAsync();

        var request = Assert.Single(world.Server.To("/as/token"));
        Assert.Null(request.Authorization);
        Assert.Equal("postern", request.Form["client_id"]);
        Assert.False(request.Form.ContainsKey("client_secret"));
    }

    [Theory] // TR-12, CVE-2022-31690
    [InlineData("", null)]
    [InlineData(",\"scope\":\"\"", "")]
    [InlineData(",\"scope\":\"sql\"", "sql")]
    [InlineData(",\"scope\":\"sql  all-apis sql\"", "sql,all-apis")]
    public async Task Scope_AbsentEmptySmallerOrWider_IsReportedAsGranted(string member, string? expected)
    {
        var (answer, _) = await RefreshWith($$"""{"access_token":"a","token_type":"Bearer"{{member}}}""");

        var tokens = Assert.IsType<TokenAnswer.Issued>(answer).Tokens;
        Assert.Equal(expected, tokens.Scope is { } scope ? string.Join(',', scope) : null);
        Assert.Equal(expected ?? "sql,offline_access", string.Join(',', tokens.GrantedScopes(["sql", "offline_access"])));
    }

    [Theory] // TR-11
    [InlineData("3600", 3600)]
    [InlineData("0", 0)]
    [InlineData("3599.5", 3599)]
    [InlineData("999999999999", 365 * 86400)]
    [InlineData("1e300", 365 * 86400)]
    [InlineData("99999999999999999999999999", 365 * 86400)]
    public async Task ExpiresIn_OfAnySize_IsBounded(string number, long seconds)
    {
        var (answer, _) = await RefreshWith($$"""{"access_token":"a","token_type":"Bearer","expires_in":{{number}}}""");

        Assert.Equal(TimeSpan.FromSeconds(seconds), Assert.IsType<TokenAnswer.Issued>(answer).Tokens.ExpiresIn);
    }

    [Theory] // TR-10, TR-13: the server did it, but its result cannot be used
    [InlineData("""{"token_type":"Bearer"}""")]
    [InlineData("""{"access_token":"a"}""")]
    [InlineData("""{"access_token":"a","token_type":"mac"}""")]
    [InlineData("""{"access_token":"a","token_type":"DPoP"}""")]
    [InlineData("""{"access_token":"a","token_type":null}""")]
    [InlineData("""{"access_token":{},"token_type":"Bearer"}""")]
    [InlineData("""{"access_token":["a"],"token_type":"Bearer"}""")]
    [InlineData("""{"access_token":"","token_type":"Bearer"}""")]
    [InlineData("""{"access_token":null,"token_type":"Bearer"}""")]
    [InlineData("""{"access_token":"a\r\nX-Evil: 1","token_type":"Bearer"}""")]
    [InlineData("""{"access_token":"a b","token_type":"Bearer"}""")]
    [InlineData("""{"access_token":"\u00e9","token_type":"Bearer"}""")]
    [InlineData("""{"access_token":"\ud800","token_type":"Bearer"}""")]
    [InlineData("""{"access_token":"a","access_token":"b","token_type":"Bearer"}""")]
    [InlineData("""{"access_token":"a","token_type":"Bearer","x":1,"x":2}""")]
    [InlineData("""{"access_token":"a","token_type":"Bearer","expires_in":"abc"}""")]
    [InlineData("""{"access_token":"a","token_type":"Bearer","expires_in":"3600"}""")]
    [InlineData("""{"access_token":"a","token_type":"Bearer","expires_in":-1}""")]
    [InlineData("""{"access_token":"a","token_type":"Bearer","expires_in":-1e300}""")]
    [InlineData("""{"access_token":"a","token_type":"Bearer","refresh_token":7}""")]
    [InlineData("""{"access_token":"a","token_type":"Bearer","scope":["sql"]}""")]
    [InlineData("""{"access_token":"a","token_type":"Bearer","id_token":{}}""")]
    [InlineData("""{"access_token":"a","token_type":"Bearer"} trailing""")]
    [InlineData("{\"access_token\":\"a\",\"token_type\":\"Bearer\"")]
    [InlineData("""[{"access_token":"a","token_type":"Bearer"}]""")]
    [InlineData("null")]
    [InlineData("")]
    public async Task Success_OfTheWrongShape_IsMalformedAndMayBeSpent(string json)
    {
        var (answer, _) = await RefreshWith(json);

        Lost(answer, UnavailableKind.Malformed, received: true);
    }

    [Fact]
    public async Task Success_WithUnknownMembersOfAnyShape_IsRead()
    {
        var (answer, _) = await RefreshWith("""{"x":{"access_token":"no"},"access_token":"a","y":[[1,{"z":null}]],"token_type":"Bearer","refresh_token":null}""");

        Assert.Equal("a", Assert.IsType<TokenAnswer.Issued>(answer).Tokens.Access.Text());
    }

    [Theory] // RF-06, RF-07: only a JSON invalid_grant with status 400 ends a grant
    [InlineData(400, "invalid_grant", true)]
    [InlineData(401, "invalid_grant", false)]
    [InlineData(403, "invalid_grant", false)]
    [InlineData(400, "invalid_client", false)]
    [InlineData(401, "invalid_client", false)]
    [InlineData(400, "invalid_scope", false)]
    [InlineData(400, "unauthorized_client", false)]
    [InlineData(400, "INVALID_GRANT", false)]
    [InlineData(400, "marker-error", false)]
    public async Task Rejection_EndsTheGrantOnlyForInvalidGrantWith400(int status, string error, bool ends)
    {
        var (answer, _) = await RefreshWith($$"""{"error":"{{error}}","error_description":"marker-description"}""", status);

        var rejected = Assert.IsType<TokenAnswer.Rejected>(answer);
        Assert.Equal(ends, rejected.EndsGrant);
        Assert.Equal(status, rejected.Status);
        Assert.DoesNotContain("marker", rejected.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(500, """{"error":"invalid_grant"}""", UnavailableKind.ServerError, false)]
    [InlineData(502, "", UnavailableKind.ServerError, false)]
    [InlineData(503, """{"error":"temporarily_unavailable"}""", UnavailableKind.ServerError, false)]
    [InlineData(504, "", UnavailableKind.ServerError, true)]
    [InlineData(429, """{"error":"invalid_grant"}""", UnavailableKind.RateLimited, false)]
    [InlineData(400, """{"error":"server_error"}""", UnavailableKind.ServerError, false)]
    [InlineData(400, """{"error":"slow_down"}""", UnavailableKind.RateLimited, false)]
    [InlineData(400, """{"error":["invalid_grant"]}""", UnavailableKind.Malformed, false)]
    [InlineData(400, """{"error":"invalid_grant","error":"invalid_grant"}""", UnavailableKind.Malformed, false)]
    [InlineData(400, "{}", UnavailableKind.Malformed, false)]
    [InlineData(400, "invalid_grant", UnavailableKind.Malformed, false)]
    [InlineData(204, "", UnavailableKind.Malformed, true)]
    public async Task Failure_OfTheServer_LeavesTheGrantStanding(int status, string body, UnavailableKind kind, bool received)
    {
        await using var world = await World.StartAsync();
        world.Server.On("/as/token", context =>
        {
            context.Response.Headers.RetryAfter = "11";
            if (status != 204)
                return ScriptedServer.Json(context, body, status);
            context.Response.StatusCode = status;
            return Task.CompletedTask;
        });

        var lost = Lost(await world.RefreshAsync(), kind, received);

        Assert.Equal(TimeSpan.FromSeconds(11), lost.RetryAfter);
        Assert.Equal(status, lost.Status);
        Assert.Single(world.Server.To("/as/token"));
    }

    [Theory]
    [InlineData(200, true)]
    [InlineData(400, false)]
    [InlineData(502, false)]
    public async Task Html_AtAnyStatus_IsNoTokenAnswer(int status, bool received)
    {
        await using var world = await World.StartAsync();
        world.Server.On("/as/token", context => ScriptedServer.Text(context, """{"error":"invalid_grant"}""", status));

        Lost(await world.RefreshAsync(), status == 502 ? UnavailableKind.ServerError : UnavailableKind.NotJson, received);
    }

    [Theory] // TR-09: a code is sent exactly once, whatever happens to it
    [InlineData(500)]
    [InlineData(503)]
    [InlineData(429)]
    [InlineData(408)]
    [InlineData(0)]
    public async Task Code_AfterAFailureOrADrop_IsNotSentAgain(int status)
    {
        await using var world = await World.StartAsync();
        world.Server.On("/as/token", context =>
        {
            if (status == 0)
                context.Abort();
            else
                context.Response.StatusCode = status;
            return Task.CompletedTask;
        });
        var callback = await world.CallbackAsync();

        Assert.IsType<TokenAnswer.Unavailable>(await world.Client.Tokens.ExchangeAsync(callback, world.Settings, CancellationToken.None));
        await Assert.ThrowsAsync<InvalidOperationException>(() => world.Client.Tokens.ExchangeAsync(callback, world.Settings, CancellationToken.None));

        Assert.Single(world.Server.To("/as/token"));
    }

    [Fact] // the case in which an HTTP stack repeats by itself: a kept connection that dies under the next request
    public async Task Drop_OnAReusedConnection_IsNotRepeatedAndMayBeReceived()
    {
        await using var world = await World.StartAsync();
        await world.MetadataAsync();
        world.Server.On("/as/token", context =>
        {
            context.Abort();
            return Task.CompletedTask;
        });

        Lost(await world.RefreshAsync(), UnavailableKind.Network, received: true);

        Assert.Single(world.Server.To("/as/token"));
        Assert.Equal(1, world.Server.Connections);
    }

    [Fact]
    public async Task Form_SerialisedTwice_RefusesTheSecondTime()
    {
        using var form = new SecretForm().Add("a", "b c");
        using var first = new MemoryStream();
        await form.CopyToAsync(first);
        Assert.Equal("a=b%20c", Encoding.ASCII.GetString(first.ToArray()));

        await Assert.ThrowsAsync<HttpRequestException>(() => form.CopyToAsync(Stream.Null));
    }

    [Fact]
    public async Task Server_ThatIsNotThere_ReceivedNothing()
    {
        await using var world = await World.StartAsync();
        var metadata = await world.MetadataAsync();
        await world.Server.DisposeAsync();
        using var secret = SecretBytes.FromText("marker-refresh-token");

        // The kept connection is gone as well: whether the stack notices before or while sending, nothing was received and nothing is issued.
        var gone = metadata with { TokenEndpoint = new Uri($"http://localhost:{new Uri(world.Server.Origin).Port}/as/token") };
        var answer = await world.Client.Tokens.RefreshAsync(world.Settings, gone, secret, CancellationToken.None);

        Lost(answer, UnavailableKind.Network, received: false);
    }

    [Fact]
    public async Task Answer_ThatDoesNotComeInTime_MayHaveBeenReceived()
    {
        await using var world = await World.StartAsync(new OAuthOptions { RequestTimeout = TimeSpan.FromMilliseconds(300) });
        world.Server.On("/as/token", context => Task.Delay(Timeout.Infinite, context.RequestAborted));

        Lost(await world.RefreshAsync(), UnavailableKind.Timeout, received: true);
    }

    [Fact]
    public async Task Caller_WhoCancelsWhileTheServerThinks_LearnsThatItMayHaveBeenReceived()
    {
        await using var world = await World.StartAsync();
        using var caller = new CancellationTokenSource();
        world.Server.On("/as/token", async context =>
        {
            await caller.CancelAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        var metadata = await world.MetadataAsync();
        using var secret = SecretBytes.FromText("marker-refresh-token");

        Lost(await world.Client.Tokens.RefreshAsync(world.Settings, metadata, secret, caller.Token), UnavailableKind.Cancelled, received: true);
    }

    [Fact]
    public async Task Caller_WhoCancelledBefore_SentNothing()
    {
        await using var world = await World.StartAsync();
        var metadata = await world.MetadataAsync();
        using var secret = SecretBytes.FromText("marker-refresh-token");

        Lost(await world.Client.Tokens.RefreshAsync(world.Settings, metadata, secret, new CancellationToken(canceled: true)),
            UnavailableKind.Cancelled, received: false);
        Assert.Empty(world.Server.To("/as/token"));
    }
}
