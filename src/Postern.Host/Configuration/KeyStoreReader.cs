using Postern.Model;
using Postern.Vault;

namespace Postern.Host.Configuration;

/// <summary>Reads <c>KeyStore</c>: the file keyring, or one of four services, and which it was before. docs/how-to/choose-a-key-store.md helps to choose.</summary>
internal static class KeyStoreReader
{
    private const string OwnDirectory = "Name a directory of its own (mode 0700), not the database's.";

    private enum Provider
    {
        File,
        Transit,
        AwsKms,
        AzureKeyVault,
        GoogleKms,
    }

    private enum Proof
    {
        Token,
        AppRole,
        Kubernetes,
        Environment,
        File,
        Workload,
        Machine,
        Secret,
    }

    public static KeyStoreSettings Read(ConfigNode node, StoreSettings store)
    {
        var deployment = node.Required("Deployment", "Name this deployment; the name is bound into every sealed record and must never change.");
        if (deployment.Length > 0 && !Slug.IsValid(deployment))
            node.Report("Deployment", "is no name.", Slug.Remedy("deployment", deployment));
        var (provider, file, remote) = Place(node, store);
        var former = Former(node.Child("Former"), provider, store);
        node.Close();
        return new(deployment, file, remote, former);
    }

    /// <summary>The key store that was used before, and still unwraps.</summary>
    private static FormerKeyStoreOptions? Former(ConfigNode node, Provider current, StoreSettings store)
    {
        if (!node.Exists)
            return null;
        var (provider, file, remote) = Place(node, store);
        if (provider == current)
            node.Report("Provider", "is the one that is used now.", current == Provider.AwsKms ? "List the keys of before in AwsKms:FormerKeyArns." : "Remove Former, or move by way of another kind.");
        node.Close();
        return new() { FileKeyring = file, RemoteKeyStore = remote };
    }

    private static (Provider, FileKeyringOptions?, RemoteKeyStoreOptions?) Place(ConfigNode node, StoreSettings store)
    {
        var provider = node.Choice("Provider", Provider.File,
            ("file", Provider.File), ("transit", Provider.Transit), ("aws-kms", Provider.AwsKms), ("azure-key-vault", Provider.AzureKeyVault), ("google-kms", Provider.GoogleKms));
        var file = File(node, provider, store);
        var remote = new (string Name, Provider Provider, Func<ConfigNode, RemoteKeyStoreOptions?> Read)[]
        {
            ("Transit", Provider.Transit, Transit),
            ("AwsKms", Provider.AwsKms, Aws),
            ("AzureKeyVault", Provider.AzureKeyVault, Azure),
            ("GoogleKms", Provider.GoogleKms, Google),
        }.Select(section => Section(node, section.Name, section.Provider == provider, section.Read)).OfType<RemoteKeyStoreOptions>().SingleOrDefault();
        return (provider, file, remote);
    }

    private static FileKeyringOptions? File(ConfigNode node, Provider provider, StoreSettings store)
    {
        var directory = provider == Provider.File ? node.Required("Directory", OwnDirectory) : node.Optional("Directory") ?? "";
        var (credential, passphrase) = (node.Optional("Credential"), node.Optional("PassphraseFile"));
        if (provider != Provider.File)
        {
            foreach (var (key, value) in new[] { ("Directory", directory), ("Credential", credential), ("PassphraseFile", passphrase) })
            {
                if (!string.IsNullOrEmpty(value))
                    node.Report(key, "belongs to the provider 'file'.", "Remove it, or choose that provider.");
            }
            return null;
        }
        if (directory.Contains('\0'))
            node.Report("Directory", "is not a path.", OwnDirectory);
        else if (directory.Length > 0 && store.File is { } database && IsWithin(directory, Path.GetDirectoryName(database)!))
            node.Report("Directory", "lies in the database's folder: one copy of that folder would open every token.", "Keep keys apart from the database.");
        if (credential is not null && passphrase is not null)
            node.Report("PassphraseFile", "and Credential are both set.", "Keep one of them.");
        if (credential is not null && credential != Path.GetFileName(credential))
            node.Report("Credential", "is a path.", "Write the name alone, as LoadCredentialEncrypted= has it.");
        return new()
        {
            Directory = directory,
            ForbiddenDirectories = store.File is { } folder ? [Path.GetDirectoryName(folder)!] : [],
            Protection = credential is not null ? new KeyringProtection.Credential(credential)
                : passphrase is not null ? new KeyringProtection.Passphrase(passphrase)
                : null,
        };
    }

