using Microsoft.Extensions.Time.Testing;
using Postern.Model;
using Postern.OAuth.Tests.Support;

namespace Postern.OAuth.Tests;

public sealed class MetadataTests
{
    private static Task<Outcome<ServerMetadata>> Get(World world) => world.Client.Metadata.GetAsync(world.Settings, CancellationToken.None);

    [Theory]
    [InlineData("/.well-known/oauth-authorization-server/as")]
    [InlineData("/.well-known/openid-configuration/as")]
    [InlineData("/as/.well-known/openid-configuration")]
    [InlineData("/as/.well-known/oauth-authorization-server")]
    public async Task Metadata_AtAnyOfTheFourPlaces_IsFound(string place)
    {
        await using var world = await World.StartAsync();
        world.Server.Forget("/.well-known/oauth-authorization-server/as").OnJson(place, world.Metadata());

        var metadata = (await Get(world)).Value();

        Assert.Equal(world.Server.Issuer + "/token", metadata.TokenEndpoint.AbsoluteUri);
    }

    [Fact]
    public void Places_OfAnIssuerWithoutPath_AreTwoAndAtItsRoot() =>
        Assert.Equal(["https://as.example/.well-known/oauth-authorization-server", "https://as.example/.well-known/openid-configuration"],
            MetadataReader.Places(new Uri("https://as.example/")).Select(p => p.AbsoluteUri));

    [Theory]
    [InlineData("/")]
    [InlineData("x")]
    [InlineData("?")]
    public async Task Metadata_WithAnotherIssuer_IsNotBelieved(string suffix)
    {
        await using var world = await World.StartAsync();
        world.PublishMetadata(issuer: world.Server.Issuer + suffix);

        Assert.Equal(RefusalKind.Untrusted, (await Get(world)).Refused("issuer-mismatch").Kind);
    }

    [Fact]
    public async Task Metadata_WithIssuerInAnotherCase_IsNotBelieved()
    {
        await using var world = await World.StartAsync();
        world.PublishMetadata(issuer: world.Server.Issuer.Replace("http:", "HTTP:", StringComparison.Ordinal));

        (await Get(world)).Refused("issuer-mismatch");
    }

    [Theory]
    [InlineData("http://as.example")]
    [InlineData("https://as.example?x=1")]
    [InlineData("https://as.example#x")]
    [InlineData("https://user@as.example")]
    [InlineData("file:///etc/passwd")]
    [InlineData("http://127.0.0.1.as.example")]
    [InlineData("not a url")]
    public async Task Issuer_ThatIsNoHttpsAddress_IsRefusedBeforeAnyRequest(string issuer)
    {
        await using var world = await World.StartAsync();
        world.Settings = World.SettingsFor(issuer);

        (await Get(world)).Refused("issuer-invalid");
    }

    [Fact]
    public async Task Issuer_OnLoopbackWithoutPermission_IsRefused()
    {
        await using var world = await World.StartAsync();
        world.Settings = world.Settings with { AllowPlainHttpIssuerOnLoopback = false };

        (await Get(world)).Refused("issuer-invalid");
        Assert.Empty(world.Server.Log);
    }

    [Theory]
    [InlineData("file:/c:/x?$(calc)")]
    [InlineData("javascript:alert(1)")]
    [InlineData("gopher://127.0.0.1/")]
    [InlineData("http://as.example/revoke")]
    [InlineData("https://a@as.example/revoke")]
    [InlineData("https://as.example/revoke#x")]
    [InlineData("//as.example/revoke")]
    [InlineData("")]
    public async Task Endpoint_OfAnotherScheme_SpoilsTheDocument(string endpoint)
    {
        await using var world = await World.StartAsync();
        world.PublishMetadata($",\"revocation_endpoint\":\"{endpoint}\"");

        (await Get(world)).Refused("metadata-malformed");
    }

    [Theory]
    [InlineData("{\"issuer\":\"ISSUER\"}")]
    [InlineData("{\"issuer\":[\"ISSUER\"],\"token_endpoint\":\"ISSUER/token\"}")]
    [InlineData("{\"issuer\":\"ISSUER\",\"issuer\":\"ISSUER\",\"token_endpoint\":\"ISSUER/token\"}")]
    [InlineData("{\"issuer\":\"ISSUER\",\"token_endpoint\":7}")]
    [InlineData("{\"issuer\":\"ISSUER\",\"token_endpoint\":\"ISSUER/token\",\"code_challenge_methods_supported\":\"S256\"}")]
    [InlineData("{\"issuer\":\"ISSUER\",\"token_endpoint\":\"ISSUER/token\",\"require_pushed_authorization_requests\":\"no\"}")]
    [InlineData("[]")]
    [InlineData("{\"issuer\":\"\\ud800\",\"token_endpoint\":\"ISSUER/token\"}")]
    [InlineData("{")]
    public async Task Document_OfTheWrongShape_IsMalformed(string json)
    {
        await using var world = await World.StartAsync();
        world.Server.OnJson("/.well-known/oauth-authorization-server/as", json.Replace("ISSUER", world.Server.Issuer, StringComparison.Ordinal));

        (await Get(world)).Refused("metadata-malformed");
    }

