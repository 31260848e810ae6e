using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Data.Sqlite;

namespace Postern.Browser.Tests.Evidence;

/// <summary>
/// Finds platform tokens in any text. Self-contained ones are known by their shape (JWS and JWE, RFC 7515 and 7516); opaque ones by
/// the digest that the sandbox keeps of each token and each code it ever issued.
/// </summary>
public sealed partial class TokenScan
{
    private readonly HashSet<string> issued;

    private TokenScan(HashSet<string> issued) => this.issued = issued;

    /// <summary>How many opaque tokens and codes are known.</summary>
    public int Known => issued.Count;

    /// <summary>Reads what the sandbox issued from its databases.</summary>
    /// <param name="directory">The sandbox's data directory.</param>
    /// <param name="log">What its control endpoint says, with fingerprints of refresh tokens.</param>
    public static async Task<TokenScan> OfAsync(string directory, JsonElement log)
    {
        HashSet<string> issued = [];
        foreach (var file in Directory.EnumerateFiles(directory, "*.db", SearchOption.AllDirectories))
        {
            await using var connection = new SqliteConnection($"Data Source={file};Mode=ReadOnly;Pooling=False");
            await connection.OpenAsync();
            await using var command = connection.CreateCommand();
            // A pushed request's reference is no token: it travels in the authorization address by design (RFC 9126 section 4).
            command.CommandText = "SELECT ReferenceId FROM OpenIddictTokens WHERE ReferenceId IS NOT NULL AND Type NOT LIKE '%request%'";
            await using var rows = await command.ExecuteReaderAsync();
            while (await rows.ReadAsync())
                issued.Add(Convert.ToHexStringLower(Convert.FromBase64String(rows.GetString(0)))[..FingerprintLength]);
        }
        foreach (var request in log.GetProperty("tokenRequests").EnumerateArray())
        {
            if (request.TryGetProperty("issuedRefreshFingerprint", out var fingerprint))
                issued.Add(fingerprint.GetString()!);
        }
        return new(issued);
    }

    /// <summary>Every token or code of the sandbox in the text, shortened so that a failed test does not spread it.</summary>
    public IEnumerable<string> Find(string text)
    {
        foreach (Match jwt in JwtShape().Matches(text))
            yield return $"a JWT ({Short(jwt.Value)})";
        foreach (Match word in LongWord().Matches(text))
        {
            if (issued.Contains(Fingerprint(word.Value)))
                yield return $"an opaque token ({Short(word.Value)})";
        }
    }

    private const int FingerprintLength = 12;

    private static string Fingerprint(string secret) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(secret)))[..FingerprintLength];

    private static string Short(string secret) => secret[..6] + "…";

    [GeneratedRegex(@"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*")]
    private static partial Regex JwtShape();

    [GeneratedRegex("[A-Za-z0-9_-]{43,}")]
    private static partial Regex LongWord();
}
