using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Postern.Model;
using Postern.OAuth.Tests.Support;

namespace Postern.OAuth.Tests;

public sealed class IdTokenTests : IAsyncLifetime
{
    private static readonly RSA Key = RSA.Create(2048);
    private static readonly RSA Stranger = RSA.Create(2048);
    private static readonly ECDsa Curve = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly FakeTimeProvider time = new(DateTimeOffset.Parse("2026-01-02T03:04:05Z"));
    private World world = null!;
    private PendingAuthorization pending = null!;

    public async ValueTask InitializeAsync()
    {
        world = await World.StartAsync(time: time);
        world.Settings = World.SettingsFor(world.Server.Issuer, "openid", "email");
        world.Server.OnJson("/as/jwks", Jose.KeySet(Jose.Jwk(Key, "k1"), Jose.Jwk(Curve, "ec1")));
        pending = (await world.BeginAsync()).Pending;
    }

    public ValueTask DisposeAsync() => world.DisposeAsync();

    private long Now => time.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>The claims of an honest token; a null removes one, anything else is JSON text that replaces or adds one.</summary>
    private string Payload(params (string Name, string? Json)[] changes)
    {
        var claims = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["iss"] = $"\"{world.Server.Issuer}\"",
            ["aud"] = "\"postern\"",
            ["sub"] = "\"corp-ana\"",
            ["exp"] = $"{Now + 300}",
            ["iat"] = $"{Now}",
            ["nonce"] = $"\"{pending.Nonce!.Reveal()}\"",
            ["email"] = "\"ana@skyline.example\"",
            ["email_verified"] = "true",
            ["name"] = "\"Ana Ortega\"",
        };
        foreach (var (name, json) in changes)
        {
            if (json is null)
                claims.Remove(name);
            else
                claims[name] = json;
        }
        return "{" + string.Join(',', claims.Select(c => $"\"{c.Key}\":{c.Value}")) + "}";
    }

    private string Signed(params (string Name, string? Json)[] changes) =>
        Jose.Rs256(Key, """{"alg":"RS256","kid":"k1"}""", Payload(changes));

    private async Task<Outcome<IdentityToken>> Read(string? token)
    {
        using var tokens = new TokenSet(SecretBytes.FromText(World.AccessToken), null, null, null, token is null ? null : new SecretText(token));
        var callback = world.Judge($"code=1&state={pending.State.Reveal()}", pending).Value();
        return await world.Client.IdTokens.ReadAsync(tokens, callback, world.Settings, await world.MetadataAsync(), CancellationToken.None);
    }

    [Fact]
    public async Task Token_OfAnHonestServer_SaysWhoSignedIn()
    {
        var identity = (await Read(Signed(("groups", """["a","b"]"""), ("level", "7"), ("address", "{}")))).Value();

        Assert.Equal((world.Server.Issuer, "corp-ana"), (identity.Issuer, identity.Subject));
        Assert.Equal(("ana@skyline.example", true, "Ana Ortega"), (identity.Email, identity.EmailVerified, identity.Name));
        Assert.Equal(["a", "b"], identity.Claims["groups"]);
        Assert.Equal(["7"], identity.Claims["level"]);
        Assert.False(identity.Claims.ContainsKey("address"));
        Assert.False(identity.Claims.ContainsKey("nonce"));
    }

    [Fact] // the whole way, as a sign-in goes
    public async Task SignIn_FromBeginToIdentity_Works()
    {
        world.Server.OnJson("/as/token", $$"""{"access_token":"a","token_type":"Bearer","id_token":"{{Signed()}}"}""");
        var metadata = await world.MetadataAsync();
        var callback = world.Judge($"code=1&state={pending.State.Reveal()}", pending).Value();

        var answer = await world.Client.Tokens.ExchangeAsync(callback, world.Settings, CancellationToken.None);
        using var tokens = Assert.IsType<TokenAnswer.Issued>(answer).Tokens;
        var identity = await world.Client.IdTokens.ReadAsync(tokens, callback, world.Settings, metadata, CancellationToken.None);

        Assert.Equal("corp-ana", identity.Value().Subject);
    }

    [Fact]
    public async Task Signature_OfEveryAllowedAlgorithm_IsVerified()
    {
        (await Read(Jose.Ps256(Key, """{"alg":"PS256","kid":"k1","typ":"JWT"}""", Payload()))).Value();
        (await Read(Jose.Es256(Curve, """{"alg":"ES256","kid":"ec1","typ":"jwt"}""", Payload()))).Value();
        (await Read(Jose.Rs256(Key, """{"alg":"RS256"}""", Payload()))).Value(); // without kid the type chooses
    }

    [Fact] // TR-18
    public async Task Algorithm_NoneHmacOrUnknown_IsRefused()
    {
        var spki = Key.ExportSubjectPublicKeyInfo();
        var pem = Encoding.ASCII.GetBytes(Key.ExportSubjectPublicKeyInfoPem());
        foreach (var alg in new[] { "none", "None", "HS256", "RS384", "ES384", "RS256 ", "rs256", "EdDSA", "" })
        {
            var header = $$"""{"alg":"{{alg}}","kid":"k1"}""";
            (await Read(Jose.Hs256(pem, header, Payload()))).Refused("id-token-alg");
            (await Read(Jose.Hs256(spki, header, Payload()))).Refused("id-token-alg");
        }
        (await Read(Jose.Part("""{"alg":"none"}""") + "." + Jose.Part(Payload()) + ".")).Refused("id-token-alg");
        (await Read(Jose.Rs256(Key, """{"kid":"k1"}""", Payload()))).Refused("id-token-alg");
        Assert.Empty(world.Server.To("/as/jwks"));
    }

    [Fact]
    public async Task Signature_OfAStrangerOrOfOtherClaims_IsRefused()
    {
        var header = """{"alg":"RS256","kid":"k1"}""";
        (await Read(Jose.Rs256(Stranger, header, Payload()))).Refused("id-token-signature");
        (await Read(Jose.Ps256(Key, header, Payload()))).Refused("id-token-signature");
        var parts = Signed().Split('.');
        (await Read($"{parts[0]}.{Jose.Part(Payload(("sub", "\"corp-admin\"")))}.{parts[2]}")).Refused("id-token-signature");
        (await Read($"{parts[0]}.{parts[1]}.")).Refused("id-token-signature");
        (await Read($"{parts[0]}.{parts[1]}.{parts[2]}=")).Refused("id-token-signature");
        (await Read($"{parts[0]}.{parts[1]}. {parts[2]}")).Refused("id-token-signature");
    }

    [Fact] // TR-24: keys come from the issuer's own address and nowhere else
    public async Task Header_ThatNamesAKeyOfItsOwn_ChangesNothing()
    {
        await using var thief = await ScriptedServer.StartAsync();
        thief.OnJson("/jwks", Jose.KeySet(Jose.Jwk(Stranger, "k1")));
        var jwk = Jose.Jwk(Stranger, "k1");
        foreach (var extra in new[] { $"\"jku\":\"{thief.Origin}/jwks\"", $"\"x5u\":\"{thief.Origin}/x\"", $"\"jwk\":{jwk}" })
            (await Read(Jose.Rs256(Stranger, $$"""{"alg":"RS256","kid":"k1",{{extra}}}""", Payload()))).Refused("id-token-signature");
        Assert.Equal(0, thief.Connections);
    }

    [Theory]
    [InlineData("""{"alg":"RS256","kid":"k1","crit":["exp"]}""", "id-token-critical-header")]
    [InlineData("""{"alg":"RS256","kid":"k1","b64":false,"crit":["b64"]}""", "id-token-critical-header")]
    [InlineData("""{"alg":"RS256","kid":"k1","typ":"at+jwt"}""", "id-token-type")]
    [InlineData("""{"alg":"RS256","kid":"k1","typ":"logout+jwt"}""", "id-token-type")]
    [InlineData("""{"alg":"RS256","kid":"k1","typ":7}""", "id-token-malformed")]
    [InlineData("""{"alg":"RS256","kid":["k1"]}""", "id-token-malformed")]
    [InlineData("""{"alg":"none","alg":"RS256","kid":"k1"}""", "id-token-malformed")]
    [InlineData("""["RS256"]""", "id-token-malformed")]
    public async Task Header_OfAnotherKindOfToken_IsRefused(string header, string code) =>
        (await Read(Jose.Rs256(Key, header, Payload()))).Refused(code);

    public static TheoryData<string, string?, string> BadClaims() => new()
    {
        { "iss", "\"https://evil.example\"", "id-token-issuer" },
        { "iss", "\"ISSUER/\"", "id-token-issuer" },
        { "iss", "[\"ISSUER\"]", "id-token-issuer" },
        { "iss", null, "id-token-issuer" },
        { "aud", "\"someone-else\"", "id-token-audience" },
        { "aud", "\"POSTERN\"", "id-token-audience" },
        { "aud", "[\"postern\",\"stranger\"]", "id-token-audience" },
        { "aud", "[]", "id-token-audience" },
        { "aud", "{\"postern\":1}", "id-token-audience" },
        { "aud", null, "id-token-audience" },
        { "azp", "\"someone-else\"", "id-token-audience" },
        { "exp", "NOW-61", "id-token-expired" },
        { "exp", "NOW-60", "id-token-expired" },
        { "exp", "\"NOW+300\"", "id-token-expired" },
        { "exp", "99999999999999", "id-token-expired" },
        { "exp", null, "id-token-expired" },
        { "iat", "NOW+61", "id-token-issued-at" },
        { "iat", "-1", "id-token-issued-at" },
        { "iat", null, "id-token-issued-at" },
        { "nbf", "NOW+61", "id-token-not-yet-valid" },
        { "nonce", "\"other\"", "id-token-nonce" },
        { "nonce", "\"\"", "id-token-nonce" },
        { "nonce", null, "id-token-nonce" },
        { "sub", "\"\"", "id-token-subject" },
        { "sub", "7", "id-token-subject" },
        { "sub", "\"a\\u0000b\"", "id-token-subject" },
        { "sub", "\"" + new string('s', 256) + "\"", "id-token-subject" },
        { "sub", null, "id-token-subject" },
        { "at_hash", "\"x\"", "id-token-access-token-hash" },
        { "at_hash", "7", "id-token-access-token-hash" },
    };

    [Theory] // TR-17, TR-19
    [MemberData(nameof(BadClaims))]
    public async Task Claim_ThatIsWrong_RefusesTheToken(string name, string? json, string code)
    {
        foreach (var offset in new[] { "+61", "-61", "-60", "+300" })
            json = json?.Replace("NOW" + offset, (Now + int.Parse(offset)).ToString(), StringComparison.Ordinal);
        json = json?.Replace("ISSUER", world.Server.Issuer, StringComparison.Ordinal);

        Assert.Equal(RefusalKind.Untrusted, (await Read(Signed((name, json)))).Refused(code).Kind);
    }

    [Fact]
    public async Task Claim_AtTheEdgeOfTheSkew_IsAccepted()
    {
        (await Read(Signed(("exp", $"{Now - 59}"), ("iat", $"{Now + 60}"), ("nbf", $"{Now + 60}")))).Value();
        (await Read(Signed(("aud", """["postern"]""")))).Value();
        (await Read(Signed(("aud", """["other","postern"]"""), ("azp", "\"postern\"")))).Value();
        var hash = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(World.AccessToken)).AsSpan(0, 16));
        (await Read(Signed(("at_hash", $"\"{hash}\"")))).Value();
    }

    [Fact]
    public async Task Claim_Twice_IsRefused()
    {
        var payload = Payload();
        var twice = payload[..^1] + ",\"sub\":\"corp-admin\"}";
        (await Read(Jose.Rs256(Key, """{"alg":"RS256","kid":"k1"}""", twice))).Refused("id-token-malformed");
    }

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData("a.b")]
    [InlineData("a.b.c.d.e")]
    [InlineData("!.!.!")]
    [InlineData("....")]
    public async Task Text_ThatIsNoToken_IsMalformed(string text)
    {
        if (text.Length > 0)
            (await Read(text)).Refused("id-token-malformed");
        (await Read(Jose.Part("{}") + "." + new string('x', 40_000) + ".x")).Refused("id-token-malformed");
    }

    [Fact]
    public async Task Token_Missing_IsRefused() => (await Read(null)).Refused("id-token-missing");

    [Fact] // TR-21
    public async Task Kid_Unknown_AsksOnceMoreAndFindsTheRotatedKey()
    {
        (await Read(Signed())).Value();
        world.Server.OnJson("/as/jwks", Jose.KeySet(Jose.Jwk(Stranger, "k2")));

        (await Read(Jose.Rs256(Stranger, """{"alg":"RS256","kid":"k2"}""", Payload()))).Value();
        Assert.Equal(2, world.Server.To("/as/jwks").Count);
        (await Read(Signed())).Refused("id-token-key-unknown"); // MD-13: a key that is gone verifies nothing
    }

    [Fact] // TR-21: a flood of invented kids is not passed on
    public async Task Kid_InventedAThousandTimes_CausesTwoFetchesAMinute()
    {
        for (var i = 0; i < 1000; i++)
            (await Read(Jose.Rs256(Stranger, $$"""{"alg":"RS256","kid":"invented-{{i}}"}""", Payload()))).Refused("id-token-key-unknown");
        Assert.Equal(2, world.Server.To("/as/jwks").Count);

        time.Advance(TimeSpan.FromSeconds(31));
        (await Read(Jose.Rs256(Stranger, """{"alg":"RS256","kid":"invented"}""", Payload()))).Refused("id-token-key-unknown");
        Assert.Equal(3, world.Server.To("/as/jwks").Count);
    }

    [Fact] // TR-22, TR-24: decoys, weak keys and keys for other things
    public async Task KeySet_WithDecoysOfTheSameKid_UsesTheFittingKey()
    {
        using var weak = RSA.Create(1024);
        var okp = """{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}""";
        var oct = """{"kty":"oct","kid":"k1","k":"AAAA"}""";
        world.Server.OnJson("/as/jwks", Jose.KeySet(
            okp, oct, Jose.Jwk(Curve, "k1"), Jose.Jwk(Stranger, "k1", ",\"use\":\"enc\""), Jose.Jwk(Stranger, "k1", ",\"alg\":\"RS512\""),
            Jose.Jwk(weak, "weak"), "7", """{"kty":7}""", """{"kty":"RSA","kid":"k1","n":"!","e":"AQAB"}""", Jose.Jwk(Key, "k1")));

        (await Read(Signed())).Value();
        (await Read(Jose.Rs256(weak, """{"alg":"RS256","kid":"weak"}""", Payload()))).Refused("id-token-key-unknown");
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{\"keys\":{}}")]
    [InlineData("{\"keys\":[],\"keys\":[]}")]
    [InlineData("[")]
    public async Task KeySet_OfTheWrongShape_IsMalformed(string json)
    {
        world.Server.OnJson("/as/jwks", json);

        (await Read(Signed())).Refused("jwks-malformed");
    }

    [Fact] // attack 16: a key set of 10,000 keys
    public async Task KeySet_OfTenThousandKeys_IsMalformed()
    {
        world.Server.OnJson("/as/jwks", Jose.KeySet([.. Enumerable.Repeat("""{"kty":"oct"}""", 10_000)]));

        (await Read(Signed())).Refused("jwks-malformed");
    }

    [Fact]
    public async Task KeySet_ThatCannotBeHad_IsAnUnavailableServer()
    {
        world.Server.OnJson("/as/jwks", "{}", 503);

        Assert.Equal(RefusalKind.AuthorizationServerUnavailable, (await Read(Signed())).Refused("jwks-unavailable").Kind);
    }
}
