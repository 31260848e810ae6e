using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Postern.Model;

namespace Postern.Vault;

// AWS Signature Version 4, Authorization header:
//
//   canonical request = method \n path \n query \n (name:value \n)… \n names;… \n hex(SHA-256(body))
//   string to sign    = AWS4-HMAC-SHA256 \n time \n date/region/service/aws4_request \n hex(SHA-256(canonical request))
//   key               = HMAC(HMAC(HMAC(HMAC("AWS4" || secret, date), region), service), "aws4_request")
//   signature         = hex(HMAC(key, string to sign))

/// <summary>Credentials of AWS.</summary>
/// <param name="KeyId">The access key's id.</param>
/// <param name="Secret">The secret access key.</param>
/// <param name="SessionToken">The session token of temporary credentials.</param>
internal sealed record AwsCredentials(string KeyId, SecretText Secret, SecretText? SessionToken);

/// <summary>Signs requests for AWS.</summary>
internal static class AwsSigV4
{
    private const string Algorithm = "AWS4-HMAC-SHA256";

    /// <summary>The value of the <c>Authorization</c> header.</summary>
    /// <param name="method">The method.</param>
    /// <param name="path">The absolute path, already encoded.</param>
    /// <param name="query">Name and value of each parameter, not encoded.</param>
    /// <param name="headers">Every header to sign; <c>host</c> and <c>x-amz-date</c> must be among them.</param>
    /// <param name="body">The body.</param>
    /// <param name="credentials">Who signs; the session token must be among the headers.</param>
    /// <param name="region">The region.</param>
    /// <param name="service">The service's signing name.</param>
    /// <param name="now">The time that <c>x-amz-date</c> says.</param>
    public static string Authorization(
        string method, string path, IEnumerable<KeyValuePair<string, string>> query, IEnumerable<KeyValuePair<string, string>> headers,
        ReadOnlySpan<byte> body, AwsCredentials credentials, string region, string service, DateTimeOffset now)
    {
        var signed = headers
            .GroupBy(header => header.Key.ToLowerInvariant(), header => Squeeze(header.Value))
            .OrderBy(header => header.Key, StringComparer.Ordinal)
            .ToList();
        var names = string.Join(';', signed.Select(header => header.Key));
        var canonical = new StringBuilder(method).Append('\n').Append(path).Append('\n')
            .AppendJoin('&', query
                .Select(parameter => (Name: Uri.EscapeDataString(parameter.Key), Value: Uri.EscapeDataString(parameter.Value)))
                .OrderBy(parameter => parameter.Name, StringComparer.Ordinal).ThenBy(parameter => parameter.Value, StringComparer.Ordinal)
                .Select(parameter => $"{parameter.Name}={parameter.Value}"))
            .Append('\n');
        foreach (var header in signed)
            canonical.Append(header.Key).Append(':').AppendJoin(',', header).Append('\n');
        canonical.Append('\n').Append(names).Append('\n').Append(Hex(SHA256.HashData(body)));

        var time = Time(now);
        var scope = $"{time[..8]}/{region}/{service}/aws4_request";
        var toSign = $"{Algorithm}\n{time}\n{scope}\n{Hex(SHA256.HashData(Encoding.UTF8.GetBytes(canonical.ToString())))}";
        return $"{Algorithm} Credential={credentials.KeyId}/{scope}, SignedHeaders={names}, Signature={Signature(credentials.Secret, time[..8], region, service, toSign)}";
    }

    /// <summary>The time as <c>x-amz-date</c> has it.</summary>
    public static string Time(DateTimeOffset now) => now.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);

    private static string Signature(SecretText secret, string date, string region, string service, string toSign)
    {
        var key = Encoding.UTF8.GetBytes("AWS4" + secret.Reveal());
        foreach (var part in new[] { date, region, service, "aws4_request" })
        {
            var next = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(part));
            CryptographicOperations.ZeroMemory(key);
            key = next;
        }
        var signature = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(toSign));
        CryptographicOperations.ZeroMemory(key);
        return Hex(signature);
    }

    /// <summary>Without blanks at the ends, and one for each run of blanks inside.</summary>
    private static string Squeeze(string value) => string.Join(' ', value.Split([' ', '\t', '\r', '\n'], StringSplitOptions.RemoveEmptyEntries));

    private static string Hex(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(bytes);
}
