using Postern.Model;

namespace Postern.Vault;

/// <summary>Tokens for Key Vault, by plain HTTP: the Azure SDK would look for credentials in a dozen places of its own choice.</summary>
internal sealed class AzureTokens : IDisposable
{
    private const string Resource = "https://vault.azure.net";
    private readonly AzureCredentialSource source;
    private readonly RestClient rest;

    public AzureTokens(AzureKeyVaultOptions options, IChance chance, TimeProvider time)
    {
        source = options.Credentials;
        // The service's own certificate authority is not the vault's.
        var defaults = new RestOptions { Endpoint = source.Authority, AttemptTimeout = options.Rest.AttemptTimeout, Attempts = options.Rest.Attempts };
        rest = source is AzureCredentialSource.ManagedIdentity identity
            ? RestClient.ToInstanceMetadata("Azure's instance metadata", defaults.At(identity.Endpoint), chance, time)
            : new("Microsoft Entra", defaults, chance, time);
    }

    /// <summary>Asks for a token.</summary>
    public Task<Outcome<AccessToken<SecretText>>> FetchAsync(CancellationToken cancellation) => source switch
    {
        AzureCredentialSource.ManagedIdentity identity => OfMachineAsync(identity, cancellation),
        AzureCredentialSource.WorkloadIdentity workload => OfApplicationAsync(workload.TenantId, workload.ClientId, workload.TokenFile, assertion: true, cancellation),
        AzureCredentialSource.ClientSecret secret => OfApplicationAsync(secret.TenantId, secret.ClientId, secret.SecretFile, assertion: false, cancellation),
        _ => throw new InvalidOperationException($"{source.GetType().Name} is no source of this version."),
    };

    public void Dispose() => rest.Dispose();

    private async Task<Outcome<AccessToken<SecretText>>> OfMachineAsync(AzureCredentialSource.ManagedIdentity identity, CancellationToken cancellation)
    {
        var path = $"/metadata/identity/oauth2/token?api-version=2018-02-01&resource={Uri.EscapeDataString(Resource)}"
            + (identity.ClientId is { } id ? $"&client_id={Uri.EscapeDataString(id)}" : "");
        var sent = await rest.SendAsync(path, () =>
        {
            var request = new HttpRequestMessage { Method = HttpMethod.Get };
            request.Headers.TryAddWithoutValidation("Metadata", "true");
            return request;
        }, cancellation);
        return TokenEndpoints.Read(rest, sent, "Check that the machine has a managed identity");
    }

    private async Task<Outcome<AccessToken<SecretText>>> OfApplicationAsync(
        string tenant, string client, string file, bool assertion, CancellationToken cancellation)
    {
        if (!(await CredentialFile.ReadAsync(file, cancellation)).TryGet(out var proof, out var unreadable))
            return unreadable;
        var sent = await rest.SendAsync($"/{tenant}/oauth2/v2.0/token", () => new HttpRequestMessage
        {
            Method = HttpMethod.Post,
            Content = new FormUrlEncodedContent(assertion
                ? [
                    new("grant_type", "client_credentials"), new("client_id", client), new("scope", Resource + "/.default"),
                    new("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), new("client_assertion", proof.Reveal()),
                ]
                : [
                    new("grant_type", "client_credentials"), new("client_id", client), new("scope", Resource + "/.default"),
                    new("client_secret", proof.Reveal()),
                ]),
        }, cancellation);
        return TokenEndpoints.Read(rest, sent, $"Check the application {client} and the file {file}");
    }
}
