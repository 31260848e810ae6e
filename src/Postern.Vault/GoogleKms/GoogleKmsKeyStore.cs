using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using Postern.Model;

namespace Postern.Vault;

// Cloud KMS REST v1: encrypt, decrypt, get, cryptoKeyVersions. The context goes as additionalAuthenticatedData. Every field has a CRC32C (RFC 3720 appendix B.4) in both
// directions: the service says that it verified ours, we verify the service's; a field that was damaged on the way is asked for again later, not believed.

/// <summary>Root keys in Google Cloud KMS: each version of the key is one.</summary>
public sealed class GoogleKmsKeyStore : IKeyStore, IDisposable
{
    private const int MaxCiphertext = 2048;
    private const int MaxPages = 20;
    private readonly GoogleKmsOptions options;
    private readonly RestClient rest;
    private readonly GoogleTokens tokens;
    private readonly BearerClient bearer;

    /// <summary>Makes the store; it connects when it is first asked.</summary>
    /// <exception cref="ArgumentException">The options are wrong; every error is named.</exception>
    public GoogleKmsKeyStore(GoogleKmsOptions options, IChance chance, TimeProvider time)
    {
        VaultOptions.Check("The key store", options.Validate());
        this.options = options;
        rest = new("Google Cloud KMS", options.Rest, chance, time);
        tokens = new(options, chance, time);
        bearer = new(rest, tokens.FetchAsync, time);
    }

    /// <inheritdoc/>
    public string Description => $"{rest.Place}, key {options.Key}";

    /// <inheritdoc/>
    public async ValueTask<Outcome<string>> CurrentRootKeyIdAsync(CancellationToken cancellation)
    {
        if (!(await bearer.SendAsync(HttpMethod.Get, $"/v1/{options.Key}", null, cancellation)).TryGet(out var answer, out var why))
            return why;
        using (answer)
        {
            if (!answer.IsSuccess)
                return Refused(answer);
            return answer.Text("primary", "name") is { } name && Owns(name) ? name : rest.Unavailable("described the key without a primary version");
        }
    }

