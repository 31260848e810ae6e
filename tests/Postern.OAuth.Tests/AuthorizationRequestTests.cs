using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Postern.Model;
using Postern.OAuth.Tests.Support;

namespace Postern.OAuth.Tests;

public sealed class AuthorizationRequestTests
{
    private const string Par = ",\"pushed_authorization_request_endpoint\":\"ISSUER/par\"";

    private static void PublishPar(World world, string extra = "") =>
        world.PublishMetadata(Par.Replace("ISSUER", world.Server.Issuer, StringComparison.Ordinal) + extra);

    private static async Task<Outcome<AuthorizationRequest>> Begin(World world, string redirectUri = World.RedirectUri) =>
        await world.Client.Authorizations.BeginAsync(world.Settings, await world.MetadataAsync(), redirectUri, CancellationToken.None);

    [Fact]
    public async Task Begin_WithoutPar_SendsExactlyTheParametersOfACodeFlowWithS256()
    {
        await using var world = await World.StartAsync();

        var request = await world.BeginAsync();

        var query = Expect.Query(request.Url);
        Assert.Equal(["client_id", "code_challenge", "code_challenge_method", "redirect_uri", "response_type", "scope", "state"],
            query.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("code", query["response_type"]);
        Assert.Equal("S256", query["code_challenge_method"]);
        Assert.Equal(World.RedirectUri, query["redirect_uri"]);
        Assert.Equal("sql offline_access", query["scope"]);
        Assert.Equal(request.Pending.State.Reveal(), query["state"]);
        var expected = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(request.Pending.Verifier.Reveal())));
        Assert.Equal(expected, query["code_challenge"]);
        Assert.Null(request.Pending.Nonce);
    }

    [Fact] // RFC 7636 appendix B
    public void Challenge_OfTheStandardsExample_IsItsChallenge() =>
        Assert.Equal("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            AuthorizationRequests.Challenge(new SecretText("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")));

    [Fact]
    public async Task Begin_WithOpenid_SendsAFreshNonce()
    {
        await using var world = await World.StartAsync();
        world.Settings = World.SettingsFor(world.Server.Issuer, "openid", "sql");

        var request = await world.BeginAsync();

        Assert.Equal(request.Pending.Nonce!.Reveal(), Expect.Query(request.Url)["nonce"]);
        Assert.Equal(43, request.Pending.Nonce.Reveal().Length);
    }

    [Fact]
    public async Task Begin_AThousandTimes_NeverRepeatsAStateNonceOrVerifier()
    {
        await using var world = await World.StartAsync();
        world.Settings = World.SettingsFor(world.Server.Issuer, "openid");
        var texts = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < 1000; i++)
        {
            var pending = (await world.BeginAsync()).Pending;
            foreach (var secret in new[] { pending.State, pending.Verifier, pending.Nonce! })
            {
                Assert.Matches("^[A-Za-z0-9_-]{43}$", secret.Reveal());
                Assert.True(texts.Add(secret.Reveal()));
            }
        }
    }

    [Fact] // attack 3: downgrade by metadata
    public async Task Begin_WhenMetadataIsSilentOnPkce_SendsS256()
    {
        await using var world = await World.StartAsync();

        Assert.Null((await world.MetadataAsync()).CodeChallengeMethods);
        Assert.Equal("S256", Expect.Query((await world.BeginAsync()).Url)["code_challenge_method"]);
    }

    [Theory] // attack 3: downgrade by metadata
    [InlineData("[\"plain\"]")]
    [InlineData("[]")]
    [InlineData("[\"s256\"]")]
    public async Task Begin_WhenMetadataOffersNoS256_Refuses(string methods)
    {
        await using var world = await World.StartAsync();
        world.PublishMetadata($",\"code_challenge_methods_supported\":{methods}");

        (await Begin(world)).Refused("pkce-s256-unsupported");
    }

    [Theory]
    [InlineData("http://gateway.example/callback")]
    [InlineData("https://gateway.example/callback#x")]
    [InlineData("/callback")]
    [InlineData("javascript:alert(1)")]
    [InlineData("https://user@gateway.example/callback")]
    public async Task Begin_WithAnUnsafeRedirectUri_Refuses(string redirectUri)
    {
        await using var world = await World.StartAsync();

        (await Begin(world, redirectUri)).Refused("redirect-uri-invalid");
    }

    [Fact]
    public async Task Begin_WithMetadataOfAnotherIssuer_IsABug()
    {
        await using var world = await World.StartAsync();
        var metadata = await world.MetadataAsync();
        var other = World.SettingsFor("https://other.example");

        await Assert.ThrowsAsync<ArgumentException>(() =>
            world.Client.Authorizations.BeginAsync(other, metadata, World.RedirectUri, CancellationToken.None));
    }

    [Fact]
    public async Task Begin_AtAnEndpointWithAQuery_KeepsIt()
    {
        await using var world = await World.StartAsync();
        var metadata = await world.MetadataAsync() with { AuthorizationEndpoint = new Uri("https://as.example/go?tenant=7") };

        var request = (await world.Client.Authorizations.BeginAsync(world.Settings, metadata, World.RedirectUri, CancellationToken.None)).Value();

        Assert.StartsWith("https://as.example/go?tenant=7&response_type=code&", request.Url, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ClientAuthentication.SecretBasic)]
    [InlineData(ClientAuthentication.SecretPost)]
    [InlineData(ClientAuthentication.None)]
    public async Task Begin_WherePushedRequestsAreOffered_ShowsTheBrowserClientAndReferenceOnly(ClientAuthentication method)
    {
        await using var world = await World.StartAsync();
        world.Settings = world.Settings with { ClientAuthentication = method };
        PublishPar(world);
        world.Server.OnJson("/as/par", """{"request_uri":"urn:x:y z&1","expires_in":60}""", 201);

        var request = await world.BeginAsync();

        Assert.True(request.Pushed);
        Assert.Equal(TimeSpan.FromSeconds(60), request.ValidFor);
        var query = Expect.Query(request.Url);
        Assert.Equal(["client_id", "request_uri"], query.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("urn:x:y z&1", query["request_uri"]);
        var pushed = Assert.Single(world.Server.To("/as/par"));
        Assert.Equal(World.ClientId, pushed.Form["client_id"]);
        Assert.Equal("S256", pushed.Form["code_challenge_method"]);
        Assert.Equal(request.Pending.State.Reveal(), pushed.Form["state"]);
        Assert.Equal(method == ClientAuthentication.SecretBasic, pushed.Authorization is not null);
        Assert.Equal(method == ClientAuthentication.SecretPost, pushed.Form.ContainsKey("client_secret"));
    }

    [Fact]
    public async Task Begin_WhenParIsNeverUsed_DoesNotPush()
    {
        await using var world = await World.StartAsync();
        PublishPar(world);
        world.Settings = world.Settings with { Par = ParUse.Never };

        Assert.False((await world.BeginAsync()).Pushed);
        Assert.Empty(world.Server.To("/as/par"));
    }

    [Fact]
    public async Task Begin_WhenParIsRequiredButNotOffered_Refuses()
    {
        await using var world = await World.StartAsync();
        world.Settings = world.Settings with { Par = ParUse.Required };

        (await Begin(world)).Refused("par-required");
    }

    [Fact]
    public async Task Begin_WhenTheServerRequiresParAndTheConnectionForbidsIt_Refuses()
    {
        await using var world = await World.StartAsync();
        PublishPar(world, ",\"require_pushed_authorization_requests\":true");
        world.Settings = world.Settings with { Par = ParUse.Never };

        (await Begin(world)).Refused("par-required");
    }

    [Theory]
    [InlineData(400, "par-rejected")]
    [InlineData(401, "par-rejected")]
    [InlineData(413, "par-rejected")]
    [InlineData(429, "par-unavailable")]
    [InlineData(500, "par-unavailable")]
    [InlineData(503, "par-unavailable")]
    [InlineData(307, "par-unavailable")]
    public async Task Begin_WhenThePushFails_DoesNotFallBackToAPlainRequest(int status, string code)
    {
        await using var world = await World.StartAsync();
        PublishPar(world);
        world.Server.OnJson("/as/par", """{"error":"invalid_request","error_description":"marker-description"}""", status);

        var refusal = (await Begin(world)).Refused(code);

        Assert.DoesNotContain("marker", refusal.Detail, StringComparison.Ordinal);
        Assert.Single(world.Server.To("/as/par"));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{\"request_uri\":\"urn:x\"}")]
    [InlineData("{\"request_uri\":\"urn:x\",\"expires_in\":\"60\"}")]
    [InlineData("{\"request_uri\":\"urn:x\",\"expires_in\":0}")]
    [InlineData("{\"request_uri\":\"\",\"expires_in\":60}")]
    [InlineData("{\"request_uri\":\"urn:x\",\"request_uri\":\"urn:y\",\"expires_in\":60}")]
    [InlineData("<html>")]
    public async Task Begin_WhenThePushIsAnsweredWithNonsense_Refuses(string body)
    {
        await using var world = await World.StartAsync();
        PublishPar(world);
        world.Server.OnJson("/as/par", body, 201);

        Assert.Equal(RefusalKind.Untrusted, (await Begin(world)).Refused("par-malformed").Kind);
    }

    [Fact]
    public async Task Pending_SealedAndReadBack_IsTheSame()
    {
        await using var world = await World.StartAsync();
        world.Settings = World.SettingsFor(world.Server.Issuer, "openid");
        var pending = (await world.BeginAsync()).Pending;

        using var secret = pending.ToSecret();
        Assert.True(PendingAuthorization.TryRead(secret, out var read));
        Assert.Equal(pending, read);
        using var again = read.ToSecret();
        Assert.Equal(secret, again);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("{\"v\":2}")]
    [InlineData("{\"v\":1,\"state\":7}")]
    [InlineData("{\"v\":1,\"state\":\"\"}")]
    public void Pending_FromAnythingElse_IsNotRead(string text)
    {
        using var secret = SecretBytes.FromText(text);
        Assert.False(PendingAuthorization.TryRead(secret, out _));
    }
}
