using Microsoft.AspNetCore.Http;
using Postern.Model;
using Postern.OAuth.Tests.Support;

namespace Postern.OAuth.Tests;

public sealed class RevocationTests
{
    private static async Task<World> StartAsync()
    {
        var world = await World.StartAsync();
        world.PublishMetadata($",\"revocation_endpoint\":\"{world.Server.Issuer}/revoke\"");
        return world;
    }

    private static async Task<RevocationAnswer> Revoke(World world)
    {
        using var token = SecretBytes.FromText("marker-refresh-token");
        return await world.Client.Revocations.RevokeAsync(world.Settings, await world.MetadataAsync(), token, TokenKind.Refresh, CancellationToken.None);
    }

    [Fact]
    public async Task Revoke_SendsTheTokenInTheBodyWithClientAuthentication()
    {
        await using var world = await StartAsync();
        world.Server.On("/as/revoke", _ => Task.CompletedTask);

        Assert.IsType<RevocationAnswer.Revoked>(await Revoke(world));

        var request = Assert.Single(world.Server.To("/as/revoke"));
        Assert.Equal("POST", request.Method);
        Assert.Equal("", request.Query);
        Assert.Equal("marker-refresh-token", request.Form["token"]);
        Assert.Equal("refresh_token", request.Form["token_type_hint"]);
        Assert.StartsWith("Basic ", request.Authorization, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Revoke_WithoutAnEndpoint_IsNotSupported()
    {
        await using var world = await World.StartAsync();

        Assert.IsType<RevocationAnswer.NotSupported>(await Revoke(world));
    }

    [Theory]
    [InlineData(503, UnavailableKind.ServerError)]
    [InlineData(500, UnavailableKind.ServerError)]
    [InlineData(429, UnavailableKind.RateLimited)]
    [InlineData(307, UnavailableKind.Redirected)]
    [InlineData(204, UnavailableKind.Malformed)]
    [InlineData(404, UnavailableKind.NotJson)]
    public async Task Revoke_WithoutAnAnswer_LeavesTheTokenAlive(int status, UnavailableKind kind)
    {
        await using var world = await StartAsync();
        world.Server.On("/as/revoke", context =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers.RetryAfter = "5";
            return Task.CompletedTask;
        });

        var answer = Assert.IsType<RevocationAnswer.Unavailable>(await Revoke(world));

        Assert.Equal((kind, TimeSpan.FromSeconds(5), status), (answer.Kind, answer.RetryAfter!.Value, answer.Status!.Value));
    }

    [Fact]
    public async Task Revoke_OfATokenKindTheServerCannotRevoke_IsNotSupported()
    {
        await using var world = await StartAsync();
        world.Server.OnJson("/as/revoke", """{"error":"unsupported_token_type"}""", 400);

        Assert.IsType<RevocationAnswer.NotSupported>(await Revoke(world));
    }

    [Fact]
    public async Task Revoke_WithAWrongSecret_IsRejected()
    {
        await using var world = await StartAsync();
        world.Server.OnJson("/as/revoke", """{"error":"invalid_client"}""", 401);

        Assert.Equal(new RevocationAnswer.Rejected("invalid_client", 401), await Revoke(world));
    }

    [Fact]
    public async Task Revoke_WhenTheConnectionDrops_IsUnavailable()
    {
        await using var world = await StartAsync();
        world.Server.On("/as/revoke", context =>
        {
            context.Abort();
            return Task.CompletedTask;
        });

        Assert.Equal(UnavailableKind.Network, Assert.IsType<RevocationAnswer.Unavailable>(await Revoke(world)).Kind);
    }
}
