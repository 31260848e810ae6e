using System.Security.Cryptography;
using System.Text.Json;
using Postern.Model;

namespace Postern.Vault;

// AWS KMS, JSON 1.1 with SigV4. Encrypt, Decrypt, ReEncrypt, DescribeKey. KeyId goes with every request, also with Decrypt, and the answer must name it: a
// ciphertext never chooses the key. The encryption context stands in clear in CloudTrail: ids only.

/// <summary>Root keys in AWS KMS. The rotation of a key's material is AWS's own and keeps the key's ARN.</summary>
public sealed class AwsKmsKeyStore : IKeyStore, IDisposable
{
    private const int MaxCiphertext = 1024;
    private readonly AwsKmsOptions options;
    private readonly RestClient rest;
    private readonly AwsCredentialReader credentials;
    private readonly TimeProvider time;

    /// <summary>Makes the store; it connects when it is first asked.</summary>
    /// <exception cref="ArgumentException">The options are wrong; every error is named.</exception>
    public AwsKmsKeyStore(AwsKmsOptions options, IChance chance, TimeProvider time)
    {
        VaultOptions.Check("The key store", options.Validate());
        this.options = options;
        this.time = time;
        rest = new("AWS KMS", options.RestOrDefault, chance, time);
        credentials = new(options, chance, time);
    }

    /// <inheritdoc/>
    public string Description => $"{rest.Place}, key {options.KeyArn}";

    /// <inheritdoc/>
    public ValueTask<Outcome<string>> CurrentRootKeyIdAsync(CancellationToken cancellation) => new(Outcome<string>.Of(options.KeyArn));

