using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Postern.Sandbox.Tests;

/// <summary>Client authentication by <c>private_key_jwt</c> (RFC 7523, OIDC Core section 9).</summary>
public sealed class AssertionTests(SandboxFixture sandbox) : IClassFixture<SandboxFixture>
{
    [Fact]
    public async Task Assertion_UsedTwice_IsRefusedTheSecondTime()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "generic", SandboxFixture.AssertionClient, secret: null);
        var assertion = NewAssertion(client, id: "jti-1");

        // An unknown refresh token: the answer tells whether the client was authenticated.
        Assert.Equal("invalid_grant", (await RefreshAsync(client, assertion)).Error);
        Assert.Equal("invalid_client", (await RefreshAsync(client, assertion)).Error);
        Assert.Equal("invalid_client", (await RefreshAsync(client, NewAssertion(client, id: "jti-1"))).Error);
        Assert.Equal("invalid_grant", (await RefreshAsync(client, NewAssertion(client, id: "jti-2"))).Error);
    }

    [Fact]
    public async Task Assertion_SixAtOnce_IsAcceptedOnce()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "generic", SandboxFixture.AssertionClient, secret: null);
        var assertion = NewAssertion(client, id: "jti-race");

        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => RefreshAsync(client, assertion)));

        Assert.Single(answers, answer => answer.Error == "invalid_grant");
        Assert.Equal(5, answers.Count(answer => answer.Error == "invalid_client"));
    }

    [Fact]
    public async Task Assertion_WithoutJtiOrForAnotherAudienceOrOfAnotherKey_IsRefused()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "generic", SandboxFixture.AssertionClient, secret: null);
        var foreignKey = new RsaSecurityKey(System.Security.Cryptography.RSA.Create(2048)) { KeyId = sandbox.AssertionKey.KeyId };

        Assert.Equal("invalid_client", (await RefreshAsync(client, NewAssertion(client, id: null))).Error);
        Assert.Equal("invalid_client", (await RefreshAsync(client, NewAssertion(client, "jti-a", audience: "http://127.0.0.1:1/generic"))).Error);
        Assert.Equal("invalid_client", (await RefreshAsync(client, NewAssertion(client, "jti-b", key: foreignKey))).Error);
    }

    private static Task<TokenAnswer> RefreshAsync(OAuthClient client, string assertion) => client.TokenAsync(new()
    {
        ["grant_type"] = "refresh_token",
        ["refresh_token"] = "unknown",
        ["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ["client_assertion"] = assertion,
    });

    private string NewAssertion(OAuthClient client, string? id, string? audience = null, SecurityKey? key = null)
    {
        var claims = new Dictionary<string, object> { ["sub"] = client.Id };
        if (id is not null)
        {
            claims["jti"] = id;
        }

        return new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = true, TokenLifetimeInMinutes = 1 }.CreateToken(new SecurityTokenDescriptor
        {
            Issuer = client.Id,
            Audience = audience ?? client.Issuer,
            Claims = claims,
            TokenType = "client-authentication+jwt",
            SigningCredentials = new SigningCredentials(key ?? sandbox.AssertionKey, SecurityAlgorithms.RsaSha256),
        });
    }
}
