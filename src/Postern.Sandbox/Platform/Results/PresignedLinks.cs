using System.Security.Cryptography;
using System.Text;
using Postern.Model;

namespace Postern.Sandbox.Platform.Results;

/// <summary>What a presigned link stands for.</summary>
internal sealed record PresignedLink(string StatementId, int Chunk, DateTimeOffset ExpiresAt);

/// <summary>
/// Links to chunks that work without a token: 256 bits of chance in the path, for a short time. Only the hashes of live links are
/// kept, so a dump of the table opens nothing.
/// </summary>
internal sealed class PresignedLinks(PlatformOptions options, IChance chance, TimeProvider time)
{
    /// <summary>The path under which storage answers; not a path of the API.</summary>
    public const string Path = "/demo-storage/results/";

    private readonly Dictionary<string, PresignedLink> links = new(StringComparer.Ordinal);
    private readonly Lock gate = new();

    /// <summary>A new link to a chunk; each call makes another one.</summary>
    /// <returns>The path and the moment it stops working.</returns>
    public (string Path, DateTimeOffset ExpiresAt) Mint(string statementId, int chunk)
    {
        Span<byte> secret = stackalloc byte[32];
        chance.Fill(secret);
        var token = Convert.ToHexStringLower(secret);
        var link = new PresignedLink(statementId, chunk, time.GetUtcNow() + options.LinkLifetime);
        lock (gate)
            links[Hash(token)] = link;
        return (Path + token, link.ExpiresAt);
    }

    /// <summary>The link of a token, live or just expired; null for any other token.</summary>
    public PresignedLink? Find(string token)
    {
        lock (gate)
            return links.GetValueOrDefault(Hash(token));
    }

    /// <summary>Forgets links that expired an hour ago.</summary>
    public void Sweep()
    {
        lock (gate)
        {
            var before = time.GetUtcNow() - TimeSpan.FromHours(1);
            foreach (var (hash, _) in links.Where(link => link.Value.ExpiresAt < before).ToList())
                links.Remove(hash);
        }
    }

    private static string Hash(string token) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
