using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Postern.TestKit;

/// <summary>
/// The part of AWS KMS and STS that one symmetric key needs. Every request to KMS must be signed (SigV4, computed here a second time from the
/// request as it came), fresh, and name its key.
/// </summary>
public sealed class FakeAwsKms(TimeProvider time) : WireFake
{
    private readonly ConcurrentDictionary<string, byte[]> keys = new([new(Arn, RandomNumberGenerator.GetBytes(32)), new(FormerArn, RandomNumberGenerator.GetBytes(32))]);

    /// <summary>The key.</summary>
    public const string Arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    /// <summary>A key of before.</summary>
    public const string FormerArn = "arn:aws:kms:eu-central-1:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321";

    /// <summary>The access key's id that is good now.</summary>
    public string KeyId { get; set; } = "AKIDEXAMPLE";

    /// <summary>Its secret.</summary>
    public string Secret { get; set; } = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    /// <summary>The session token that must come with it, if any.</summary>
    public string? SessionToken { get; set; }

    /// <summary>The contexts seen, as CloudTrail would show them.</summary>
    public ConcurrentQueue<string> Contexts { get; } = new();

    /// <summary>Takes a key away for good.</summary>
    public void Remove(string arn) => keys.TryRemove(arn, out _);

    /// <inheritdoc/>
    protected override (int Status, object Body) Handle(HttpContext http, byte[] body)
    {
        if (http.Request.ContentType?.StartsWith("application/x-www-form-urlencoded", StringComparison.Ordinal) == true)
            return Assume(Encoding.UTF8.GetString(body));
        if (http.Request.Method != "POST" || http.Request.Path != "/" || http.Request.ContentType != "application/x-amz-json-1.1")
            return Complain("the request is not of JSON 1.1");
        if (http.Request.Headers.Authorization.ToString().Contains($"Credential={KeyId}/", StringComparison.Ordinal) is false)
            return (400, new { __type = "UnrecognizedClientException" });
        if (SignatureProblem(http, body) is { } problem)
            return Complain(problem);
        var json = Json(body);
        return http.Request.Headers["X-Amz-Target"].ToString() switch
        {
            "TrentService.Encrypt" => Encrypt(json, "KeyId", "EncryptionContext", json.GetProperty("Plaintext").GetBytesFromBase64()),
            "TrentService.Decrypt" => Decrypt(json, "KeyId", "EncryptionContext") is { Plain: { } plain } opened
                ? (200, new { KeyId = opened.Key, Plaintext = Convert.ToBase64String(plain), EncryptionAlgorithm = "SYMMETRIC_DEFAULT" })
                : Decrypt(json, "KeyId", "EncryptionContext").Refusal,
            "TrentService.ReEncrypt" => Decrypt(json, "SourceKeyId", "SourceEncryptionContext") is { Plain: { } moved }
                ? Encrypt(json, "DestinationKeyId", "DestinationEncryptionContext", moved)
                : Decrypt(json, "SourceKeyId", "SourceEncryptionContext").Refusal,
            "TrentService.DescribeKey" when keys.ContainsKey(Text(json, "KeyId")) =>
                (200, new { KeyMetadata = new { Arn = Text(json, "KeyId"), CreationDate = 1.7673228e9, Enabled = true, KeyState = "Enabled" } }),
            _ => (400, new { __type = "NotFoundException" }),
        };
    }

    private (int, object) Encrypt(JsonElement json, string keyName, string contextName, byte[] plain)
    {
        if (!keys.TryGetValue(Text(json, keyName), out var key))
            return (400, new { __type = "NotFoundException" });
        Contexts.Enqueue(json.GetProperty(contextName).GetRawText());
        var (nonce, ciphertext, tag) = (RandomNumberGenerator.GetBytes(12), new byte[plain.Length], new byte[16]);
        using var gcm = new AesGcm(key, 16);
        gcm.Encrypt(nonce, plain, ciphertext, tag, Context(json, contextName));
        var blob = Convert.ToBase64String([.. SHA256.HashData(Encoding.UTF8.GetBytes(Text(json, keyName))), .. nonce, .. ciphertext, .. tag]);
        return (200, new { KeyId = Text(json, keyName), CiphertextBlob = blob, EncryptionAlgorithm = "SYMMETRIC_DEFAULT" });
    }