    private static RemoteKeyStoreOptions? Section(ConfigNode node, string name, bool chosen, Func<ConfigNode, RemoteKeyStoreOptions?> read)
    {
        var section = node.Child(name);
        if (!chosen)
        {
            if (section.Exists)
                node.Report(name, "belongs to another provider than the chosen one.", "Remove it, or choose its provider.");
            return null;
        }
        if (read(section) is not { } options)
            return null;
        section.Close();
        // "Transit.Key: what to write" is the setting KeyStore:Transit:Key; what the options call their endpoint is the address here.
        foreach (var error in options.Validate().Select(error => error.Split(": ", 2)))
            node.Report(error[0].Replace('.', ':').Replace(":Endpoint", ":Address", StringComparison.Ordinal), "is not usable.", error[1]);
        return options;
    }

    private static TransitOptions? Transit(ConfigNode node)
    {
        var rest = Address(node, "Write the server's address, such as https://vault.example:8200.");
        var key = node.Required("Key", "Name the transit key: type aes256-gcm96, derived=true.");
        var mount = node.Optional("Mount") ?? "transit";
        var inside = node.Optional("Namespace");
        var proof = node.Choice("Login", Proof.Token, ("token", Proof.Token), ("approle", Proof.AppRole), ("kubernetes", Proof.Kubernetes));
        var (tokenFile, role, secretFile, loginMount) = (node.Optional("TokenFile"), node.Optional("Role"), node.Optional("SecretIdFile"), node.Optional("LoginMount"));
        if (proof == Proof.Token && tokenFile is null)
            node.Report("TokenFile", "is missing.", "Name the file that an agent keeps a token in, or choose another Login.");
        if (proof != Proof.Token && role is null)
            node.Report("Role", "is missing.", "Write the role (for AppRole, the role id).");
        if (proof == Proof.AppRole && secretFile is null)
            node.Report("SecretIdFile", "is missing.", "Name the file with the secret id.");
        if (rest is null || key.Length == 0)
            return null;
        TransitLogin login = proof switch
        {
            Proof.AppRole => new TransitLogin.AppRole(role ?? "-", secretFile ?? "-") { Mount = loginMount ?? "approle" },
            Proof.Kubernetes => new TransitLogin.Kubernetes(role ?? "-") { Mount = loginMount ?? "kubernetes", JwtFile = tokenFile ?? "/var/run/secrets/kubernetes.io/serviceaccount/token" },
            _ => new TransitLogin.TokenFile(tokenFile ?? "-"),
        };
        return new() { Rest = rest, Key = key, Mount = mount, Namespace = inside, Login = login };
    }

