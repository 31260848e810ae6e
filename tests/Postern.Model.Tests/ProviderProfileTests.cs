using System.Text;

namespace Postern.Model.Tests;

/// <summary>Provider profiles are data that is believed only as a whole.</summary>
public sealed class ProviderProfileTests
{
    private const string Whole = """
        { "acme": { "displayName": "Acme", "rotation": "grace", "grace": "00:00:30", "revocation": true, "tokenRequestsPerMinute": 60,
          "queryScopes": ["sql"], "scopes": { "sql": "Run SQL." },
          "sources": { "rotation": "x", "grace": "x", "revocation": "x", "tokenRequestsPerMinute": "x", "scopes": "x" } } }
        """;

    [Fact]
    public void Presets_AreTheOnesThatTheProductNames() => Assert.Equal(
        ["auth0", "databricks", "entra", "generic", "google", "keycloak", "okta", "snowflake"], ProviderProfile.All.Select(profile => profile.Name).Order(StringComparer.Ordinal));

    [Fact]
    public void Profile_InAWholeFile_IsRead()
    {
        var profile = Assert.Single(Read(Whole));

        Assert.Equal(("acme", RefreshRotation.RotatingWithGrace, TimeSpan.FromSeconds(30), true, 60), (profile.Name, profile.Rotation, profile.Grace, profile.CanRevoke, profile.TokenRequestsPerMinute));
        Assert.True(profile.AllowsQueries(["sql"]) && !profile.AllowsQueries(["email"]));
    }

    [Theory]
    [InlineData("\"grace\": \"00:00:30\", ", "", "grace goes with")]
    [InlineData("\"rotation\": \"grace\"", "\"rotation\": \"single-use\"", "grace goes with")]
    [InlineData("\"rotation\": \"grace\"", "\"rotation\": \"daily\"", "no rotation")]
    [InlineData("\"revocation\": true, ", "", "'revocation' is missing")]
    [InlineData("\"revocation\": true", "\"revocation\": \"yes\"", "not JSON as expected")]
    [InlineData("\"displayName\"", "\"displayname\"", "'displayName' is missing")]
    [InlineData("\"displayName\": \"Acme\"", "\"displayName\": \"Acme\", \"rotations\": 1", "'rotations' is not known")]
    [InlineData("\"rotation\": \"x\", ", "", "'rotation' has no source")]
    [InlineData("\"tokenRequestsPerMinute\": 60", "\"tokenRequestsPerMinute\": 0", "below 6")]
    [InlineData("\"00:00:30\"", "\"half a minute\"", "no duration")]
    [InlineData("[\"sql\"]", "[\"sequel\"]", "not among the scopes")]
    [InlineData("\"displayName\": \"Acme\"", "\"displayName\": \"Acme\", \"displayName\": \"B\"", "not JSON as expected")]
    public void Profile_WithOneMistake_IsRefused(string text, string instead, string why)
    {
        Assert.Contains(text, Whole, StringComparison.Ordinal);

        var refused = Assert.Throws<FormatException>(() => Read(Whole.Replace(text, instead, StringComparison.Ordinal)));

        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Behaviour_OfAConnection_ReplacesSingleValuesOnly()
    {
        var settings = new AuthorizationSettings("okta", "https://as.test", "postern", null, ClientAuthentication.None, ["sql"])
        {
            Behaviour = new ProviderBehaviour { Rotation = RefreshRotation.None, TokenRequestsPerMinute = 30 },
        };

        var profile = ProviderProfile.Of(settings)!;
        var preset = ProviderProfile.Find("okta")!;

        Assert.Equal((RefreshRotation.None, 30), (profile.Rotation, profile.TokenRequestsPerMinute));
        Assert.Equal((preset.CanRevoke, preset.AssumedAccessToken, preset.Scopes), (profile.CanRevoke, profile.AssumedAccessToken, profile.Scopes));
    }

    private static IReadOnlyList<ProviderProfile> Read(string json) => ProviderProfileReader.Read(new MemoryStream(Encoding.UTF8.GetBytes(json)));
}
