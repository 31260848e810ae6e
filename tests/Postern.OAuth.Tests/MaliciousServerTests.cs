using System.Text;
using Microsoft.AspNetCore.Http;
using Postern.OAuth.Tests.Support;

namespace Postern.OAuth.Tests;

/// <summary>Attack 16: whatever the token endpoint does, time and memory are bounded and no credential goes elsewhere.</summary>
public sealed class MaliciousServerTests
{
    private static readonly OAuthOptions Hasty = new() { RequestTimeout = TimeSpan.FromMilliseconds(400) };

    private static TokenAnswer.Unavailable Lost(TokenAnswer answer, UnavailableKind kind)
    {
        var lost = Assert.IsType<TokenAnswer.Unavailable>(answer);
        Assert.Equal(kind, lost.Kind);
        return lost;
    }

    [Theory] // TR-15
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(303)]
    [InlineData(307)]
    [InlineData(308)]
    public async Task Redirect_FromTheTokenEndpoint_CarriesNothingToTheOtherServer(int status)
    {
        await using var world = await World.StartAsync();
        await using var thief = await ScriptedServer.StartAsync();
        world.Server.On("/as/token", context =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers.Location = thief.Origin + "/token";
            return Task.CompletedTask;
        });

        Assert.False(Lost(await world.ExchangeAsync(), UnavailableKind.Redirected).MayHaveBeenReceived);
        Assert.Equal(0, thief.Connections);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Body_OfManyMegabytes_IsGivenUpAtTheLimit(bool announced)
    {
        await using var world = await World.StartAsync();
        world.Server.On("/as/token", async context =>
        {
            context.Response.ContentType = "application/json";
            context.Response.ContentLength = announced ? 256 * 1024 * 1024 : null;
            await context.Response.Body.WriteAsync(Encoding.ASCII.GetBytes(new string(' ', 1024 * 1024)), context.RequestAborted);
            // The rest never comes: whoever reads to the end, or until the time limit, does not find it too large.
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });

        Assert.True(Lost(await world.RefreshAsync(), UnavailableKind.TooLarge).MayHaveBeenReceived);
    }

    [Fact]
    public async Task Body_JustUnderTheLimit_IsRead()
    {
        await using var world = await World.StartAsync();
        world.Server.OnJson("/as/token", World.GoodTokens + new string(' ', 256 * 1024 - World.GoodTokens.Length));

        Assert.IsType<TokenAnswer.Issued>(await world.RefreshAsync());
    }

    [Fact]
    public async Task Body_OneByteOverTheLimit_IsNot()
    {
        await using var world = await World.StartAsync();
        world.Server.OnJson("/as/token", World.GoodTokens + new string(' ', 256 * 1024 - World.GoodTokens.Length + 1));

        Lost(await world.RefreshAsync(), UnavailableKind.TooLarge);
    }

    [Fact]
    public async Task Body_ThatDripsForEver_EndsWithTheTimeLimit()
    {
        await using var world = await World.StartAsync(Hasty);
        world.Server.On("/as/token", async context =>
        {
            context.Response.ContentType = "application/json";
            while (true)
            {
                await context.Response.Body.WriteAsync(" "u8.ToArray(), context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
                await Task.Delay(20, context.RequestAborted);
            }
        });

        Assert.True(Lost(await world.RefreshAsync(), UnavailableKind.Timeout).MayHaveBeenReceived);
    }

    [Fact]
    public async Task Body_ThatBreaksOff_IsLost()
    {
        await using var world = await World.StartAsync();
        world.Server.On("/as/token", async context =>
        {
            context.Response.ContentType = "application/json";
            context.Response.ContentLength = 1000;
            await context.Response.WriteAsync("""{"access_token":"a","token_type":"Bearer"}""");
            await context.Response.Body.FlushAsync();
            context.Abort();
        });

        Assert.True(Lost(await world.RefreshAsync(), UnavailableKind.Network).MayHaveBeenReceived);
    }

    [Theory]
    [InlineData(null, true, true)]
    [InlineData(null, false, false)]
    [InlineData(200, true, true)]
    [InlineData(400, true, false)]
    [InlineData(429, true, false)]
    [InlineData(503, true, false)]
    [InlineData(504, true, true)]
    public void Body_ThatBreaksOffAfterTheHeaders_IsJudgedByTheirStatus(int? status, bool sent, bool received) =>
        Assert.Equal(received, Assert.IsType<TokenAnswer.Unavailable>(
            TokenAnswerReader.NoAnswer(new WireOutcome(null, UnavailableKind.Network, status), sent)).MayHaveBeenReceived);

    [Fact]
    public async Task Headers_OfAMegabyte_AreGivenUp()
    {
        await using var world = await World.StartAsync();
        world.Server.On("/as/token", context =>
        {
            for (var i = 0; i < 64; i++)
                context.Response.Headers[$"x-{i}"] = new string('x', 16 * 1024);
            return ScriptedServer.Json(context, World.GoodTokens);
        });

        Lost(await world.RefreshAsync(), UnavailableKind.Network);
    }

    [Fact]
    public async Task Nesting_OfAThousandLevels_IsMalformed()
    {
        await using var world = await World.StartAsync();
        world.Server.OnJson("/as/token", $$"""{"access_token":"a","token_type":"Bearer","x":{{new string('[', 1000)}}{{new string(']', 1000)}}}""");

        Lost(await world.RefreshAsync(), UnavailableKind.Malformed);
    }

    [Theory]
    [InlineData("99999999", 86400)]
    [InlineData("Wed, 21 Oct 2015 07:28:00 GMT", 0)]
    public async Task RetryAfter_OfAnySize_IsBounded(string header, int seconds)
    {
        await using var world = await World.StartAsync();
        world.Server.On("/as/token", context =>
        {
            context.Response.StatusCode = 503;
            context.Response.Headers.RetryAfter = header;
            return Task.CompletedTask;
        });

        Assert.Equal(TimeSpan.FromSeconds(seconds), Lost(await world.RefreshAsync(), UnavailableKind.ServerError).RetryAfter);
    }

    [Fact] // attack 16: metadata swapped after first use
    public async Task Metadata_SwappedWhileThePersonSignsIn_DoesNotMoveTheCode()
    {
        await using var world = await World.StartAsync(new OAuthOptions { DocumentFreshness = TimeSpan.Zero, RefetchPause = TimeSpan.Zero });
        await using var thief = await ScriptedServer.StartAsync();
        world.Server.OnJson("/as/token", World.GoodTokens);
        var callback = await world.CallbackAsync();
        world.Server.OnJson("/.well-known/oauth-authorization-server/as",
            world.Metadata().Replace(world.Server.Issuer + "/token", thief.Origin + "/token", StringComparison.Ordinal));
        Assert.StartsWith(thief.Origin, (await world.MetadataAsync()).TokenEndpoint.AbsoluteUri, StringComparison.Ordinal);

        Assert.IsType<TokenAnswer.Issued>(await world.Client.Tokens.ExchangeAsync(callback, world.Settings, CancellationToken.None));
        Assert.Equal(0, thief.Connections);
    }
}
