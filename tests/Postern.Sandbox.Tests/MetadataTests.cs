using System.Net;

namespace Postern.Sandbox.Tests;

public sealed class MetadataTests(SandboxFixture sandbox) : IClassFixture<SandboxFixture>
{
    [Theory]
    [InlineData("/oidc/.well-known/oauth-authorization-server", "/oidc")]
    [InlineData("/oidc/.well-known/openid-configuration", "/oidc")]
    [InlineData("/.well-known/oauth-authorization-server/generic", "/generic")]
    [InlineData("/generic/.well-known/openid-configuration", "/generic")]
    [InlineData("/corp/.well-known/openid-configuration", "/corp")]
    public async Task Metadata_OfEachIssuer_NamesItselfAndS256Only(string path, string issuer)
    {
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");

        var metadata = (await client.GetAsync(path)).Json;

        Assert.Equal(sandbox.Server.Address.GetLeftPart(UriPartial.Authority) + issuer, metadata.GetProperty("issuer").GetString());
        Assert.Equal("S256", Assert.Single(metadata.GetProperty("code_challenge_methods_supported").EnumerateArray()).GetString());
        Assert.Equal("code", Assert.Single(metadata.GetProperty("response_types_supported").EnumerateArray()).GetString());
        Assert.True(metadata.GetProperty("authorization_response_iss_parameter_supported").GetBoolean());
        foreach (var endpoint in metadata.EnumerateObject().Where(member => member.Name.EndsWith("_endpoint", StringComparison.Ordinal)))
        {
            var answer = await client.GetAsync(new Uri(endpoint.Value.GetString()!).AbsolutePath);
            Assert.NotEqual(HttpStatusCode.NotFound, answer.Status);
        }
    }

    [Fact]
    public async Task Metadata_Workspace_AdvertisesNothingItLacks()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");

        var metadata = (await client.GetAsync("/oidc/.well-known/oauth-authorization-server")).Json;

        Assert.Equal(
            ["authorization_endpoint", "token_endpoint"],
            metadata.EnumerateObject().Select(member => member.Name).Where(name => name.EndsWith("_endpoint", StringComparison.Ordinal)));
        Assert.DoesNotContain("revocation", metadata.GetRawText(), StringComparison.Ordinal);
        Assert.DoesNotContain("introspection", metadata.GetRawText(), StringComparison.Ordinal);
        Assert.Equal(
            ["all-apis", "email", "offline_access", "openid", "profile", "sql"],
            metadata.GetProperty("scopes_supported").EnumerateArray().Select(scope => scope.GetString()).Order(StringComparer.Ordinal));
        foreach (var path in new[] { "/oidc/v1/revoke", "/oidc/v1/par", "/oidc/v1/introspect" })
        {
            Assert.Equal(HttpStatusCode.NotFound, (await client.PostAsync(path, new() { ["token"] = "x" })).Status);
        }
    }

    [Fact]
    public async Task Metadata_Generic_AdvertisesParRevocationAndIntrospection()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "generic");

        var metadata = (await client.GetAsync("/.well-known/oauth-authorization-server/generic")).Json;

        foreach (var (member, path) in new[]
        {
            ("pushed_authorization_request_endpoint", "par"), ("revocation_endpoint", "revoke"),
            ("introspection_endpoint", "introspect"), ("userinfo_endpoint", "userinfo"),
        })
        {
            Assert.Equal($"{client.Issuer}/{path}", metadata.GetProperty(member).GetString());
        }
    }

    [Fact]
    public async Task Jwks_OfEachIssuer_IsItsOwnAndPublicOnly()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "workspace");

        var keys = new List<string>();
        foreach (var path in new[] { "/oidc/jwks.json", "/generic/jwks.json", "/corp/jwks.json" })
        {
            var key = Assert.Single((await client.GetAsync(path)).Json.GetProperty("keys").EnumerateArray());
            Assert.Equal("RS256", key.GetProperty("alg").GetString());
            Assert.False(key.TryGetProperty("d", out _));
            keys.Add(key.GetProperty("n").GetString()!);
        }

        Assert.Equal(3, keys.Distinct().Count());
    }

    [Fact]
    public async Task Server_HostOfAnotherName_IsMisdirected()
    {
        using var http = new HttpClient(new SocketsHttpHandler());
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(sandbox.Server.Address, "/__sandbox/log"));
        request.Headers.Host = "rebound.example";

        using var response = await http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.MisdirectedRequest, response.StatusCode);
    }
}
