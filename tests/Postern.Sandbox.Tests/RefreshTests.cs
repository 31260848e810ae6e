using System.Net;

namespace Postern.Sandbox.Tests;

public sealed class RefreshTests(SandboxFixture sandbox) : IClassFixture<SandboxFixture>
{
    [Theory]
    [InlineData("workspace")]
    [InlineData("generic")]
    public async Task Refresh_Once_RotatesAndKeepsTheScopes(string issuer)
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, issuer);
        var first = await client.ConnectAsync(browser);

        var second = await client.RefreshAsync(first.RefreshToken);

        Assert.Equal(HttpStatusCode.OK, second.Status);
        Assert.NotEqual(first.RefreshToken, second.RefreshToken);
        Assert.True(await sandbox.IsAliveAsync(second.AccessToken));
        Assert.Equal(HttpStatusCode.OK, (await client.RefreshAsync(second.RefreshToken)).Status);
    }

    [Theory]
    [InlineData("workspace")]
    [InlineData("generic")]
    public async Task Refresh_SpentToken_IsRefusedAndEndsTheFamily(string issuer)
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, issuer);
        var first = await client.ConnectAsync(browser);
        var second = await client.RefreshAsync(first.RefreshToken);

        var replay = await client.RefreshAsync(first.RefreshToken);

        Assert.Equal((HttpStatusCode.BadRequest, "invalid_grant"), (replay.Status, replay.Error));
        Assert.False(await sandbox.IsAliveAsync(second.AccessToken));
        Assert.Equal("invalid_grant", (await client.RefreshAsync(second.RefreshToken)).Error);
    }

    [Fact]
    public async Task Refresh_SixAtOnceTenTimes_OneWinsEachTime()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "generic");
        for (var round = 0; round < 10; round++)
        {
            var minted = await client.ControlAsync(HttpMethod.Post, "mint", new { issuer = "generic", user = "ana" });

            var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => client.RefreshAsync(minted.RefreshToken)));

            Assert.Single(answers, answer => answer.Status == HttpStatusCode.OK);
            Assert.All(answers.Where(answer => answer.Status != HttpStatusCode.OK), answer => Assert.Equal("invalid_grant", answer.Error));
        }
    }

    [Fact]
    public async Task Refresh_OfAnotherClient_IsRefused()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "generic");
        using var stranger = new OAuthClient(sandbox.Server.Address, "generic", SandboxFixture.StrangerClient, SandboxFixture.StrangerSecret);
        var minted = await client.ControlAsync(HttpMethod.Post, "mint", new { issuer = "generic", user = "ana" });

        Assert.Equal("invalid_grant", (await stranger.RefreshAsync(minted.RefreshToken)).Error);
        Assert.Equal(HttpStatusCode.OK, (await client.RefreshAsync(minted.RefreshToken)).Status);
    }

    [Fact]
    public async Task Refresh_WithAWiderScope_IsRefused()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "generic");
        var minted = await client.ControlAsync(HttpMethod.Post, "mint", new { issuer = "generic", user = "ana" });

        var answer = await client.TokenAsync(new()
        {
            ["grant_type"] = "refresh_token",
            ["refresh_token"] = minted.RefreshToken,
            ["scope"] = "openid sql all-apis",
        });

        Assert.Equal("invalid_scope", answer.Error);
    }

    [Theory]
    [InlineData("refresh_token")]
    [InlineData("access_token")]
    public async Task Revoke_OneTokenOfAGrant_EndsTheWholeGrant(string which)
    {
        using var browser = new Browser(sandbox.Server.Address);
        using var client = new OAuthClient(sandbox.Server.Address, "generic");
        var tokens = await client.ConnectAsync(browser);
        Assert.True(await client.IsActiveAsync(tokens.AccessToken));

        var answer = await client.RevokeAsync(tokens.Text(which));

        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.False(await client.IsActiveAsync(tokens.AccessToken));
        Assert.False(await sandbox.IsAliveAsync(tokens.AccessToken));
        Assert.Equal("invalid_grant", (await client.RefreshAsync(tokens.RefreshToken)).Error);
    }

    [Fact]
    public async Task Revoke_TokenOfAnotherClient_DoesNothing()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "generic");
        using var stranger = new OAuthClient(sandbox.Server.Address, "generic", SandboxFixture.StrangerClient, SandboxFixture.StrangerSecret);
        var minted = await client.ControlAsync(HttpMethod.Post, "mint", new { issuer = "generic", user = "ana" });

        await stranger.RevokeAsync(minted.RefreshToken);

        Assert.True(await client.IsActiveAsync(minted.AccessToken));
        Assert.False(await stranger.IsActiveAsync(minted.AccessToken));
    }
}
