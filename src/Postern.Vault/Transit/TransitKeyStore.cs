using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Model;

namespace Postern.Vault;

// Transit secrets engine, API v1. The key is derived: its own key for each context, so the server binds the context too; associated_data is not used, because
// rewrap cannot pass it on. The ciphertext names its key version: "vault:v3:<base64>".

/// <summary>Root keys in HashiCorp Vault or OpenBao. Rotation happens there; <see cref="RewrapAsync"/> shows no key to this process.</summary>
public sealed class TransitKeyStore : IKeyStore, IDisposable
{
    private const string Prefix = "vault:v";
    private const int MaxCiphertext = 1024;
    private readonly TransitOptions options;
    private readonly RestClient rest;
    private readonly TransitLogins logins;

    /// <summary>Makes the store; it connects when it is first asked.</summary>
    /// <exception cref="ArgumentException">The options are wrong; every error is named.</exception>
    public TransitKeyStore(TransitOptions options, IChance chance, TimeProvider time)
    {
        VaultOptions.Check("The key store", options.Validate());
        this.options = options;
        rest = new("Vault Transit", options.Rest, chance, time);
        logins = new(options, rest, time);
    }

    /// <inheritdoc/>
    public string Description => $"{rest.Place}, key {options.Mount}/{options.Key}";

    /// <inheritdoc/>
    public async ValueTask<Outcome<string>> CurrentRootKeyIdAsync(CancellationToken cancellation) =>
        (await RootKeysAsync(cancellation)).TryGet(out var keys, out var why) ? keys.Single(key => key.Current).Id : why;

