using Postern.Model;

namespace Postern.Vault;

/// <summary>A key of HashiCorp Vault's or OpenBao's transit engine, of type <c>aes256-gcm96</c> and <c>derived=true</c>.</summary>
public sealed record TransitOptions : RemoteKeyStoreOptions
{
    /// <summary>Where the server is, such as <c>https://vault.example:8200</c>.</summary>
    public required RestOptions Rest { get; init; }

    /// <summary>Where the engine is mounted.</summary>
    /// <value><c>transit</c>.</value>
    public string Mount { get; init; } = "transit";

    /// <summary>The key's name.</summary>
    public required string Key { get; init; }

    /// <summary>The namespace (Vault Enterprise, OpenBao), if any.</summary>
    /// <value>None.</value>
    public string? Namespace { get; init; }

    /// <summary>How Postern proves who it is.</summary>
    public required TransitLogin Login { get; init; }

    /// <inheritdoc/>
    public override IKeyStore Create(IChance chance, TimeProvider time) => new TransitKeyStore(this, chance, time);

    /// <inheritdoc/>
    public override IEnumerable<string> Validate() =>
    [
        .. Rest.Validate("Transit"),
        .. Segments(nameof(Mount), Mount, slashes: true),
        .. Segments(nameof(Key), Key, slashes: false),
        .. Login.Validate(),
    ];

    private static IEnumerable<string> Segments(string name, string text, bool slashes)
    {
        if (text.Length == 0 || text.Split('/').Any(part => part is "" or "." or "..")
            || text.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.') && !(slashes && c == '/')))
        {
            yield return $"Transit.{name}: write a name of letters, digits, '-', '_' and '.'.";
        }
    }
}

/// <summary>How Postern logs in to the server.</summary>
public abstract record TransitLogin
{
    private TransitLogin()
    {
    }

    /// <summary>A token in a file, read for each request: an agent (Vault Agent, OpenBao Agent) renews it.</summary>
    /// <param name="File">The file.</param>
    public sealed record TokenFile(string File) : TransitLogin;

    /// <summary>AppRole: a role id, and a secret id in a file.</summary>
    /// <param name="RoleId">The role id, which is not secret by itself.</param>
    /// <param name="SecretIdFile">The file with the secret id.</param>
    public sealed record AppRole(string RoleId, string SecretIdFile) : TransitLogin
    {
        /// <summary>Where the method is mounted.</summary>
        /// <value><c>approle</c>.</value>
        public string Mount { get; init; } = "approle";
    }

    /// <summary>The service account of a Kubernetes pod.</summary>
    /// <param name="Role">The role.</param>
    public sealed record Kubernetes(string Role) : TransitLogin
    {
        /// <summary>The service account's token.</summary>
        /// <value><c>/var/run/secrets/kubernetes.io/serviceaccount/token</c>.</value>
        public string JwtFile { get; init; } = "/var/run/secrets/kubernetes.io/serviceaccount/token";

        /// <summary>Where the method is mounted.</summary>
        /// <value><c>kubernetes</c>.</value>
        public string Mount { get; init; } = "kubernetes";
    }

    internal IEnumerable<string> Validate()
    {
        var missing = this switch
        {
            TokenFile token => token.File.Length == 0,
            AppRole role => role.RoleId.Length == 0 || role.SecretIdFile.Length == 0 || role.Mount.Length == 0,
            Kubernetes role => role.Role.Length == 0 || role.JwtFile.Length == 0 || role.Mount.Length == 0,
            _ => true,
        };
        if (missing)
            yield return "Transit.Login: a name or file is empty.";
    }
}