    [Fact]
    public async Task Document_OverTheLimit_IsRefusedWithoutReadingItAll()
    {
        await using var world = await World.StartAsync();
        world.Server.On("/.well-known/oauth-authorization-server/as", async context =>
        {
            context.Response.ContentType = "application/json";
            var spaces = new byte[64 * 1024];
            Array.Fill(spaces, (byte)' ');
            while (!context.RequestAborted.IsCancellationRequested)
                await context.Response.Body.WriteAsync(spaces, context.RequestAborted);
        });

        (await Get(world)).Refused("metadata-too-large");
    }

    [Fact]
    public async Task Redirect_ToAnotherServer_IsNotFollowed()
    {
        await using var world = await World.StartAsync();
        await using var other = await ScriptedServer.StartAsync();
        world.Server.On("/.well-known/oauth-authorization-server/as", context =>
        {
            context.Response.Redirect(other.Origin + "/stolen");
            return Task.CompletedTask;
        });

        (await Get(world)).Refused("metadata-not-found");
        Assert.Equal(0, other.Connections);
    }

    [Fact]
    public async Task Html_WithStatus200_IsNoDocument()
    {
        await using var world = await World.StartAsync();
        world.Server.On("/.well-known/oauth-authorization-server/as", context => ScriptedServer.Text(context, world.Metadata(), 200));

        (await Get(world)).Refused("metadata-not-found");
    }

    [Fact]
    public async Task Cache_WhileFresh_AsksOnceForManyCallers()
    {
        await using var world = await World.StartAsync();

        var all = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Get(world)));

        Assert.All(all, outcome => Assert.Null(outcome.Refusal));
        Assert.Single(world.Server.Log);
    }

    [Fact]
    public async Task Cache_WhenTheServerFailsLater_KeepsTheGoodCopyForADay()
    {
        var time = new FakeTimeProvider();
        await using var world = await World.StartAsync(time: time);
        await world.MetadataAsync();
        world.PublishMetadata(issuer: "https://evil.example");
        time.Advance(TimeSpan.FromHours(2));

        Assert.Equal(world.Server.Issuer, (await Get(world)).Value().Issuer);
        Assert.True(world.Server.Log.Count > 1); // it did ask

        time.Advance(TimeSpan.FromHours(23));
        (await Get(world)).Refused("issuer-mismatch");
    }

    [Fact]
    public async Task Cache_AfterAFailure_PausesThenAsksAgain()
    {
        var time = new FakeTimeProvider();
        await using var world = await World.StartAsync(time: time);
        world.Server.On("/.well-known/oauth-authorization-server/as", context =>
        {
            context.Response.StatusCode = 503;
            context.Response.Headers.RetryAfter = "7";
            return Task.CompletedTask;
        });
        Assert.Equal(TimeSpan.FromSeconds(7), (await Get(world)).Refused("metadata-unavailable").RetryAfter);
        (await Get(world)).Refused("metadata-unavailable");
        Assert.Single(world.Server.Log);

        world.PublishMetadata();
        time.Advance(TimeSpan.FromSeconds(31));

        (await Get(world)).Value();
        Assert.Equal(2, world.Server.Log.Count);
    }

    [Fact]
    public async Task Cache_WithManyIssuers_StaysBounded()
    {
        await using var world = await World.StartAsync(new OAuthOptions { MaxDocuments = 4 });
        for (var i = 0; i < 20; i++)
        {
            world.Settings = World.SettingsFor($"{world.Server.Origin}/nobody-{i}");
            (await Get(world)).Refused("metadata-not-found");
        }

        Assert.InRange(world.Client.Metadata.Remembered, 1, 4);
    }

    [Fact]
    public async Task Server_ThatDoesNotAnswerInTime_IsUnavailable()
    {
        await using var world = await World.StartAsync(new OAuthOptions { RequestTimeout = TimeSpan.FromMilliseconds(200) });
        world.Server.On("/.well-known/oauth-authorization-server/as", context => Task.Delay(Timeout.Infinite, context.RequestAborted));

        (await Get(world)).Refused("metadata-unavailable");
    }
}