    private (byte[]? Plain, string Key, (int, object) Refusal) Decrypt(JsonElement json, string keyName, string contextName)
    {
        if (Text(json, keyName) is not { Length: > 0 } name)
            return (null, "", Complain("the key must go with every request"));
        if (!keys.TryGetValue(name, out var key))
            return (null, "", (400, new { __type = "NotFoundException" }));
        var blob = json.GetProperty("CiphertextBlob").GetBytesFromBase64();
        if (blob.Length < 32 + 28)
            return (null, "", (400, new { __type = "InvalidCiphertextException" }));
        if (!blob.AsSpan(0, 32).SequenceEqual(SHA256.HashData(Encoding.UTF8.GetBytes(name))))
            return (null, "", (400, new { __type = "com.amazonaws.kms#IncorrectKeyException" }));
        var plain = new byte[blob.Length - 60];
        using var gcm = new AesGcm(key, 16);
        try
        {
            gcm.Decrypt(blob.AsSpan(32, 12), blob.AsSpan(44, plain.Length), blob.AsSpan(blob.Length - 16), plain, Context(json, contextName));
            return (plain, name, default);
        }
        catch (AuthenticationTagMismatchException)
        {
            return (null, "", (400, new { __type = "InvalidCiphertextException" }));
        }
    }

    private (int, object) Assume(string form)
    {
        if (!form.Contains("Action=AssumeRoleWithWebIdentity", StringComparison.Ordinal) || !form.Contains("Version=2011-06-15", StringComparison.Ordinal))
            return Complain("STS was asked for something else");
        if (!form.Contains("WebIdentityToken=workload-token", StringComparison.Ordinal))
            return (403, Encoding.UTF8.GetBytes("<ErrorResponse/>"));
        var end = time.GetUtcNow().AddHours(1).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
        return (200, Encoding.UTF8.GetBytes(
            $"""
            <AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
              <AssumedRoleUser><Arn>arn:aws:sts::111122223333:assumed-role/postern/postern</Arn></AssumedRoleUser>
              <Credentials>
                <SessionToken>{SessionToken}</SessionToken>
                <SecretAccessKey>{Secret}</SecretAccessKey><Expiration>{end}</Expiration><AccessKeyId>{KeyId}</AccessKeyId>
              </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>
            """));
    }

    /// <summary>The signature a second time, from the headers that the request says it signed.</summary>
    private string? SignatureProblem(HttpContext http, byte[] body)
    {
        var parts = http.Request.Headers.Authorization.ToString().Split(' ', ',', '=');
        var names = Value(parts, "SignedHeaders").Split(';');
        foreach (var needed in new[] { "host", "x-amz-date", "x-amz-target", "content-type" })
        {
            if (!names.Contains(needed))
                return $"{needed} is not signed";
        }
        if ((string?)http.Request.Headers["X-Amz-Security-Token"] != SessionToken)
            return "the session token is missing, or not the one";
        if (SessionToken is not null && !names.Contains("x-amz-security-token"))
            return "the session token is not signed";
        var date = http.Request.Headers["X-Amz-Date"].ToString();
        if (!DateTimeOffset.TryParseExact(date, "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
            || (time.GetUtcNow() - at).Duration() > TimeSpan.FromMinutes(5))
        {
            return "the request is not fresh";
        }
        var headers = string.Concat(names.Select(name => $"{name}:{http.Request.Headers[name].ToString().Trim()}\n"));
        var canonical = $"POST\n/\n\n{headers}\n{string.Join(';', names)}\n{Convert.ToHexStringLower(SHA256.HashData(body))}";
        var scope = $"{date[..8]}/eu-central-1/kms/aws4_request";
        var toSign = $"AWS4-HMAC-SHA256\n{date}\n{scope}\n{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";
        var key = scope.Split('/').Aggregate(Encoding.UTF8.GetBytes("AWS4" + Secret), (key, part) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(part)));
        var expected = Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(toSign)));
        return expected == Value(parts, "Signature") ? null : "the signature does not fit";
    }

    private static string Value(string[] parts, string name) => Array.IndexOf(parts, name) is >= 0 and var at ? parts[at + 1] : "";

    private static byte[] Context(JsonElement json, string name) => Encoding.UTF8.GetBytes(
        string.Join('\n', json.GetProperty(name).EnumerateObject().OrderBy(pair => pair.Name, StringComparer.Ordinal).Select(pair => $"{pair.Name}={pair.Value}")));

    private static string Text(JsonElement json, string name) => json.TryGetProperty(name, out var value) ? value.GetString() ?? "" : "";
}
