using System.Xml;
using Postern.Model;

namespace Postern.Vault;

/// <summary>The credentials of an <see cref="AwsCredentialSource"/>.</summary>
internal sealed class AwsCredentialReader : IDisposable
{
    private readonly AwsKmsOptions options;
    private readonly TimeProvider time;
    private readonly Func<string, string?> variable;
    private readonly RestClient? sts;
    private readonly AccessTokens<AwsCredentials> assumed;

    public AwsCredentialReader(AwsKmsOptions options, IChance chance, TimeProvider time, Func<string, string?>? variable = null)
    {
        this.options = options;
        this.time = time;
        this.variable = variable ?? Environment.GetEnvironmentVariable;
        if (options.Credentials is AwsCredentialSource.WebIdentity web)
        {
            var endpoint = web.Endpoint ?? new Uri($"https://sts.{options.Region}.amazonaws.com{options.Suffix}");
            sts = new("AWS STS", options.RestOrDefault.At(endpoint), chance, time);
        }
        assumed = new(AssumeAsync, time);
    }

    /// <summary>The credentials; others than <paramref name="refused"/> where there can be others.</summary>
    public async Task<Outcome<AwsCredentials>> ReadAsync(AwsCredentials? refused, CancellationToken cancellation) => options.Credentials switch
    {
        AwsCredentialSource.EnvironmentVariables => FromEnvironment(),
        AwsCredentialSource.SharedFile shared => await FromFileAsync(shared, cancellation),
        _ => await assumed.GetAsync(refused, cancellation),
    };

    public void Dispose()
    {
        assumed.Dispose();
        sts?.Dispose();
    }

    private Outcome<AwsCredentials> FromEnvironment() => Of(
        variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"), variable("AWS_SESSION_TOKEN"),
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set");

    private static async Task<Outcome<AwsCredentials>> FromFileAsync(AwsCredentialSource.SharedFile shared, CancellationToken cancellation)
    {
        if (!(await CredentialFile.ReadAsync(shared.File, cancellation)).TryGet(out var text, out var unreadable))
            return unreadable;
        var values = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var inside = false;
        foreach (var line in text.Reveal().Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] is not ('#' or ';')))
        {
            if (line[0] == '[')
                inside = line.TrimEnd(']')[1..].Trim() == shared.Profile;
            else if (inside && line.IndexOf('=', StringComparison.Ordinal) is > 0 and var at)
                values[line[..at].Trim()] = line[(at + 1)..].Trim();
        }
        return Of(
            values.GetValueOrDefault("aws_access_key_id"), values.GetValueOrDefault("aws_secret_access_key"), values.GetValueOrDefault("aws_session_token"),
            $"{shared.File} has no key in profile '{shared.Profile}'");
    }

    private static Outcome<AwsCredentials> Of(string? id, string? secret, string? session, string missing) =>
        id is { Length: > 0 } && secret is { Length: > 0 }
            ? new AwsCredentials(id, new SecretText(secret), session is { Length: > 0 } ? new SecretText(session) : null)
            : VaultErrors.Refuse(VaultError.KeyStoreUnavailable, $"There are no credentials for AWS KMS: {missing}.");

    /// <summary>AssumeRoleWithWebIdentity, which is not signed: the token is the proof.</summary>
    private async Task<Outcome<AccessToken<AwsCredentials>>> AssumeAsync(CancellationToken cancellation)
    {
        var web = (AwsCredentialSource.WebIdentity)options.Credentials;
        if (!(await CredentialFile.ReadAsync(web.TokenFile, cancellation)).TryGet(out var token, out var unreadable))
            return unreadable;
        var sent = await sts!.SendAsync("/", () => new HttpRequestMessage
        {
            Method = HttpMethod.Post,
            Content = new FormUrlEncodedContent(
            [
                new("Action", "AssumeRoleWithWebIdentity"),
                new("Version", "2011-06-15"),
                new("RoleArn", web.RoleArn),
                new("RoleSessionName", "postern"),
                new("WebIdentityToken", token.Reveal()),
            ]),
        }, cancellation);
        if (!sent.TryGet(out var answer, out var why))
            return why;
        using (answer)
        {
            if (!answer.IsSuccess)
                return sts.Unavailable($"refused to let the workload be {web.RoleArn} ({answer.Status}). Check the role's trust policy");
            return ReadAssumed(answer.Body, time.GetUtcNow()) is { } assumedNow
                ? assumedNow
                : sts.Unavailable("answered without credentials");
        }
    }

    /// <summary>The credentials of STS's XML; null when it holds none.</summary>
    internal static AccessToken<AwsCredentials>? ReadAssumed(ReadOnlySpan<byte> xml, DateTimeOffset now)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, MaxCharactersInDocument = RestClient.MaxAnswer };
        try
        {
            using var reader = XmlReader.Create(new MemoryStream(xml.ToArray()), settings);
            if (!reader.ReadToFollowing("Credentials"))
                return null;
            using var inner = reader.ReadSubtree();
            inner.Read();
            inner.Read();
            while (!inner.EOF)
            {
                if (inner.NodeType == XmlNodeType.Element)
                    values[inner.LocalName] = inner.ReadElementContentAsString();
                else
                    inner.Read();
            }
        }
        catch (XmlException)
        {
            return null;
        }
        if (values.GetValueOrDefault("AccessKeyId") is not { Length: > 0 } id || values.GetValueOrDefault("SecretAccessKey") is not { Length: > 0 } secret
            || values.GetValueOrDefault("SessionToken") is not { Length: > 0 } session
            || !DateTimeOffset.TryParse(
                values.GetValueOrDefault("Expiration"), System.Globalization.CultureInfo.InvariantCulture, System.Globalization.DateTimeStyles.AssumeUniversal, out var end)
            || end <= now)
        {
            return null;
        }
        return new(new(id, new SecretText(secret), new SecretText(session)), end - now);
    }
}