    private static AwsKmsOptions? Aws(ConfigNode node)
    {
        var arn = node.Required("KeyArn", "Write the key's ARN, arn:aws:kms:REGION:ACCOUNT:key/ID.");
        var former = node.List("FormerKeyArns");
        var proof = node.Choice("Credentials", Proof.Environment, ("environment", Proof.Environment), ("file", Proof.File), ("web-identity", Proof.Workload));
        var (file, profile) = (node.Optional("CredentialsFile"), node.Optional("Profile") ?? "default");
        var role = node.Optional("RoleArn") ?? Environment.GetEnvironmentVariable("AWS_ROLE_ARN");
        var token = node.Optional("TokenFile") ?? Environment.GetEnvironmentVariable("AWS_WEB_IDENTITY_TOKEN_FILE");
        if (proof == Proof.File && file is null)
            node.Report("CredentialsFile", "is missing.", "Name the shared credentials file.");
        if (proof == Proof.Workload && (role is null || token is null))
            node.Report("RoleArn", "or TokenFile is missing, and the environment does not name them either.", "Write both, or set AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE.");
        return arn.Length == 0 ? null : new()
        {
            KeyArn = arn,
            FormerKeyArns = former,
            Credentials = proof switch
            {
                Proof.File => new AwsCredentialSource.SharedFile(file ?? "-", profile),
                Proof.Workload => new AwsCredentialSource.WebIdentity(role ?? "-", token ?? "-"),
                _ => new AwsCredentialSource.EnvironmentVariables(),
            },
        };
    }

    private static AzureKeyVaultOptions? Azure(ConfigNode node)
    {
        var rest = Address(node, "Write the vault's address, such as https://acme.vault.azure.net.");
        var key = node.Required("Key", "Name the RSA key that wraps.");
        var signer = node.Required("SigningKey", "Name the EC key (P-256) that signs what was wrapped.");
        var proof = node.Choice("Credentials", Proof.Machine, ("managed-identity", Proof.Machine), ("workload-identity", Proof.Workload), ("client-secret", Proof.Secret));
        var (directory, client) = (node.Optional("DirectoryId") ?? "", node.Optional("ClientId"));
        var (token, secret) = (node.Optional("TokenFile") ?? "", node.Optional("SecretFile") ?? "");
        return rest is null || key.Length == 0 || signer.Length == 0 ? null : new()
        {
            Rest = rest,
            Key = key,
            SigningKey = signer,
            Credentials = proof switch
            {
                Proof.Workload => new AzureCredentialSource.WorkloadIdentity(directory, client ?? "", token),
                Proof.Secret => new AzureCredentialSource.ClientSecret(directory, client ?? "", secret),
                _ => new AzureCredentialSource.ManagedIdentity(client),
            },
        };
    }

    private static GoogleKmsOptions? Google(ConfigNode node)
    {
        var key = node.Required("Key", "Write projects/P/locations/L/keyRings/R/cryptoKeys/K.");
        var proof = node.Choice("Credentials", Proof.Machine, ("metadata", Proof.Machine), ("file", Proof.File));
        var file = node.Optional("CredentialsFile");
        if (proof == Proof.File && file is null)
            node.Report("CredentialsFile", "is missing.", "Name the service account's key file.");
        return key.Length == 0 ? null : new()
        {
            Key = key,
            Credentials = proof == Proof.File ? new GoogleCredentialSource.ServiceAccountFile(file ?? "-") : new GoogleCredentialSource.Metadata(),
        };
    }

    private static RestOptions? Address(ConfigNode node, string remedy)
    {
        var text = node.Required("Address", remedy);
        var authority = node.Optional("CertificateAuthorityFile");
        if (authority is not null && !System.IO.File.Exists(authority))
            node.Report("CertificateAuthorityFile", "names a file that cannot be read.", "Name a PEM file with the authority's certificates.");
        if (Uri.TryCreate(text, UriKind.Absolute, out var address) && RestOptions.IsAcceptable(address))
            return new() { Endpoint = address, CertificateAuthorityFile = authority };
        if (text.Length > 0)
            node.Report("Address", $"{ConfigNode.Shown(text)} is not usable.", $"{remedy} Plain http is for this machine alone.");
        return null;
    }

    /// <summary>True when the directory is the parent or lies in it.</summary>
    internal static bool IsWithin(string directory, string parent)
    {
        var inner = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory));
        var outer = Path.TrimEndingDirectorySeparator(parent);
        return inner == outer || inner.StartsWith(outer.Length == 1 ? outer : outer + Path.DirectorySeparatorChar, StringComparison.Ordinal);
    }
}
