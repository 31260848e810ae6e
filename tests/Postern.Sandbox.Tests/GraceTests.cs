using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Postern.Sandbox.Tests;

/// <summary>Authorization servers that take a refresh token again for a while after its first use.</summary>
public sealed class GraceTests : IAsyncLifetime
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(100);

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private SandboxServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await SandboxServer.StartAsync(
        new SandboxOptions { Port = 0, Time = _time, RefreshGrace = Grace }, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData("workspace")]
    [InlineData("generic")]
    public async Task Refresh_AgainWithinTheGrace_AnswersAWorkingPairAndLeavesTheFirst(string issuer)
    {
        using var client = new OAuthClient(_server.Address, issuer);
        var minted = await MintAsync(client, issuer);
        var first = await client.RefreshAsync(minted.RefreshToken);
        _time.Advance(Grace - TimeSpan.FromSeconds(1));

        var second = await client.RefreshAsync(minted.RefreshToken);

        Assert.Equal(HttpStatusCode.OK, second.Status);
        Assert.NotEqual(first.RefreshToken, second.RefreshToken);
        Assert.True(await IsAliveAsync(first.AccessToken) && await IsAliveAsync(second.AccessToken));
        Assert.Equal(HttpStatusCode.OK, (await client.RefreshAsync(first.RefreshToken)).Status);
        Assert.Equal(HttpStatusCode.OK, (await client.RefreshAsync(second.RefreshToken)).Status);
    }

    [Theory]
    [InlineData("workspace")]
    [InlineData("generic")]
    public async Task Refresh_AgainAfterTheGrace_IsRefusedAndEndsTheFamily(string issuer)
    {
        using var client = new OAuthClient(_server.Address, issuer);
        var minted = await MintAsync(client, issuer);
        var first = await client.RefreshAsync(minted.RefreshToken);
        _time.Advance(Grace / 2);
        var second = await client.RefreshAsync(minted.RefreshToken);
        // The grace counts from the first use; the second does not prolong it.
        _time.Advance(Grace / 2 + TimeSpan.FromSeconds(1));

        var late = await client.RefreshAsync(minted.RefreshToken);

        Assert.Equal((HttpStatusCode.BadRequest, "invalid_grant"), (late.Status, late.Error));
        Assert.False(await IsAliveAsync(first.AccessToken) || await IsAliveAsync(second.AccessToken));
        Assert.Equal("invalid_grant", (await client.RefreshAsync(first.RefreshToken)).Error);
        Assert.Equal("invalid_grant", (await client.RefreshAsync(second.RefreshToken)).Error);
    }

    [Fact]
    public async Task Refresh_SixAtOnceTenTimes_AllAreAnswered()
    {
        using var client = new OAuthClient(_server.Address, "generic");
        for (var round = 0; round < 10; round++)
        {
            var minted = await MintAsync(client, "generic");

            var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => client.RefreshAsync(minted.RefreshToken)));

            Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        }
    }

    [Fact]
    public async Task Refreshes_WithinAndAfterTheGrace_AreAllCounted()
    {
        using var client = new OAuthClient(_server.Address, "workspace");
        var minted = await MintAsync(client, "workspace");
        await client.RefreshAsync(minted.RefreshToken);
        await client.RefreshAsync(minted.RefreshToken);
        Assert.Equal((2, 2, 1, 0), Sums(await CountAsync()));
        _time.Advance(Grace + TimeSpan.FromSeconds(1));
        await client.RefreshAsync(minted.RefreshToken);

        var count = await CountAsync();

        Assert.Equal((3, 2, 1, 1), Sums(count));
        var repeated = Assert.Single(count.GetProperty("repeated").EnumerateArray());
        Assert.Equal(("ws-ana", 3, 2), (repeated.GetProperty("subject").GetString(), repeated.GetProperty("presented").GetInt32(), repeated.GetProperty("redeemed").GetInt32()));

        async Task<System.Text.Json.JsonElement> CountAsync() => (await client.ControlAsync(HttpMethod.Get, "refreshes")).Json;

        static (int, int, int, int) Sums(System.Text.Json.JsonElement count) => (
            count.GetProperty("presented").GetInt32(), count.GetProperty("redeemed").GetInt32(),
            count.GetProperty("reused").GetInt32(), count.GetProperty("ended").GetInt32());
    }

    [Fact]
    public async Task Start_WithAGraceBeforeTheUse_IsRefused() => await Assert.ThrowsAsync<ArgumentException>(() => SandboxServer.StartAsync(
        new SandboxOptions { Port = 0, RefreshGrace = TimeSpan.FromSeconds(-1) }, TestContext.Current.CancellationToken));

    private static Task<TokenAnswer> MintAsync(OAuthClient client, string issuer) =>
        client.ControlAsync(HttpMethod.Post, "mint", new { issuer, user = "ana" });

    private async Task<bool> IsAliveAsync(string accessToken) =>
        await _server.Services.GetRequiredService<ITokenReader>().ReadAsync(accessToken, TestContext.Current.CancellationToken) is not null;
}
