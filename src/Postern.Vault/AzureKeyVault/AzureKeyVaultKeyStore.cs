using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Postern.Model;

namespace Postern.Vault;

// Key Vault REST API 7.4: wrapkey and unwrapkey with RSA-OAEP-256, sign and verify with ES256. RSA wrapping takes no context and authenticates
// nothing, so both are ours: BoundKey inside, a signature around (AzureWrappedKey). The address and the key names come from the settings; of
// what is stored only the version is used, and only as 32 hexadecimal digits.

/// <summary>Root keys in Azure Key Vault or Managed HSM: each version of the RSA key is one.</summary>
public sealed class AzureKeyVaultKeyStore : IKeyStore, IDisposable
{
    private const string Api = "api-version=7.4";
    private const int MaxPages = 20;
    private readonly AzureKeyVaultOptions options;
    private readonly RestClient rest;
    private readonly AzureTokens tokens;
    private readonly BearerClient bearer;

    /// <summary>Makes the store; it connects when it is first asked.</summary>
    /// <exception cref="ArgumentException">The options are wrong; every error is named.</exception>
    public AzureKeyVaultKeyStore(AzureKeyVaultOptions options, IChance chance, TimeProvider time)
    {
        VaultOptions.Check("The key store", options.Validate());
        this.options = options;
        rest = new("Azure Key Vault", options.Rest, chance, time);
        tokens = new(options, chance, time);
        bearer = new(rest, tokens.FetchAsync, time);
    }

    /// <inheritdoc/>
    public string Description => $"{rest.Place}, key {options.Key}, signed by {options.SigningKey}";

    /// <inheritdoc/>
    public async ValueTask<Outcome<string>> CurrentRootKeyIdAsync(CancellationToken cancellation) =>
        (await VersionAsync(options.Key, cancellation)).TryGet(out var version, out var why) ? RootKeyId(version) : why;

