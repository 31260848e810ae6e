using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Postern.TestKit;

/// <summary>The part of Google Cloud KMS, of the token endpoint and of the metadata service that one symmetric key needs. Every checksum is checked.</summary>
public sealed class FakeGoogleKms : WireFake
{
    private readonly ConcurrentDictionary<int, byte[]> versions = new([new(1, RandomNumberGenerator.GetBytes(32))]);

    /// <summary>The key.</summary>
    public const string Key = "projects/acme-prod/locations/europe-west3/keyRings/postern/cryptoKeys/root";

    /// <summary>The service account whose assertions are taken.</summary>
    public RSA Account { get; } = RSA.Create(2048);

    /// <summary>The token that is good now.</summary>
    public string Token { get; set; } = "google-token-1";

    /// <summary>Makes a new version and lets it be the primary.</summary>
    public void Rotate() => versions[Primary + 1] = RandomNumberGenerator.GetBytes(32);

    /// <summary>Takes every version away but the primary.</summary>
    public void RemoveOld()
    {
        foreach (var old in versions.Keys.Where(version => version != Primary).ToList())
            versions.TryRemove(old, out _);
    }

    private int Primary => versions.Keys.Max();

    /// <inheritdoc/>
    protected override (int Status, object Body) Handle(HttpContext http, byte[] body)
    {
        var path = http.Request.Path.Value!;
        if (path == "/token")
            return Assertion(Encoding.UTF8.GetString(body));
        if (path == "/computeMetadata/v1/instance/service-accounts/default/token")
            return http.Request.Headers["Metadata-Flavor"] == "Google"
                ? (200, new { access_token = Token, expires_in = 3599, token_type = "Bearer" })
                : Complain("the metadata service wants Metadata-Flavor: Google");
        if (http.Request.Headers.Authorization != "Bearer " + Token)
            return (401, Error("UNAUTHENTICATED"));
        return (http.Request.Method, path) switch
        {
            ("GET", "/v1/" + Key) => (200, new { name = Key, primary = new { name = Name(Primary), state = "ENABLED" } }),
            ("GET", "/v1/" + Key + "/cryptoKeyVersions") => List(http.Request.Query["pageToken"]),
            ("POST", "/v1/" + Key + ":encrypt") => Checked(Json(body), "plaintext", Encrypt),
            ("POST", "/v1/" + Key + ":decrypt") => Checked(Json(body), "ciphertext", Decrypt),
            _ when path.StartsWith("/v1/projects/", StringComparison.Ordinal) => (404, Error("NOT_FOUND")),
            _ => Complain($"{http.Request.Method} {path} is not of this API"),
        };
    }

    private (int, object) List(string? token) => token switch
    {
        null => (200, new { cryptoKeyVersions = new[] { Entry(versions.Keys.Min()) }, nextPageToken = "after-1" }),
        "after-1" => (200, new { cryptoKeyVersions = versions.Keys.Order().Skip(1).Select(Entry), totalSize = versions.Count }),
        _ => Complain("the page token is not the one that was given"),
    };

    private static object Entry(int version) => new { name = Name(version), state = "ENABLED", createTime = $"2026-01-02T03:04:{version:00}.123456789Z" };

    private (int, object) Checked(JsonElement json, string field, Func<byte[], byte[], (int, object)> operate)
    {
        var value = json.GetProperty(field).GetBytesFromBase64();
        var associated = json.GetProperty("additionalAuthenticatedData").GetBytesFromBase64();
        if (json.GetProperty(field + "Crc32c").GetString() != Checksum(value)
            || json.GetProperty("additionalAuthenticatedDataCrc32c").GetString() != Checksum(associated))
        {
            return Complain("a checksum of the request is wrong");
        }
        return associated.Length > 0 ? operate(value, associated) : Complain("the associated data is empty");
    }

    private (int, object) Encrypt(byte[] plain, byte[] associated)
    {
        var version = Primary;
        var (nonce, sealedPart, tag) = (RandomNumberGenerator.GetBytes(12), new byte[plain.Length], new byte[16]);
        using var gcm = new AesGcm(versions[version], 16);
        gcm.Encrypt(nonce, plain, sealedPart, tag, associated);
        byte[] ciphertext = [(byte)version, .. nonce, .. sealedPart, .. tag];
        return (200, new
        {
            name = Name(version),
            ciphertext = Convert.ToBase64String(ciphertext),
            ciphertextCrc32c = Checksum(ciphertext),
            verifiedPlaintextCrc32c = true,
            verifiedAdditionalAuthenticatedDataCrc32c = true,
        });
    }

    private (int, object) Decrypt(byte[] ciphertext, byte[] associated)
    {
        if (ciphertext.Length < 29 || !versions.TryGetValue(ciphertext[0], out var key))
            return (400, Error("INVALID_ARGUMENT"));
        var plain = new byte[ciphertext.Length - 29];
        using var gcm = new AesGcm(key, 16);
        try
        {
            gcm.Decrypt(ciphertext.AsSpan(1, 12), ciphertext.AsSpan(13, plain.Length), ciphertext.AsSpan(ciphertext.Length - 16), plain, associated);
            return (200, new { plaintext = Convert.ToBase64String(plain), plaintextCrc32c = Checksum(plain), usedPrimary = ciphertext[0] == Primary });
        }
        catch (AuthenticationTagMismatchException)
        {
            return (400, Error("INVALID_ARGUMENT"));
        }
    }

    private (int, object) Assertion(string form)
    {
        var fields = form.Split('&').Select(pair => pair.Split('=')).ToDictionary(pair => Uri.UnescapeDataString(pair[0]), pair => Uri.UnescapeDataString(pair[1]));
        if (fields["grant_type"] != "urn:ietf:params:oauth:grant-type:jwt-bearer" || fields["assertion"].Split('.') is not [var header, var claims, var signature])
            return Complain("the token request holds no assertion");
        using var said = JsonDocument.Parse(Base64Url.DecodeFromChars(claims));
        if (said.RootElement.GetProperty("aud").GetString() != "https://oauth2.googleapis.com/token"
            || said.RootElement.GetProperty("scope").GetString() != "https://www.googleapis.com/auth/cloudkms"
            || said.RootElement.GetProperty("iss").GetString() != "postern@acme-prod.iam.gserviceaccount.com")
        {
            return Complain("the assertion is made for something else");
        }
        return Account.VerifyData(Encoding.ASCII.GetBytes($"{header}.{claims}"), Base64Url.DecodeFromChars(signature), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            ? (200, new { access_token = Token, expires_in = 3599, token_type = "Bearer" })
            : Complain("the assertion's signature does not fit");
    }

    private static string Name(int version) => string.Create(CultureInfo.InvariantCulture, $"{Key}/cryptoKeyVersions/{version}");

    private static object Error(string status) => new { error = new { status, message = "as the service says it" } };

    /// <summary>CRC-32C bit by bit (RFC 3720 appendix B.4), so that a mistake of the caller's is not shared.</summary>
    private static string Checksum(byte[] bytes)
    {
        var crc = uint.MaxValue;
        foreach (var one in bytes)
        {
            crc ^= one;
            for (var bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ ((crc & 1) * 0x82F63B78);
        }
        return (~crc).ToString(CultureInfo.InvariantCulture);
    }
}
