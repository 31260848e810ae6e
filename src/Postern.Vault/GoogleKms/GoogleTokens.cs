using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Model;

namespace Postern.Vault;

/// <summary>Tokens for Cloud KMS: from the metadata service, or for a service account's signed assertion (RFC 7523).</summary>
internal sealed class GoogleTokens : IDisposable
{
    private const string Scope = "https://www.googleapis.com/auth/cloudkms";
    private const string Audience = "https://oauth2.googleapis.com/token";
    private readonly GoogleCredentialSource source;
    private readonly RestClient rest;
    private readonly TimeProvider time;

    public GoogleTokens(GoogleKmsOptions options, IChance chance, TimeProvider time)
    {
        source = options.Credentials;
        this.time = time;
        var limits = options.Rest with { CertificateAuthorityFile = null };
        rest = source switch
        {
            GoogleCredentialSource.ServiceAccountFile file => new("Google's token endpoint", limits.At(file.Endpoint), chance, time),
            GoogleCredentialSource.Metadata metadata => RestClient.ToInstanceMetadata("Google's metadata", limits.At(metadata.Endpoint), chance, time),
            _ => throw new InvalidOperationException($"{source.GetType().Name} is no source of this version."),
        };
    }

    /// <summary>Asks for a token.</summary>
    public async Task<Outcome<AccessToken<SecretText>>> FetchAsync(CancellationToken cancellation) =>
        source is GoogleCredentialSource.ServiceAccountFile file ? await OfFileAsync(file.File, cancellation) : await OfMachineAsync(cancellation);

    public void Dispose() => rest.Dispose();

    private async Task<Outcome<AccessToken<SecretText>>> OfMachineAsync(CancellationToken cancellation)
    {
        var sent = await rest.SendAsync("/computeMetadata/v1/instance/service-accounts/default/token", () =>
        {
            var request = new HttpRequestMessage { Method = HttpMethod.Get };
            request.Headers.TryAddWithoutValidation("Metadata-Flavor", "Google");
            return request;
        }, cancellation);
        return TokenEndpoints.Read(rest, sent, "Check that the machine has a service account");
    }

    private async Task<Outcome<AccessToken<SecretText>>> OfFileAsync(string path, CancellationToken cancellation)
    {
        if (!(await CredentialFile.ReadAsync(path, cancellation)).TryGet(out var text, out var unreadable))
            return unreadable;
        if (Assertion(text, time.GetUtcNow()) is not { } assertion)
            return VaultErrors.Refuse(VaultError.KeyStoreUnavailable, $"{path} is not the key file of a service account. Make one, or use the metadata service.");
        var sent = await rest.SendAsync("/token", () => new HttpRequestMessage
        {
            Method = HttpMethod.Post,
            Content = new FormUrlEncodedContent([new("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), new("assertion", assertion.Reveal())]),
        }, cancellation);
        return TokenEndpoints.Read(rest, sent, $"Check the service account of {path}");
    }

    /// <summary>A signed assertion of the account in a key file, good for five minutes; null when it is no key file.</summary>
    internal static SecretText? Assertion(SecretText keyFile, DateTimeOffset now)
    {
        using var file = RestAnswer.Of(200, Encoding.UTF8.GetBytes(keyFile.Reveal()));
        if (file.Text("client_email") is not { } account || file.Text("private_key") is not { } pem)
            return null;
        using var rsa = RSA.Create();
        try
        {
            rsa.ImportFromPem(pem);
        }
        catch (Exception broken) when (broken is ArgumentException or CryptographicException)
        {
            return null;
        }
        var header = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string?> { ["alg"] = "RS256", ["typ"] = "JWT", ["kid"] = file.Text("private_key_id") });
        var claims = string.Create(CultureInfo.InvariantCulture,
            $$"""{"iss":{{JsonSerializer.Serialize(account)}},"scope":"{{Scope}}","aud":"{{Audience}}","iat":{{now.ToUnixTimeSeconds()}},"exp":{{now.ToUnixTimeSeconds() + 300}}}""");
        var signed = $"{Base64Url.EncodeToString(header)}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims))}";
        var signature = rsa.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        return new SecretText($"{signed}.{Base64Url.EncodeToString(signature)}");
    }
}
