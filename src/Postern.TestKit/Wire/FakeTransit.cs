using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Postern.TestKit;

/// <summary>
/// The part of Vault's API that a derived key of the transit engine needs, with AppRole and Kubernetes logins. Every request must carry
/// the token, the namespace where one is set, and a context.
/// </summary>
public sealed class FakeTransit : WireFake
{
    private readonly ConcurrentDictionary<int, byte[]> versions = new([new(1, RandomNumberGenerator.GetBytes(32))]);

    /// <summary>The token that is good now.</summary>
    public string Token { get; set; } = "transit-token-1";

    /// <summary>The namespace that requests must name, if any.</summary>
    public string? Namespace { get; set; }

    /// <summary>True when the key was made with <c>derived=true</c>.</summary>
    public bool Derived { get; set; } = true;

    /// <summary>The oldest version that opens.</summary>
    public int MinDecryptionVersion { get; set; } = 1;

    /// <summary>The version that encrypts.</summary>
    public int LatestVersion => versions.Count;

    /// <summary>How many logins there were.</summary>
    public int Logins { get; private set; }

    /// <summary>Makes a new version.</summary>
    public void Rotate() => versions[versions.Count + 1] = RandomNumberGenerator.GetBytes(32);

    /// <inheritdoc/>
    protected override (int Status, object Body) Handle(HttpContext http, byte[] body)
    {
        var path = http.Request.Path.Value!;
        if (http.Request.Headers["X-Vault-Request"] != "true")
            return Complain("X-Vault-Request is missing");
        if ((string?)http.Request.Headers["X-Vault-Namespace"] != Namespace)
            return Complain("the namespace is not the one of the settings");
        if (http.Request.Method == "POST" && path is "/v1/auth/approle/login" or "/v1/auth/kubernetes/login")
            return LogIn(path, Json(body));
        if (http.Request.Headers["X-Vault-Token"] != Token)
            return (403, new { errors = new[] { "permission denied" } });
        return (http.Request.Method, path) switch
        {
            ("GET", "/v1/transit/keys/postern") => Describe(),
            ("POST", "/v1/transit/encrypt/postern") => Operate(Json(body), Encrypt),
            ("POST", "/v1/transit/decrypt/postern") => Operate(Json(body), (json, context) =>
                Open(json, context) is { Plain: { } plain } opened ? (200, new { data = new { plaintext = Convert.ToBase64String(plain) } }) : Open(json, context).Refusal),
            ("POST", "/v1/transit/rewrap/postern") => Operate(Json(body), (json, context) =>
                Open(json, context) is { Plain: { } plain } ? Seal(plain, context) : Open(json, context).Refusal),
            ("GET" or "POST", _) when path.StartsWith("/v1/transit/", StringComparison.Ordinal) => (400, new { errors = new[] { "encryption key not found" } }),
            _ => Complain($"{http.Request.Method} {path} is not of this API"),
        };
    }

    private (int, object) LogIn(string path, JsonElement json)
    {
        var right = path.Contains("approle", StringComparison.Ordinal)
            ? Text(json, "role_id") == "postern-role" && Text(json, "secret_id") == "postern-secret"
            : Text(json, "role") == "postern-role" && Text(json, "jwt") == "service-account-jwt";
        if (!right)
            return (400, new { errors = new[] { "invalid role or secret ID" } });
        Logins++;
        return (200, new { auth = new { client_token = Token, lease_duration = 3600, renewable = true } });
    }

    private (int, object) Describe() => (200, new
    {
        data = new
        {
            type = "aes256-gcm96",
            derived = Derived,
            latest_version = versions.Count,
            min_decryption_version = MinDecryptionVersion,
            keys = versions.Keys.Order().ToDictionary(version => version.ToString(CultureInfo.InvariantCulture), version => 1_767_322_800 + version),
        },
    });

    private (int, object) Operate(JsonElement json, Func<JsonElement, byte[], (int, object)> operation)
    {
        if (json.TryGetProperty("associated_data", out _))
            return Complain("associated_data would make rewrap impossible");
        return json.TryGetProperty("context", out var context) && context.TryGetBytesFromBase64(out var bytes) && bytes.Length > 0
            ? operation(json, bytes)
            : Complain("a derived key needs a context");
    }

    private (int, object) Encrypt(JsonElement json, byte[] context) => Seal(json.GetProperty("plaintext").GetBytesFromBase64(), context);

    private (int, object) Seal(byte[] plain, byte[] context)
    {
        var version = versions.Count;
        var (nonce, ciphertext, tag) = (RandomNumberGenerator.GetBytes(12), new byte[plain.Length], new byte[16]);
        using var gcm = new AesGcm(HKDF.DeriveKey(HashAlgorithmName.SHA256, versions[version], 32, [], context), 16);
        gcm.Encrypt(nonce, plain, ciphertext, tag);
        return (200, new { data = new { ciphertext = $"vault:v{version}:{Convert.ToBase64String([.. nonce, .. ciphertext, .. tag])}", key_version = version } });
    }

    private (byte[]? Plain, (int, object) Refusal) Open(JsonElement json, byte[] context)
    {
        if (Text(json, "ciphertext")?.Split(':') is not ["vault", ['v', .. var digits], var text] || !int.TryParse(digits, out var version))
            return (null, Refuse("invalid ciphertext: no prefix"));
        if (!versions.TryGetValue(version, out var key))
            return (null, Refuse("invalid ciphertext: version is too new"));
        if (version < MinDecryptionVersion)
            return (null, Refuse("ciphertext or signature version is disallowed by policy (too old)"));
        var bytes = new byte[4096];
        if (!Convert.TryFromBase64String(text, bytes, out var length) || length < 28)
            return (null, Refuse("invalid ciphertext: could not decode base64"));
        var plain = new byte[length - 28];
        using var gcm = new AesGcm(HKDF.DeriveKey(HashAlgorithmName.SHA256, key, 32, [], context), 16);
        try
        {
            gcm.Decrypt(bytes.AsSpan(0, 12), bytes.AsSpan(12, plain.Length), bytes.AsSpan(length - 16, 16), plain);
            return (plain, default);
        }
        catch (AuthenticationTagMismatchException)
        {
            return (null, Refuse("cipher: message authentication failed"));
        }
    }

    private static (int, object) Refuse(string why) => (400, new { errors = new[] { why } });

    private static string? Text(JsonElement json, string name) =>
        json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