    /// <inheritdoc/>
    public async ValueTask<Outcome<RootWrapping>> WrapAsync(KeyWrapContext context, SecretBytes key, CancellationToken cancellation)
    {
        var bound = GC.AllocateUninitializedArray<byte>(BoundKey.Length, pinned: true);
        try
        {
            BoundKey.Write(context, key, bound);
            using var body = Body("plaintext", bound, context);
            if (!(await bearer.SendAsync(HttpMethod.Post, $"/v1/{options.Key}:encrypt", body, cancellation)).TryGet(out var answer, out var why))
                return why;
            using (answer)
            {
                if (!answer.IsSuccess)
                    return Refused(answer);
                if (!answer.IsTrue("verifiedPlaintextCrc32c") || !answer.IsTrue("verifiedAdditionalAuthenticatedDataCrc32c"))
                    return rest.Unavailable("did not confirm the checksums of the request");
                if (answer.Text("name") is not { } version || !Owns(version) || answer.Bytes("ciphertext") is not { Length: > 0 and <= MaxCiphertext } ciphertext)
                    return rest.Unavailable("answered without a ciphertext of the key that was asked for");
                return answer.Number("ciphertextCrc32c") == Crc32C(ciphertext)
                    ? new RootWrapping(version, ciphertext)
                    : rest.Unavailable("answered with a ciphertext that was damaged on the way");
            }
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
        // The version is for people: the ciphertext itself says which of the key's versions it needs.
        if (!Owns(rootKeyId))
            return VaultErrors.Refuse(VaultError.RootKeyMissing, $"A key was wrapped by '{rootKeyId}', and the settings name {options.Key}.");
        if (wrapped.Length is 0 or > MaxCiphertext)
            return VaultErrors.Refuse(VaultError.NotARecord, "A wrapped key is not in the form of Google Cloud KMS.");
        using var body = Body("ciphertext", wrapped, context);
        if (!(await bearer.SendAsync(HttpMethod.Post, $"/v1/{options.Key}:decrypt", body, cancellation)).TryGet(out var answer, out var why))
            return why;
        using (answer)
        {
            if (!answer.IsSuccess)
                return Refused(answer);
            var bound = GC.AllocateUninitializedArray<byte>(BoundKey.Length, pinned: true);
            try
            {
                if (!answer.TrySecret(bound, url: false, "plaintext"))
                    return VaultErrors.Refuse(VaultError.Refused, $"{rest.Place} unwrapped something that is no tenant key.");
                return answer.Number("plaintextCrc32c") == Crc32C(bound)
                    ? BoundKey.Open(context, bound)
                    : rest.Unavailable("answered with a plaintext that was damaged on the way");
            }
            finally
            {
                CryptographicOperations.ZeroMemory(bound);
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask<Outcome<IReadOnlyList<RootKeyInfo>>> RootKeysAsync(CancellationToken cancellation)
    {
        if (!(await CurrentRootKeyIdAsync(cancellation)).TryGet(out var current, out var missing))
            return missing;
        var keys = new List<RootKeyInfo>();
        var page = "";
        for (var pages = 0; pages < MaxPages; pages++)
        {
            var path = $"/v1/{options.Key}/cryptoKeyVersions?pageSize=50{page}";
            if (!(await bearer.SendAsync(HttpMethod.Get, path, null, cancellation)).TryGet(out var answer, out var why))
                return why;
            using (answer)
            {
                if (!answer.IsSuccess)
                    return Refused(answer);
                keys.AddRange(Versions(answer).Where(version => Owns(version.Name)).Select(version => new RootKeyInfo(version.Name, version.Created, version.Name == current)));
                if (answer.Text("nextPageToken") is not { Length: > 0 } next)
                    return Outcome<IReadOnlyList<RootKeyInfo>>.Of([.. keys.OrderBy(key => key.Created).ThenBy(key => key.Current)]);
                page = $"&pageToken={Uri.EscapeDataString(next)}";
            }
        }
        return rest.Unavailable($"has more than {MaxPages} pages of versions");
    }

    /// <inheritdoc/>
    public bool Owns(string rootKeyId) =>
        rootKeyId.StartsWith(options.Key + "/cryptoKeyVersions/", StringComparison.Ordinal)
        && rootKeyId[(options.Key.Length + "/cryptoKeyVersions/".Length)..] is { Length: > 0 and <= 9 } number && number.All(char.IsAsciiDigit);

    /// <summary>Ends the connections.</summary>
    public void Dispose()
    {
        bearer.Dispose();
        tokens.Dispose();
        rest.Dispose();
    }

    /// <summary>CRC-32C (Castagnoli), as Google's API has it.</summary>
    internal static long Crc32C(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var one in bytes)
            crc = BitOperations.Crc32C(crc, one);
        return ~crc;
    }

    private static SecretBody Body(string field, ReadOnlyMemory<byte> value, KeyWrapContext context) => new(json =>
    {
        var associated = context.EncodeWhole();
        json.WriteBase64String(field, value.Span);
        // 64-bit numbers are texts in Google's JSON.
        json.WriteString(field + "Crc32c", Crc32C(value.Span).ToString(CultureInfo.InvariantCulture));
        json.WriteBase64String("additionalAuthenticatedData"u8, associated);
        json.WriteString("additionalAuthenticatedDataCrc32c"u8, Crc32C(associated).ToString(CultureInfo.InvariantCulture));
    });

    /// <summary>The versions of one page that still decrypt. Nothing in the answer is believed to have the right type.</summary>
    internal static IEnumerable<(string Name, DateTimeOffset Created)> Versions(RestAnswer answer) =>
        from entry in answer.List("cryptoKeyVersions")
        let name = RestAnswer.TextOf(entry, "name")
        where name is not null && RestAnswer.TextOf(entry, "state") == "ENABLED"
        select (name, DateTimeOffset.TryParse(
            RestAnswer.TextOf(entry, "createTime"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var created) ? created : DateTimeOffset.UnixEpoch);

    private Refusal Refused(RestAnswer answer) => (answer.Status, answer.Text("error", "status")) switch
    {
        (400, "FAILED_PRECONDITION") => rest.Unavailable("says that the key's version is disabled or destroyed. Enable or restore it"),
        (400, _) => VaultErrors.Refuse(VaultError.Refused, "A wrapped key does not belong where it was found, or was edited."),
        (404, _) => VaultErrors.Refuse(VaultError.RootKeyMissing, $"{rest.Place} does not have {options.Key}. Name the right key, or restore it."),
        _ => rest.Unavailable($"refused the request ({answer.Status}). Check that Postern's service account may use {options.Key} (roles cryptoKeyEncrypterDecrypter and viewer)"),
    };
}