    /// <inheritdoc/>
    public async ValueTask<Outcome<RootWrapping>> WrapAsync(KeyWrapContext context, SecretBytes key, CancellationToken cancellation)
    {
        if (!(await VersionAsync(options.Key, cancellation)).TryGet(out var version, out var noKey))
            return noKey;
        if (!(await VersionAsync(options.SigningKey, cancellation)).TryGet(out var signing, out var noSigner))
            return noSigner;
        var bound = GC.AllocateUninitializedArray<byte>(BoundKey.Length, pinned: true);
        try
        {
            BoundKey.Write(context, key, bound);
            var wrapping = await OperateAsync(options.Key, version, "wrapkey", "RSA-OAEP-256", bound, cancellation);
            if (!wrapping.TryGet(out var ciphertext, out var why))
                return why;
            var digest = AzureWrappedKey.Digest(context, RootKeyId(version), ciphertext);
            if (!(await OperateAsync(options.SigningKey, signing, "sign", "ES256", digest, cancellation)).TryGet(out var signature, out var unsigned))
                return unsigned;
            return signature.Length == AzureWrappedKey.SignatureLength
                ? new RootWrapping(RootKeyId(version), new AzureWrappedKey(signing, signature, ciphertext).ToBytes())
                : rest.Unavailable($"signed with a key that is not on P-256. Make {options.SigningKey} an EC key on P-256");
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
        if (!Owns(rootKeyId))
            return VaultErrors.Refuse(VaultError.RootKeyMissing, $"A key was wrapped by '{rootKeyId}', and the settings name {options.Key}.");
        if (!AzureWrappedKey.TryParse(wrapped.Span, out var stored))
            return VaultErrors.Refuse(VaultError.NotARecord, "A wrapped key is not in the form of the Azure key store.");

        // The signature first: what it does not cover is never unwrapped.
        var digest = AzureWrappedKey.Digest(context, rootKeyId, stored.Ciphertext);
        if (!(await VerifyAsync(stored, digest, cancellation)).TryGet(out _, out var forged))
            return forged;
        return await UnwrapAsync(context, rootKeyId[(options.Key.Length + 1)..], stored.Ciphertext, cancellation);
    }

    /// <inheritdoc/>
    public async ValueTask<Outcome<IReadOnlyList<RootKeyInfo>>> RootKeysAsync(CancellationToken cancellation)
    {
        if (!(await VersionAsync(options.Key, cancellation)).TryGet(out var current, out var missing))
            return missing;
        var keys = new List<RootKeyInfo>();
        var path = $"/keys/{options.Key}/versions?{Api}";
        for (var page = 0; page < MaxPages; page++)
        {
            if (!(await bearer.SendAsync(HttpMethod.Get, path, null, cancellation)).TryGet(out var answer, out var why))
                return why;
            using (answer)
            {
                if (!answer.IsSuccess)
                    return Refused(answer, options.Key);
                keys.AddRange(Versions(answer).Select(version => new RootKeyInfo(RootKeyId(version.Version), version.Created, version.Version == current)));
                if (answer.Text("nextLink") is not { Length: > 0 } next)
                    return Outcome<IReadOnlyList<RootKeyInfo>>.Of([.. keys.OrderBy(key => key.Created).ThenBy(key => key.Current)]);
                // The service names the next page by its whole address; only one at its own origin is followed.
                if (!Uri.TryCreate(next, UriKind.Absolute, out var link) || link.GetLeftPart(UriPartial.Authority) != options.Rest.Endpoint.GetLeftPart(UriPartial.Authority))
                    return rest.Unavailable("named a next page elsewhere");
                path = link.PathAndQuery;
            }
        }
        return rest.Unavailable($"has more than {MaxPages} pages of versions");
    }

    /// <inheritdoc/>
    public bool Owns(string rootKeyId) =>
        rootKeyId.StartsWith(options.Key + "/", StringComparison.Ordinal) && AzureWrappedKey.IsVersion(rootKeyId[(options.Key.Length + 1)..]);

    /// <summary>Ends the connections.</summary>
    public void Dispose()
    {
        bearer.Dispose();
        tokens.Dispose();
        rest.Dispose();
    }

    private string RootKeyId(string version) => $"{options.Key}/{version}";

    private async Task<Outcome<SecretBytes>> UnwrapAsync(KeyWrapContext context, string version, byte[] ciphertext, CancellationToken cancellation)
    {
        using var body = Operation("RSA-OAEP-256", ciphertext);
        var path = $"/keys/{options.Key}/{version}/unwrapkey?{Api}";
        if (!(await bearer.SendAsync(HttpMethod.Post, path, body, cancellation)).TryGet(out var answer, out var why))
            return why;
        using (answer)
        {
            if (!answer.IsSuccess)
                return Refused(answer, options.Key);
            var bound = GC.AllocateUninitializedArray<byte>(BoundKey.Length, pinned: true);
            try
            {
                return answer.TrySecret(bound, url: true, "value")
                    ? BoundKey.Open(context, bound)
                    : VaultErrors.Refuse(VaultError.Refused, $"{rest.Place} unwrapped something that is no tenant key.");
            }
            finally
            {
                CryptographicOperations.ZeroMemory(bound);
            }
        }
    }

    private async Task<Outcome<Done>> VerifyAsync(AzureWrappedKey stored, byte[] digest, CancellationToken cancellation)
    {
        using var body = new SecretBody(json =>
        {
            json.WriteString("alg"u8, "ES256");
            json.WriteString("digest"u8, Base64Url.EncodeToString(digest));
            json.WriteString("value"u8, Base64Url.EncodeToString(stored.Signature));
        });
        var path = $"/keys/{options.SigningKey}/{stored.SigningVersion}/verify?{Api}";
        if (!(await bearer.SendAsync(HttpMethod.Post, path, body, cancellation)).TryGet(out var answer, out var why))
            return why;
        using (answer)
        {
            if (!answer.IsSuccess)
                return Refused(answer, options.SigningKey);
            return answer.IsTrue("value")
                ? default(Done)
                : VaultErrors.Refuse(VaultError.Refused, "A wrapped key does not belong where it was found, or was not wrapped by Postern.");
        }
    }

    /// <summary>Wraps or signs, and checks that the answer names the key that was asked for.</summary>
    private async Task<Outcome<byte[]>> OperateAsync(
        string key, string version, string operation, string algorithm, byte[] value, CancellationToken cancellation)
    {
        using var body = Operation(algorithm, value);
        if (!(await bearer.SendAsync(HttpMethod.Post, $"/keys/{key}/{version}/{operation}?{Api}", body, cancellation)).TryGet(out var answer, out var why))
            return why;
        using (answer)
        {
            if (!answer.IsSuccess)
                return Refused(answer, key);
            return VersionOf(answer.Text("kid"), key) == version && answer.Text("value") is { Length: > 0 } text && Base64Url.IsValid(text)
                ? Base64Url.DecodeFromChars(text)
                : rest.Unavailable($"answered {operation} without a value of the key that was asked for");
        }
    }

    private async Task<Outcome<string>> VersionAsync(string key, CancellationToken cancellation)
    {
        if (!(await bearer.SendAsync(HttpMethod.Get, $"/keys/{key}?{Api}", null, cancellation)).TryGet(out var answer, out var why))
            return why;
        using (answer)
        {
            if (!answer.IsSuccess)
                return Refused(answer, key);
            return VersionOf(answer.Text("key", "kid"), key) is { } version ? version : rest.Unavailable($"described {key} without a version");
        }
    }

    private static SecretBody Operation(string algorithm, byte[] value) => new(json =>
    {
        Span<byte> text = stackalloc byte[Base64Url.GetEncodedLength(value.Length)];
        Base64Url.EncodeToUtf8(value, text);
        json.WriteString("alg"u8, algorithm);
        json.WriteString("value"u8, text);
        CryptographicOperations.ZeroMemory(text);
    });

    /// <summary>The enabled versions of one page. Nothing in the answer is believed to have the right type.</summary>
    internal static IEnumerable<(string Version, DateTimeOffset Created)> Versions(RestAnswer answer) =>
        from entry in answer.List("value")
        let version = RestAnswer.TextOf(entry, "kid")?.Split('/')[^1]
        where version is not null && AzureWrappedKey.IsVersion(version) && RestAnswer.Find(entry, "attributes", "enabled") is { ValueKind: JsonValueKind.True }
        select (version, RestAnswer.TimeOf(RestAnswer.NumberOf(entry, "attributes", "created")));

    private static string? VersionOf(string? kid, string key) =>
        kid?.Split('/') is [.., "keys", var name, var version] && name == key && AzureWrappedKey.IsVersion(version) ? version : null;

    private Refusal Refused(RestAnswer answer, string key) => answer.Status switch
    {
        400 => VaultErrors.Refuse(VaultError.Refused, "A wrapped key does not belong where it was found, or was edited."),
        404 => VaultErrors.Refuse(VaultError.RootKeyMissing, $"{rest.Place} does not have {key} in this version. Restore it, or name the right vault."),
        _ => rest.Unavailable($"refused the request ({answer.Status}). Check that {key} is enabled and that Postern's identity may get it and use it"),
    };
}
