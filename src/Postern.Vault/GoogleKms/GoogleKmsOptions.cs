using System.Text.RegularExpressions;
using Postern.Model;

namespace Postern.Vault;

/// <summary>A symmetric key (<c>ENCRYPT_DECRYPT</c>) of Google Cloud KMS.</summary>
public sealed partial record GoogleKmsOptions : RemoteKeyStoreOptions
{
    /// <summary>The key: <c>projects/P/locations/L/keyRings/R/cryptoKeys/K</c>.</summary>
    public required string Key { get; init; }

    /// <summary>Where the service is reached.</summary>
    /// <value><c>https://cloudkms.googleapis.com</c>.</value>
    public RestOptions Rest { get; init; } = new() { Endpoint = new Uri("https://cloudkms.googleapis.com") };

    /// <summary>Where tokens come from.</summary>
    public required GoogleCredentialSource Credentials { get; init; }

    /// <inheritdoc/>
    public override IKeyStore Create(IChance chance, TimeProvider time) => new GoogleKmsKeyStore(this, chance, time);

    /// <inheritdoc/>
    public override IEnumerable<string> Validate()
    {
        var errors = Rest.Validate("GoogleKms").ToList();
        if (!Name().IsMatch(Key))
            errors.Add($"GoogleKms.{nameof(Key)}: write projects/P/locations/L/keyRings/R/cryptoKeys/K, without a version.");
        if (!Credentials.IsAcceptable)
            errors.Add("GoogleKms.Credentials: a file is empty, or the address of the token endpoint is not https.");
        return errors;
    }

    [GeneratedRegex(@"^projects/[a-z0-9:.-]{1,63}/locations/[a-z0-9-]{1,63}/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Name();
}

/// <summary>Where tokens for Google Cloud come from. One source, named in the settings: nothing is looked for elsewhere.</summary>
public abstract record GoogleCredentialSource
{
    private GoogleCredentialSource()
    {
    }

    /// <summary>The service account of the virtual machine, or of the workload on Google Kubernetes Engine.</summary>
    public sealed record Metadata : GoogleCredentialSource
    {
        /// <summary>The metadata service.</summary>
        public Uri Endpoint { get; init; } = new($"http://{RestClient.MetadataAddress}");
    }

    /// <summary>A service account's key file (JSON).</summary>
    /// <param name="File">The file.</param>
    public sealed record ServiceAccountFile(string File) : GoogleCredentialSource
    {
        /// <summary>The token endpoint; what the file says about it is not believed.</summary>
        /// <value><c>https://oauth2.googleapis.com</c>.</value>
        public Uri Endpoint { get; init; } = new("https://oauth2.googleapis.com");
    }

    internal bool IsAcceptable => this is not ServiceAccountFile file || (file.File.Length > 0 && RestOptions.IsAcceptable(file.Endpoint));
}
