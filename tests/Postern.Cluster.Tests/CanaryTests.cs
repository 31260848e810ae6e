using System.Security.Cryptography;
using System.Text;

namespace Postern.Cluster.Tests;

/// <summary>The canary finds what is planted; a search that finds nothing anywhere would prove nothing.</summary>
public sealed class CanaryTests
{
    private const string Token = "q7Zt0bXv5nLr2eKc9wYs4mHd8pUf3gJa6oTi1xVz";

    [Theory]
    [InlineData("before eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJ3cy1hbmEifQ.c2lnbmF0dXJl after", "a JWT")]
    [InlineData("Data: sandbox-secret-postern;", "the client secret sandbox-secret-postern")]
    [InlineData("cookie=the-cookie-of-ana", "a secret that a browser was given")]
    [InlineData("skylinelakehouse" + Token + "offline_access", "a refresh token")]
    [InlineData("refresh=" + Token, "a refresh token")]
    public void Find_SecretPlanted_NamesItsKind(string text, string kind)
    {
        var fingerprint = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Token)))[..12];
        Assert.Equal([kind], Canary.Find(text, new HashSet<string> { "the-cookie-of-ana" }, new HashSet<string> { fingerprint }, new HashSet<int> { Token.Length }));
    }

    [Fact]
    public void Find_NothingPlanted_FindsNothing() => Assert.Empty(Canary.Find(
        "info: QueryStarted tenant=skyline grant=da13d77d-cba0-4a44-925f-e177b2cf3b09 " + new string('a', 64),
        new HashSet<string> { "the-cookie-of-ana" }, new HashSet<string> { "0123456789ab" }, new HashSet<int> { 40 }));
}
