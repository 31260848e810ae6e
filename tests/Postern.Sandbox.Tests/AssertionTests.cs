using System.Net;
using System.Security.Cryptography;
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

        Assert.Equal(HttpStatusCode.Created, (await PushAsync(client, assertion)).Status);
        Assert.Equal("invalid_client", (await PushAsync(client, assertion)).Error);
        Assert.Equal("invalid_client", (await PushAsync(client, NewAssertion(client, id: "jti-1"))).Error);
        Assert.Equal(HttpStatusCode.Created, (await PushAsync(client, NewAssertion(client, id: "jti-2"))).Status);
    }

    [Fact]
    public async Task Assertion_SixAtOnce_IsAcceptedOnce()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "generic", SandboxFixture.AssertionClient, secret: null);
        var assertion = NewAssertion(client, id: "jti-race");

        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => PushAsync(client, assertion)));

        Assert.Single(answers, answer => answer.Status == HttpStatusCode.Created);
        Assert.Equal(5, answers.Count(answer => answer.Status != HttpStatusCode.Created && answer.Error == "invalid_client"));
    }

    [Fact]
    public async Task Assertion_WithoutJtiOrForAnotherAudienceOrOfAnotherKey_IsRefused()
    {
        using var client = new OAuthClient(sandbox.Server.Address, "generic", SandboxFixture.AssertionClient, secret: null);
        var foreignKey = new RsaSecurityKey(RSA.Create(2048)) { KeyId = sandbox.AssertionKey.KeyId };
        string[] bad =
        [
            NewAssertion(client, id: null),
            NewAssertion(client, "jti-a", audience: "http://127.0.0.1:1/generic"),
            NewAssertion(client, "jti-b", audience: client.Issuer + "/token"),
            NewAssertion(client, "jti-c", key: foreignKey),
        ];
        foreach (var assertion in bad)
        {
            var answer = await PushAsync(client, assertion);

            Assert.Contains(answer.Status, new[] { HttpStatusCode.BadRequest, HttpStatusCode.Unauthorized });
            Assert.StartsWith("invalid_", answer.Error, StringComparison.Ordinal);
        }
    }

    // A pushed request needs nothing but an authenticated client.
    private static Task<TokenAnswer> PushAsync(OAuthClient client, string assertion) => client.PushAsync(
        new Dictionary<string, string>(client.Request(OAuthClient.NewVerifier()))
        {
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