    /// <inheritdoc/>
    public async ValueTask<Outcome<RootWrapping>> WrapAsync(KeyWrapContext context, SecretBytes key, CancellationToken cancellation)
    {
        var bound = GC.AllocateUninitializedArray<byte>(BoundKey.Length, pinned: true);
        try
        {
            BoundKey.Write(context, key, bound);
            using var body = new SecretBody(json =>
            {
                json.WriteString("KeyId"u8, options.KeyArn);
                json.WriteBase64String("Plaintext"u8, bound);
                WriteContext(json, "EncryptionContext", context);
            });
            return ReadWrapped(await SendAsync("Encrypt", body, cancellation));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bound);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<Outcome<SecretBytes>> UnwrapAsync(
        KeyWrapContext context, string rootKeyId, ReadOnlyMemory<byte> wrapped, CancellationToken cancellation)
    {
        if (Judge(rootKeyId, wrapped.Span) is { } wrong)
            return wrong;
        using var body = new SecretBody(json =>
        {
            json.WriteString("KeyId"u8, rootKeyId);
            json.WriteBase64String("CiphertextBlob"u8, wrapped.Span);
            WriteContext(json, "EncryptionContext", context);
        });
        if (!(await SendAsync("Decrypt", body, cancellation)).TryGet(out var answer, out var why))
            return why;
        using (answer)
        {
            if (!answer.IsSuccess)
                return Refused(answer);
            if (answer.Text("KeyId") != rootKeyId)
                return rest.Unavailable("answered with another key than was asked for");
            var bound = GC.AllocateUninitializedArray<byte>(BoundKey.Length, pinned: true);
            try
            {
                return answer.TrySecret(bound, url: false, "Plaintext")
                    ? BoundKey.Open(context, bound)
                    : VaultErrors.Refuse(VaultError.Refused, $"{rest.Place} unwrapped something that is no tenant key.");
            }
            finally
            {
                CryptographicOperations.ZeroMemory(bound);
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask<Outcome<RootWrapping>> RewrapAsync(
        KeyWrapContext context, string rootKeyId, ReadOnlyMemory<byte> wrapped, CancellationToken cancellation)
    {
        if (Judge(rootKeyId, wrapped.Span) is { } wrong)
            return wrong;
        using var body = new SecretBody(json =>
        {
            json.WriteString("SourceKeyId"u8, rootKeyId);
            json.WriteBase64String("CiphertextBlob"u8, wrapped.Span);
            WriteContext(json, "SourceEncryptionContext", context);
            json.WriteString("DestinationKeyId"u8, options.KeyArn);
            WriteContext(json, "DestinationEncryptionContext", context);
        });
        return ReadWrapped(await SendAsync("ReEncrypt", body, cancellation));
    }

    /// <inheritdoc/>
    public async ValueTask<Outcome<IReadOnlyList<RootKeyInfo>>> RootKeysAsync(CancellationToken cancellation)
    {
        var keys = new List<RootKeyInfo>();
        foreach (var arn in options.FormerKeyArns.Append(options.KeyArn).Distinct())
        {
            using var body = new SecretBody(json => json.WriteString("KeyId"u8, arn));
            if (!(await SendAsync("DescribeKey", body, cancellation)).TryGet(out var answer, out var why))
                return why;
            using (answer)
            {
                // A former one that the settings still name, and that was deleted since, is a root key no more.
                if (arn != options.KeyArn && ErrorOf(answer) == "NotFoundException")
                    continue;
                if (!answer.IsSuccess)
                    return Refused(answer);
                if (answer.Text("KeyMetadata", "Arn") != arn)
                    return rest.Unavailable("described another key than was asked for");
                keys.Add(new(arn, Created(answer), arn == options.KeyArn));
            }
        }
        return Outcome<IReadOnlyList<RootKeyInfo>>.Of(keys);
    }

    /// <inheritdoc/>
    public bool Owns(string rootKeyId) => rootKeyId == options.KeyArn || options.FormerKeyArns.Contains(rootKeyId);

    /// <summary>Ends the connections.</summary>
    public void Dispose()
    {
        credentials.Dispose();
        rest.Dispose();
    }

    private static DateTimeOffset Created(RestAnswer answer) =>
        answer.Find("KeyMetadata", "CreationDate") is { ValueKind: JsonValueKind.Number } date && date.TryGetDouble(out var seconds)
            ? RestAnswer.TimeOf((long)seconds)
            : DateTimeOffset.UnixEpoch;

    private static void WriteContext(Utf8JsonWriter json, string name, KeyWrapContext context)
    {
        json.WriteStartObject(name);
        json.WriteString("postern:deployment"u8, context.Deployment);
        json.WriteString("postern:tenant"u8, context.Tenant.Value);
        json.WriteString("postern:key-version"u8, context.KeyVersion.ToString("D"));
        json.WriteString("postern:purpose"u8, context.Purpose);
        json.WriteEndObject();
    }

    private Refusal? Judge(string rootKeyId, ReadOnlySpan<byte> wrapped)
    {
        if (!Owns(rootKeyId))
            return VaultErrors.Refuse(
                VaultError.RootKeyMissing, $"A key was wrapped by '{rootKeyId}', which the settings do not name. Add it to the former keys.");
        return wrapped.Length is > 0 and <= MaxCiphertext
            ? null
            : VaultErrors.Refuse(VaultError.NotARecord, "A wrapped key is not in the form of AWS KMS.");
    }

    private Outcome<RootWrapping> ReadWrapped(Outcome<RestAnswer> sent)
    {
        if (!sent.TryGet(out var answer, out var why))
            return why;
        using (answer)
        {
            if (!answer.IsSuccess)
                return Refused(answer);
            return answer.Text("KeyId") == options.KeyArn && answer.Bytes("CiphertextBlob") is { Length: > 0 and <= MaxCiphertext } blob
                ? new RootWrapping(options.KeyArn, blob)
                : rest.Unavailable("answered without a ciphertext of the key that was asked for");
        }
    }

    private Refusal Refused(RestAnswer answer) => ErrorOf(answer) switch
    {
        "InvalidCiphertextException" or "IncorrectKeyException" =>
            VaultErrors.Refuse(VaultError.Refused, "A wrapped key does not belong where it was found, or was edited."),
        "NotFoundException" => VaultErrors.Refuse(VaultError.RootKeyMissing, $"{rest.Place} does not have the key of the settings."),
        "DisabledException" or "KMSInvalidStateException" => rest.Unavailable("says that the key is disabled or to be deleted. Enable it, or cancel its deletion"),
        _ => rest.Unavailable($"refused the request ({answer.Status}). Check the credentials and that they may Encrypt, Decrypt, ReEncrypt* and DescribeKey"),
    };

    /// <summary>The exception's name; a namespace may stand before it (<c>com.amazonaws.kms#NotFoundException</c>).</summary>
    private static string? ErrorOf(RestAnswer answer) => answer.Text("__type")?.Split('#')[^1];

    /// <summary>Signs and sends, and once more with fresh credentials when they are refused.</summary>
    private async Task<Outcome<RestAnswer>> SendAsync(string action, SecretBody body, CancellationToken cancellation)
    {
        AwsCredentials? refused = null;
        while (true)
        {
            if (!(await credentials.ReadAsync(refused, cancellation)).TryGet(out var signer, out var why))
                return why;
            var sent = await rest.SendAsync(
                "/", () => Request(action, body, signer), cancellation, static answer => ErrorOf(answer) is "ThrottlingException" or "LimitExceededException");
            if (refused is not null || !sent.TryGet(out var answer, out _)
                || ErrorOf(answer) is not ("ExpiredTokenException" or "UnrecognizedClientException" or "InvalidClientTokenId"))
            {
                return sent;
            }
            answer.Dispose();
            refused = signer;
        }
    }

    private HttpRequestMessage Request(string action, SecretBody body, AwsCredentials signer)
    {
        var now = time.GetUtcNow();
        var headers = new List<KeyValuePair<string, string>>
        {
            new("host", options.RestOrDefault.Endpoint.Authority),
            new("x-amz-date", AwsSigV4.Time(now)),
            new("x-amz-target", "TrentService." + action),
            new("content-type", "application/x-amz-json-1.1"),
        };
        if (signer.SessionToken is { } session)
            headers.Add(new("x-amz-security-token", session.Reveal()));
        var request = new HttpRequestMessage { Method = HttpMethod.Post, Content = body.ToContent("application/x-amz-json-1.1") };
        foreach (var (name, value) in headers.Where(header => header.Key != "content-type"))
            request.Headers.TryAddWithoutValidation(name, value);
        request.Headers.TryAddWithoutValidation(
            "Authorization", AwsSigV4.Authorization("POST", "/", [], headers, body.Bytes.Span, signer, options.Region, "kms", now));
        return request;
    }
}
