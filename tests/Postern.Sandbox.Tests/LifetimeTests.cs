using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Postern.Sandbox.Tests;

public sealed class LifetimeTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private SandboxServer _server = null!;

    public async ValueTask InitializeAsync() =>
        _server = await SandboxServer.StartAsync(new SandboxOptions { Port = 0, Time = _time }, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task Code_OlderThanAMinute_IsRefused()
    {
        using var browser = new Browser(_server.Address);
        using var client = new OAuthClient(_server.Address, "workspace");
        var (early, earlyVerifier) = await client.CodeAsync(browser);
        _time.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal(HttpStatusCode.OK, (await client.RedeemAsync(early, earlyVerifier)).Status);
        var (late, lateVerifier) = await client.CodeAsync(browser);
        _time.Advance(TimeSpan.FromSeconds(61));

        Assert.Equal("invalid_grant", (await client.RedeemAsync(late, lateVerifier)).Error);
    }

    [Theory]
    [InlineData("workspace")]
    [InlineData("generic")]
    public async Task AccessToken_AfterItsLifetime_IsDeadAndTheRefreshTokenIsNot(string issuer)
    {
        using var client = new OAuthClient(_server.Address, issuer);
        var tokens = await client.ControlAsync(HttpMethod.Post, "mint", new { issuer, user = "ana" });
        Assert.True(await IsAliveAsync(tokens.AccessToken));

        _time.Advance(TimeSpan.FromSeconds(3601));

        Assert.False(await IsAliveAsync(tokens.AccessToken));
        Assert.True(await IsAliveAsync((await client.RefreshAsync(tokens.RefreshToken)).AccessToken));
    }

    [Fact]
    public async Task Lifetimes_ChangedAtRunTime_CountForTheNextTokenRenewalsIncluded()
    {
        using var client = new OAuthClient(_server.Address, "workspace");
        var before = await client.ControlAsync(HttpMethod.Post, "mint", new { issuer = "workspace", user = "ana" });

        var changed = await client.ControlAsync(HttpMethod.Put, "lifetimes", new { accessTokenSeconds = 7 });
        var renewed = await client.RefreshAsync(before.RefreshToken);

        Assert.Equal(7, changed.Json.GetProperty("accessTokenSeconds").GetInt32());
        Assert.Equal(60, changed.Json.GetProperty("authorizationCodeSeconds").GetInt32());
        Assert.InRange(renewed.Json.GetProperty("expires_in").GetInt32(), 6, 7);
        _time.Advance(TimeSpan.FromSeconds(8));
        Assert.False(await IsAliveAsync(renewed.AccessToken));
        Assert.True(await IsAliveAsync(before.AccessToken));
    }

    [Fact]
    public async Task Lifetimes_NotPositive_AreRefused()
    {
        using var client = new OAuthClient(_server.Address, "workspace");

        var answer = await client.ControlAsync(HttpMethod.Put, "lifetimes", new { accessTokenSeconds = 0 });

        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Equal(3600, (await client.ControlAsync(HttpMethod.Get, "lifetimes")).Json.GetProperty("accessTokenSeconds").GetInt32());
    }

    [Theory]
    [InlineData("workspace", false)]
    [InlineData("generic", true)]
    public async Task RefreshToken_RenewedHalfWay_InheritsItsEndOrNotByIssuer(string issuer, bool slides)
    {
        using var client = new OAuthClient(_server.Address, issuer);
        await client.ControlAsync(HttpMethod.Put, "lifetimes", new { refreshTokenSeconds = 1000 });
        var first = await client.ControlAsync(HttpMethod.Post, "mint", new { issuer, user = "ana" });
        _time.Advance(TimeSpan.FromSeconds(600));
        var second = await client.RefreshAsync(first.RefreshToken);
        _time.Advance(TimeSpan.FromSeconds(600));

        var third = await client.RefreshAsync(second.RefreshToken);

        Assert.Equal(slides ? HttpStatusCode.OK : HttpStatusCode.BadRequest, third.Status);
    }

    private async Task<bool> IsAliveAsync(string accessToken) =>
        await _server.Services.GetRequiredService<ITokenReader>().ReadAsync(accessToken, TestContext.Current.CancellationToken) is not null;
}
