using Postern.Model;

namespace Postern.Model.Tests;

/// <summary>Whoever changes where a token may go changes the digest that the token is sealed to.</summary>
public sealed class ConnectionDigestTests
{
    private static Connection Given { get; } = new(
        TenantId.Parse("acme"), ConnectionId.Parse("lakehouse"), "Lakehouse", "databricks", new Uri("https://adb.example/"), IdentityMode.User, IdentityMatch.Email,
        new AuthorizationSettings("databricks", "https://adb.example/oidc", "postern", new SecretText("a-secret-of-this-client"), ClientAuthentication.SecretBasic, ["sql"]),
        new ExecutionSettings("w1", "main", "demo"));

    public static TheoryData<string, Connection> Moved => new()
    {
        { "tenant", Given with { Tenant = TenantId.Parse("other") } },
        { "connection", Given with { Id = ConnectionId.Parse("other") } },
        { "platform", Given with { Platform = "trino" } },
        { "endpoint", Given with { Endpoint = new Uri("https://evil.example/") } },
        { "endpoint path", Given with { Endpoint = new Uri("https://adb.example/x") } },
        { "identity", Given with { Identity = IdentityMode.Service } },
        { "issuer", Given with { Authorization = Given.Authorization with { Issuer = "https://evil.example/oidc" } } },
        { "client", Given with { Authorization = Given.Authorization with { ClientId = "other" } } },
    };

    [Theory]
    [MemberData(nameof(Moved))]
    public void Digest_WhereTokensGoChanged_IsAnother(string what, Connection moved) =>
        Assert.False(ConnectionDigest.Of(Given).AsSpan().SequenceEqual(ConnectionDigest.Of(moved)), what);

    [Fact]
    public void Digest_SecretRotatedOrTextsChanged_IsTheSame()
    {
        var rotated = Given with
        {
            DisplayName = "Lakehouse (new)",
            Revision = 7,
            Authorization = Given.Authorization with { ClientSecret = new SecretText("the-next-secret-of-it"), Scopes = ["sql", "offline_access"] },
        };
        Assert.Equal(ConnectionDigest.Of(Given), ConnectionDigest.Of(rotated));
    }

    [Fact]
    public void Digest_FieldsShiftedAcrossTheirBorder_IsAnother()
    {
        var left = Given with { Platform = "ab", Authorization = Given.Authorization with { ClientId = "c" } };
        var right = Given with { Platform = "a", Authorization = Given.Authorization with { ClientId = "bc" } };
        Assert.NotEqual(ConnectionDigest.Of(left), ConnectionDigest.Of(right));
    }
}
