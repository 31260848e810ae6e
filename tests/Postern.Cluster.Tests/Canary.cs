using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;

namespace Postern.Cluster.Tests;

/// <summary>
/// Searches everything Postern wrote (both outputs of every process, everything in the database, exports) for what must never
/// be there: tokens, client secrets, cookies, codes, handles. Opaque tokens are found by the fingerprints of the sandbox's log.
/// </summary>
internal static partial class Canary
{
    private static readonly string[] ClientSecrets =
        ["sandbox-secret-postern", "sandbox-secret-service", "sandbox-secret-portal", "demo-embed-secret-skyline", "demo-embed-secret-partners"];

    /// <summary>Fails with the kind and place of what leaked.</summary>
    public static async Task AssertNothingLeakedAsync(Deployment deployment, params Person[] people)
    {
        var fingerprints = await deployment.Sandbox.FingerprintsAsync();
        var secrets = people.SelectMany(person => person.Browser.Secrets).ToHashSet(StringComparer.Ordinal);
        Assert.NotEmpty(secrets);
        var lengths = await TokenLengthsAsync(deployment);
        Assert.NotEmpty(fingerprints);

        var leaks = new List<string>();
        foreach (var process in deployment.Processes)
            leaks.AddRange(Find(string.Join('\n', process.Lines), secrets, fingerprints, lengths).Select(leak => $"{leak} in the output of {process.Name}"));
        foreach (var (place, content) in await deployment.Database.ContentAsync())
        {
            // Latin-1: every byte is one character, so nothing hides behind a decoding error.
            var text = Encoding.Latin1.GetString(content);
            leaks.AddRange(Find(text, secrets, fingerprints, lengths).Select(leak => $"{leak} in {place}"));
        }
        Assert.Empty(leaks);
    }

    /// <summary>The kinds of secret in a text. Public so that a test can plant some and see them found.</summary>
    public static IEnumerable<string> Find(string text, IReadOnlySet<string> secrets, IReadOnlySet<string> fingerprints, IReadOnlySet<int> tokenLengths)
    {
        if (JwtPattern().IsMatch(text))
            yield return "a JWT";
        foreach (var secret in ClientSecrets.Where(secret => text.Contains(secret, StringComparison.Ordinal)))
            yield return $"the client secret {secret}";
        if (secrets.Any(secret => text.Contains(secret, StringComparison.Ordinal)))
            yield return "a secret that a browser was given";
        if (tokenLengths.Any(length => HasToken(text, length, fingerprints)))
            yield return "a refresh token";
    }

    // Neighbouring values of a database page touch one another, so every window of a token's length is tried.
    private static bool HasToken(string text, int length, IReadOnlySet<string> fingerprints)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        foreach (Match run in TokenCharacters().Matches(text))
        {
            var bytes = Encoding.ASCII.GetBytes(run.Value);
            for (var start = 0; start + length <= bytes.Length; start++)
            {
                SHA256.HashData(bytes.AsSpan(start, length), hash);
                if (fingerprints.Contains(Convert.ToHexStringLower(hash[..6])))
                    return true;
            }
        }
        return false;
    }

    private static async Task<IReadOnlySet<int>> TokenLengthsAsync(Deployment deployment)
    {
        var lengths = new HashSet<int>();
        foreach (var issuer in new[] { "workspace", "generic" })
        {
            var minted = await deployment.Sandbox.MintAsync(issuer, "admin");
            lengths.Add(minted.GetProperty("refresh_token").GetString()!.Length);
        }
        return lengths;
    }

    [GeneratedRegex("""eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*""")]
    private static partial Regex JwtPattern();

    [GeneratedRegex("""[A-Za-z0-9_.~+/-]{24,}""")]
    private static partial Regex TokenCharacters();
}
