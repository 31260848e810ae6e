using System.Collections.Frozen;
using System.Runtime.InteropServices;
using System.Text;

namespace Postern.Cluster.Tests;

/// <summary>
/// Searches bytes for any of thousands of secrets, each as UTF-8, UTF-16, hexadecimal, base64 and base64url (the last three in every
/// spelling and alignment that a surrounding text can give them). A part of 24 bytes from the middle or the end of one is found too, since what is
/// cut short in a log is a leak all the same.
/// </summary>
internal sealed class LeakSearch
{
    /// <summary>How many bytes must be the same.</summary>
    private const int Certain = 24;

    private const int BloomBits = 26;
    private readonly FrozenDictionary<ulong, (byte[] Bytes, string Encoding)[]> windows;
    private readonly ulong[] bloom = new ulong[1 << (BloomBits - 6)];

    /// <param name="secrets">What must not be there; ASCII, at least 32 characters each.</param>
    public LeakSearch(IEnumerable<string> secrets)
    {
        var found = new Dictionary<ulong, List<(byte[], string)>>();
        foreach (var secret in secrets)
        {
            foreach (var (encoding, bytes) in Spellings(secret))
            {
                foreach (var at in new[] { bytes.Length / 2 - Certain / 2, bytes.Length - Certain })
                {
                    var window = bytes.AsSpan(at, Certain).ToArray();
                    var key = MemoryMarshal.Read<ulong>(window);
                    if (!found.TryGetValue(key, out var same))
                        found[key] = same = [];
                    same.Add((window, encoding));
                    bloom[Slot(key) >> 6] |= 1UL << (int)(Slot(key) & 63);
                }
            }
        }
        windows = found.ToFrozenDictionary(pair => pair.Key, pair => pair.Value.ToArray());
    }

    /// <summary>The encodings of the secrets that are there, once each.</summary>
    public IReadOnlySet<string> Find(ReadOnlySpan<byte> content)
    {
        var leaks = new HashSet<string>();
        for (var at = 0; at + Certain <= content.Length; at++)
        {
            var key = MemoryMarshal.Read<ulong>(content[at..]);
            if ((bloom[Slot(key) >> 6] >> (int)(Slot(key) & 63) & 1) == 0 || !windows.TryGetValue(key, out var candidates))
                continue;
            foreach (var (bytes, encoding) in candidates)
            {
                if (content.Slice(at, Certain).SequenceEqual(bytes))
                    leaks.Add(encoding);
            }
        }
        return leaks;
    }

    /// <summary>Every way in which a secret is looked for.</summary>
    public static IEnumerable<(string Encoding, byte[] Bytes)> Spellings(string secret)
    {
        var bytes = Encoding.ASCII.GetBytes(secret);
        yield return ("UTF-8", bytes);
        yield return ("UTF-16", Encoding.Unicode.GetBytes(secret));
        yield return ("hexadecimal", Encoding.ASCII.GetBytes(Convert.ToHexStringLower(bytes)));
        yield return ("hexadecimal", Encoding.ASCII.GetBytes(Convert.ToHexString(bytes)));
        for (var before = 0; before < 3; before++)
        {
            // What comes before and after changes the characters at the rims; what is left says the secret in its alignment.
            var base64 = Convert.ToBase64String([.. new byte[before], .. bytes]).TrimEnd('=')[4..^2];
            yield return ("base64", Encoding.ASCII.GetBytes(base64));
            yield return ("base64url", Encoding.ASCII.GetBytes(base64.Replace('+', '-').Replace('/', '_')));
        }
    }

    private static ulong Slot(ulong key) => key * 0x9E3779B97F4A7C15UL >> (64 - BloomBits);
}