    /// <inheritdoc/>
    public async ValueTask<Outcome<RootWrapping>> WrapAsync(KeyWrapContext context, SecretBytes key, CancellationToken cancellation)
    {
        var bound = GC.AllocateUninitializedArray<byte>(BoundKey.Length, pinned: true);
        try
        {
            BoundKey.Write(context, key, bound);
            using var body = new SecretBody(json =>
            {
                json.WriteBase64String("plaintext"u8, bound);
                json.WriteBase64String("context"u8, context.EncodeWhole());
            });
            return ReadWrapped(await PostAsync("encrypt", body, cancellation));
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
        if (!Judge(rootKeyId, wrapped.Span).TryGet(out var ciphertext, out var wrong))
            return wrong;
        using var body = Ciphertext(context, ciphertext);
        if (!(await PostAsync("decrypt", body, cancellation)).TryGet(out var answer, out var why))
            return why;
        using (answer)
        {
            if (!answer.IsSuccess)
                return Refused(answer);
            var bound = GC.AllocateUninitializedArray<byte>(BoundKey.Length, pinned: true);
            try
            {
                return answer.TrySecret(bound, url: false, "data", "plaintext")
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
        if (!Judge(rootKeyId, wrapped.Span).TryGet(out var ciphertext, out var wrong))
            return wrong;
        using var body = Ciphertext(context, ciphertext);
        return ReadWrapped(await PostAsync("rewrap", body, cancellation));
    }

    /// <inheritdoc/>
    public async ValueTask<Outcome<IReadOnlyList<RootKeyInfo>>> RootKeysAsync(CancellationToken cancellation)
    {
        if (!(await SendAsync(HttpMethod.Get, $"/v1/{options.Mount}/keys/{options.Key}", null, cancellation)).TryGet(out var answer, out var why))
            return why;
        using (answer)
        {
            if (!answer.IsSuccess)
                return answer.Status == 404 ? Missing() : Denied(answer);
            if (!answer.IsTrue("data", "derived"))
                return rest.Unavailable($"has a key {options.Key} that is not derived: it would bind no tenant. Make one with derived=true");
            var oldest = answer.Number("data", "min_decryption_version") ?? 1;
            var latest = answer.Number("data", "latest_version");
            var keys = new List<RootKeyInfo>();
            if (answer.Find("data", "keys") is { ValueKind: JsonValueKind.Object } versions)
            {
                foreach (var version in versions.EnumerateObject())
                {
                    // The creation time, in seconds; an object with creation_time for some types.
                    if (long.TryParse(version.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= oldest)
                        keys.Add(new(RootKeyId(number), Created(version.Value), number == latest));
                }
            }
            return keys.Exists(key => key.Current)
                ? Outcome<IReadOnlyList<RootKeyInfo>>.Of([.. keys.OrderBy(key => key.Id.Length).ThenBy(key => key.Id, StringComparer.Ordinal)])
                : rest.Unavailable("described its key in a way that this version does not read");
        }
    }

    /// <inheritdoc/>
    public bool Owns(string rootKeyId) => rootKeyId.StartsWith($"{options.Mount}/{options.Key}:v", StringComparison.Ordinal);

    /// <summary>Ends the connections.</summary>
    public void Dispose()
    {
        logins.Dispose();
        rest.Dispose();
    }

    internal static HttpRequestMessage Request(HttpMethod method, TransitOptions options, SecretText? token, SecretBody? body)
    {
        var request = new HttpRequestMessage { Method = method, Content = body?.ToContent() };
        if (token is not null)
            request.Headers.TryAddWithoutValidation("X-Vault-Token", token.Reveal());
        if (options.Namespace is { } inside)
            request.Headers.TryAddWithoutValidation("X-Vault-Namespace", inside);
        // Agents and proxies answer only requests that no browser can be tricked into.
        request.Headers.TryAddWithoutValidation("X-Vault-Request", "true");
        return request;
    }

    private static DateTimeOffset Created(JsonElement version) => version.ValueKind switch
    {
        JsonValueKind.Object => DateTimeOffset.TryParse(
            RestAnswer.TextOf(version, "creation_time"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var created) ? created : DateTimeOffset.UnixEpoch,
        _ => RestAnswer.TimeOf(RestAnswer.NumberOf(version)),
    };

    private static SecretBody Ciphertext(KeyWrapContext context, string ciphertext) => new(json =>
    {
        json.WriteString("ciphertext"u8, ciphertext);
        json.WriteBase64String("context"u8, context.EncodeWhole());
    });

    private string RootKeyId(long version) => string.Create(CultureInfo.InvariantCulture, $"{options.Mount}/{options.Key}:v{version}");

    /// <summary>The ciphertext as text, if it is one and names the root key that it is stored with.</summary>
    private Outcome<string> Judge(string rootKeyId, ReadOnlySpan<byte> wrapped)
    {
        if (wrapped.Length > MaxCiphertext || VersionOf(wrapped) is not { } version)
            return VaultErrors.Refuse(VaultError.NotARecord, "A wrapped key is not in the form of Vault's transit engine.");
        if (!Owns(rootKeyId))
            return VaultErrors.Refuse(
                VaultError.RootKeyMissing, $"A key was wrapped by '{rootKeyId}', and the settings name {options.Mount}/{options.Key}.");
        return rootKeyId == RootKeyId(version)
            ? Encoding.ASCII.GetString(wrapped)
            : VaultErrors.Refuse(VaultError.Refused, "A wrapped key does not name the root key that it is stored with.");
    }

    private static long? VersionOf(ReadOnlySpan<byte> wrapped)
    {
        if (System.Text.Ascii.IsValid(wrapped) && Encoding.ASCII.GetString(wrapped).Split(':') is ["vault", ['v', .. var digits], { Length: > 0 }]
            && long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var version))
        {
            return version;
        }
        return null;
    }

    private Outcome<RootWrapping> ReadWrapped(Outcome<RestAnswer> sent)
    {
        if (!sent.TryGet(out var answer, out var why))
            return why;
        using (answer)
        {
            if (!answer.IsSuccess)
                return Refused(answer);
            return answer.Text("data", "ciphertext") is { Length: <= MaxCiphertext } text && text.StartsWith(Prefix, StringComparison.Ordinal)
                && VersionOf(Encoding.UTF8.GetBytes(text)) is { } version
                    ? new RootWrapping(RootKeyId(version), Encoding.ASCII.GetBytes(text))
                    : rest.Unavailable("answered without a ciphertext");
        }
    }

    /// <summary>What a 4xx to encrypt, decrypt or rewrap means.</summary>
    private Refusal Refused(RestAnswer answer)
    {
        if (answer.Status != 400)
            return answer.Status == 404 ? Missing() : Denied(answer);
        var said = answer.Find("errors") is { ValueKind: JsonValueKind.Array } errors && errors.GetArrayLength() > 0
            && errors[0].ValueKind == JsonValueKind.String ? errors[0].GetRawText() : "";
        if (said.Contains("key not found", StringComparison.Ordinal))
            return Missing();
        return said.Contains("disallowed by policy", StringComparison.Ordinal)
            ? VaultErrors.Refuse(
                VaultError.RootKeyMissing,
                $"{rest.Place} no longer opens this version of {options.Key}. Lower min_decryption_version, or restore the key.")
            : VaultErrors.Refuse(VaultError.Refused, "A wrapped key does not belong where it was found, or was edited.");
    }

    private Refusal Missing() => VaultErrors.Refuse(
        VaultError.RootKeyMissing, $"{rest.Place} has no key {options.Mount}/{options.Key}. Make it with type=aes256-gcm96 derived=true.");

    private Refusal Denied(RestAnswer answer) => rest.Unavailable(
        $"refused the request ({answer.Status}). Check the token and its policy: update on encrypt, decrypt and rewrap, read on keys, of {options.Mount}/{options.Key}");

    private Task<Outcome<RestAnswer>> PostAsync(string verb, SecretBody body, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Post, $"/v1/{options.Mount}/{verb}/{options.Key}", body, cancellation);

    /// <summary>Sends with a token, and once more with a fresh one when the first is refused.</summary>
    private async Task<Outcome<RestAnswer>> SendAsync(HttpMethod method, string path, SecretBody? body, CancellationToken cancellation)
    {
        SecretText? refused = null;
        while (true)
        {
            if (!(await logins.TokenAsync(refused, cancellation)).TryGet(out var token, out var why))
                return why;
            var sent = await rest.SendAsync(path, () => Request(method, options, token, body), cancellation);
            if (refused is not null || !sent.TryGet(out var answer, out _) || answer.Status != 403)
                return sent;
            answer.Dispose();
            refused = token;
        }
    }
}
