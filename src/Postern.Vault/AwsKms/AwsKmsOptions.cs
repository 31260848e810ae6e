using System.Collections.Immutable;
using System.Text.RegularExpressions;
using Postern.Model;

namespace Postern.Vault;

/// <summary>A symmetric key (<c>SYMMETRIC_DEFAULT</c>) of AWS KMS.</summary>
public sealed partial record AwsKmsOptions : RemoteKeyStoreOptions
{
    /// <summary>
    /// The key's ARN: <c>arn:aws:kms:REGION:ACCOUNT:key/ID</c>. Not an alias, which somebody could point elsewhere; the answer must name
    /// this key.
    /// </summary>
    public required string KeyArn { get; init; }

    /// <summary>Keys that wrapped before <see cref="KeyArn"/> and still unwrap.</summary>
    /// <value>None. The rotation of one key's material inside AWS needs no entry.</value>
    public ImmutableArray<string> FormerKeyArns { get; init; } = [];

    /// <summary>Where the service is reached.</summary>
    /// <value>Null: <c>https://kms.REGION.amazonaws.com</c>, with the region of the ARN.</value>
    public RestOptions? Rest { get; init; }

    /// <summary>Where credentials come from.</summary>
    public required AwsCredentialSource Credentials { get; init; }

    /// <summary>The region, from the ARN.</summary>
    public string Region => KeyArn.Split(':') is { Length: > 3 } parts ? parts[3] : "";

    internal RestOptions RestOrDefault => Rest ?? new() { Endpoint = new Uri($"https://kms.{Region}.amazonaws.com{Suffix}") };

    internal string Suffix => KeyArn.StartsWith("arn:aws-cn:", StringComparison.Ordinal) ? ".cn" : "";

    /// <inheritdoc/>
    public override IKeyStore Create(IChance chance, TimeProvider time) => new AwsKmsKeyStore(this, chance, time);

    /// <inheritdoc/>
    public override IEnumerable<string> Validate()
    {
        if (!Arn().IsMatch(KeyArn))
            return [$"AwsKms.{nameof(KeyArn)}: write the key's ARN, arn:aws:kms:REGION:ACCOUNT:key/ID, not an alias."];
        return
        [
            .. RestOrDefault.Validate("AwsKms"),
            .. FormerKeyArns.Where(arn => !Arn().IsMatch(arn) || arn.Split(':')[3] != Region)
                .Select(_ => $"AwsKms.{nameof(FormerKeyArns)}: write key ARNs of the same region."),
            .. Credentials.Validate(),
        ];
    }

    [GeneratedRegex(@"^arn:aws(-cn|-us-gov)?:kms:[a-z0-9-]{1,32}:[0-9]{12}:key/[A-Za-z0-9-]{1,128}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Arn();
}

/// <summary>Where credentials of AWS come from. One source, named in the settings: nothing is looked for elsewhere.</summary>
public abstract record AwsCredentialSource
{
    private AwsCredentialSource()
    {
    }

    /// <summary><c>AWS_ACCESS_KEY_ID</c>, <c>AWS_SECRET_ACCESS_KEY</c> and, where set, <c>AWS_SESSION_TOKEN</c>.</summary>
    public sealed record EnvironmentVariables : AwsCredentialSource;

    /// <summary>A profile of a shared credentials file, read for each request.</summary>
    /// <param name="File">The file.</param>
    /// <param name="Profile">The profile, such as <c>default</c>.</param>
    public sealed record SharedFile(string File, string Profile) : AwsCredentialSource;

    /// <summary>The token of a workload (IAM roles for service accounts), exchanged at STS for temporary credentials.</summary>
    /// <param name="RoleArn">The role.</param>
    /// <param name="TokenFile">The token's file.</param>
    public sealed record WebIdentity(string RoleArn, string TokenFile) : AwsCredentialSource
    {
        /// <summary>Where STS is.</summary>
        /// <value>Null: <c>https://sts.REGION.amazonaws.com</c>.</value>
        public Uri? Endpoint { get; init; }
    }

    internal IEnumerable<string> Validate()
    {
        var wrong = this switch
        {
            SharedFile shared => shared.File.Length == 0 || shared.Profile.Length == 0,
            WebIdentity web => web.RoleArn.Length == 0 || web.TokenFile.Length == 0 || (web.Endpoint is { } at && !RestOptions.IsAcceptable(at)),
            _ => false,
        };
        if (wrong)
            yield return "AwsKms.Credentials: a file, profile or role is empty, or the address of STS is not https.";
    }
}
