using System.Text.RegularExpressions;
using Postern.Model;

namespace Postern.Vault;

/// <summary>An RSA key of Azure Key Vault or Managed HSM that wraps, and an EC key that signs what it wrapped.</summary>
public sealed partial record AzureKeyVaultOptions : RemoteKeyStoreOptions
{
    /// <summary>The vault, such as <c>https://acme.vault.azure.net</c>.</summary>
    public required RestOptions Rest { get; init; }

    /// <summary>The RSA key (2048 bits or more; operations <c>wrapKey</c> and <c>unwrapKey</c>).</summary>
    public required string Key { get; init; }

    /// <summary>
    /// The EC key on P-256 (operations <c>sign</c> and <c>verify</c>). Anybody who knows an RSA key's public half can wrap with it; only
    /// what this key signed is unwrapped, so nobody who can write the database can give a tenant a key of his own.
    /// </summary>
    public required string SigningKey { get; init; }

    /// <summary>Where tokens come from.</summary>
    public required AzureCredentialSource Credentials { get; init; }

    /// <inheritdoc/>
    public override IKeyStore Create(IChance chance, TimeProvider time) => new AzureKeyVaultKeyStore(this, chance, time);

    /// <inheritdoc/>
    public override IEnumerable<string> Validate()
    {
        var errors = Rest.Validate("AzureKeyVault").ToList();
        foreach (var (name, value) in new[] { (nameof(Key), Key), (nameof(SigningKey), SigningKey) })
        {
            if (!KeyName().IsMatch(value))
                errors.Add($"AzureKeyVault.{name}: write the key's name, letters, digits and '-', without a version.");
        }
        if (Key == SigningKey)
            errors.Add($"AzureKeyVault.{nameof(SigningKey)}: name another key than the one that wraps.");
        return errors.Concat(Credentials.Validate());
    }

    [GeneratedRegex(@"^[A-Za-z0-9-]{1,127}\z", RegexOptions.CultureInvariant)]
    private static partial Regex KeyName();
}

/// <summary>Where tokens for Azure come from. One source, named in the settings: nothing is looked for elsewhere.</summary>
public abstract record AzureCredentialSource
{
    private AzureCredentialSource()
    {
    }

    /// <summary>The identity of the virtual machine or scale set.</summary>
    /// <param name="ClientId">Which of several user-assigned identities; null when there is one.</param>
    public sealed record ManagedIdentity(string? ClientId) : AzureCredentialSource
    {
        /// <summary>The instance metadata service.</summary>
        public Uri Endpoint { get; init; } = new($"http://{RestClient.MetadataAddress}");
    }

    /// <summary>A Kubernetes workload: its token is exchanged for one of the application's (RFC 7523).</summary>
    /// <param name="TenantId">The directory's id.</param>
    /// <param name="ClientId">The application's id.</param>
    /// <param name="TokenFile">The workload's token.</param>
    public sealed record WorkloadIdentity(string TenantId, string ClientId, string TokenFile) : AzureCredentialSource;

    /// <summary>An application's secret, in a file.</summary>
    /// <param name="TenantId">The directory's id.</param>
    /// <param name="ClientId">The application's id.</param>
    /// <param name="SecretFile">The file with its secret.</param>
    public sealed record ClientSecret(string TenantId, string ClientId, string SecretFile) : AzureCredentialSource;

    /// <summary>The sign-in service.</summary>
    /// <value><c>https://login.microsoftonline.com</c>.</value>
    public Uri Authority { get; init; } = new("https://login.microsoftonline.com");

    internal IEnumerable<string> Validate()
    {
        var ids = this switch
        {
            WorkloadIdentity workload => new[] { workload.TenantId, workload.ClientId },
            ClientSecret secret => [secret.TenantId, secret.ClientId],
            ManagedIdentity { ClientId: { } id } => [id],
            _ => [],
        };
        if (ids.Any(id => !Guid.TryParseExact(id, "D", out _)))
            yield return "AzureKeyVault.Credentials: directory and application ids are UUIDs.";
        if (this is WorkloadIdentity { TokenFile.Length: 0 } or ClientSecret { SecretFile.Length: 0 })
            yield return "AzureKeyVault.Credentials: name the file.";
        if (!RestOptions.IsAcceptable(Authority))
            yield return "AzureKeyVault.Credentials.Authority: write https://HOST.";
    }
}
