using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Postern.TestKit;

/// <summary>The part of Azure Key Vault, of Microsoft Entra's token endpoint and of the instance metadata that one wrapping and one signing key need.</summary>
public sealed class FakeAzureKeyVault : WireFake
{
    private readonly ConcurrentDictionary<string, RSA> wrapping = new();
    private readonly ConcurrentDictionary<string, ECDsa> signing = new();
    private string current = "";
    private int versions;

    /// <summary>Makes the first version of both keys.</summary>
    public FakeAzureKeyVault()
    {
        Rotate();
        signing[Version(900)] = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    }

    /// <summary>The directory.</summary>
    public const string Directory = "11111111-2222-3333-4444-555555555555";

    /// <summary>The application.</summary>
    public const string Client = "66666666-7777-8888-9999-aaaaaaaaaaaa";

    /// <summary>The token that is good now.</summary>
    public string Token { get; set; } = "azure-token-1";

    /// <summary>The public half of the wrapping key: what an attacker may well know.</summary>
    public RSAParameters PublicKey => wrapping[current].ExportParameters(includePrivateParameters: false);

    /// <summary>How many values were unwrapped.</summary>
    public int Unwraps { get; private set; }

    /// <summary>Makes a new version of the wrapping key.</summary>
    public void Rotate()
    {
        var version = Version(++versions);
        wrapping[version] = RSA.Create(2048);
        current = version;
    }

    /// <summary>Takes every version of the wrapping key away but the newest.</summary>
    public void RemoveOld()
    {
        foreach (var old in wrapping.Keys.Where(version => version != current).ToList())
            wrapping.TryRemove(old, out _);
    }

    /// <inheritdoc/>
    protected override (int Status, object Body) Handle(HttpContext http, byte[] body)
    {
        var path = http.Request.Path.Value!;
        if (path == $"/{Directory}/oauth2/v2.0/token")
            return Application(Encoding.UTF8.GetString(body));
        if (path == "/metadata/identity/oauth2/token")
            return http.Request.Headers["Metadata"] == "true" && http.Request.Query["resource"] == "https://vault.azure.net"
                ? (200, new { access_token = Token, expires_in = "3599" })
                : Complain("the instance metadata wants Metadata: true and the resource");
        if (http.Request.Query["api-version"] != "7.4")
            return Complain("api-version is missing");
        if (http.Request.Headers.Authorization != "Bearer " + Token)
            return (401, new { error = new { code = "Unauthorized" } });
        return (http.Request.Method, path.Split('/')) switch
        {
            ("GET", ["", "keys", "wrapper"]) => (200, new { key = new { kid = Kid("wrapper", current) } }),
            ("GET", ["", "keys", "signer"]) => (200, new { key = new { kid = Kid("signer", Version(900)) } }),
            ("GET", ["", "keys", "wrapper", "versions"]) => List(http.Request.Query["skip"] == "1"),
            ("POST", ["", "keys", "wrapper", var version, "wrapkey"]) when wrapping.TryGetValue(version, out var key) =>
                Value(Json(body), "RSA-OAEP-256", value => (200, new { kid = Kid("wrapper", version), value = Encode(key.Encrypt(value, RSAEncryptionPadding.OaepSHA256)) })),
            ("POST", ["", "keys", "wrapper", var version, "unwrapkey"]) when wrapping.TryGetValue(version, out var key) =>
                Value(Json(body), "RSA-OAEP-256", value => Unwrap(key, version, value)),
            ("POST", ["", "keys", "signer", var version, "sign"]) when signing.TryGetValue(version, out var key) =>
                Value(Json(body), "ES256", value => (200, new { kid = Kid("signer", version), value = Encode(key.SignHash(value)) })),
            ("POST", ["", "keys", "signer", var version, "verify"]) when signing.TryGetValue(version, out var key) =>
                (200, new { value = key.VerifyHash(Decode(Json(body), "digest"), Decode(Json(body), "value")) }),
            (_, ["", "keys", ..]) => (404, new { error = new { code = "KeyNotFound" } }),
            _ => Complain($"{http.Request.Method} {path} is not of this API"),
        };
    }

    private (int, object) Application(string form)
    {
        if (!form.Contains("grant_type=client_credentials", StringComparison.Ordinal) || !form.Contains($"client_id={Client}", StringComparison.Ordinal)
            || !form.Contains("scope=https%3A%2F%2Fvault.azure.net%2F.default", StringComparison.Ordinal))
        {
            return Complain("the token request is not one of client credentials for Key Vault");
        }
        var proven = form.Contains("client_secret=application-secret", StringComparison.Ordinal)
            || (form.Contains("client_assertion=workload-token", StringComparison.Ordinal) && form.Contains("client_assertion_type=urn", StringComparison.Ordinal));
        return proven ? (200, new { access_token = Token, expires_in = 3599, token_type = "Bearer" }) : (401, new { error = "invalid_client" });
    }

    /// <summary>Two pages, so that the caller has to follow the link.</summary>
    private (int, object) List(bool second)
    {
        var entries = wrapping.Keys.Order(StringComparer.Ordinal)
            .Select((version, index) => new { kid = Kid("wrapper", version), attributes = new { enabled = true, created = 1_767_322_800 + index } }).ToList();
        return second
            ? (200, new { value = entries.Skip(1), nextLink = (string?)null })
            : (200, new { value = entries.Take(1), nextLink = (string?)new Uri(Address, "/keys/wrapper/versions?api-version=7.4&skip=1").AbsoluteUri });
    }

    private (int, object) Unwrap(RSA key, string version, byte[] value)
    {
        Unwraps++;
        try
        {
            return (200, new { kid = Kid("wrapper", version), value = Encode(key.Decrypt(value, RSAEncryptionPadding.OaepSHA256)) });
        }
        catch (CryptographicException)
        {
            return (400, new { error = new { code = "BadParameter" } });
        }
    }

    private (int, object) Value(JsonElement json, string algorithm, Func<byte[], (int, object)> operate) =>
        json.GetProperty("alg").GetString() == algorithm ? operate(Decode(json, "value")) : Complain("the algorithm is another");

    private Uri Kid(string key, string version) => new(Address, $"/keys/{key}/{version}");

    private static string Version(int number) => number.ToString("x32", System.Globalization.CultureInfo.InvariantCulture);

    private static string Encode(byte[] bytes) => Base64Url.EncodeToString(bytes);

    private static byte[] Decode(JsonElement json, string name) => Base64Url.DecodeFromChars(json.GetProperty(name).GetString());
}
