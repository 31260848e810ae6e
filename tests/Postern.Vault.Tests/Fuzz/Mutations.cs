namespace Postern.Vault.Tests.Fuzz;

/// <summary>
/// Inputs made of a corpus by small damage, the same for the same seed: bits, bytes, cuts, repeats, splices of two files, and the numbers and
/// characters that parsers stumble over.
/// </summary>
internal static class Mutations
{
    private static readonly byte[][] Dictionary =
    [
        .. new[] { "\"", "\\", "\\u0000", "\\ud800", "{", "}", "[", "]", ":", ",", "null", "true", "-1", "1e999", "99999999999999999999", "AAAA", "=", "vault:v", "\0" }
            .Select(text => System.Text.Encoding.UTF8.GetBytes(text)),
        [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xEF, 0xBB, 0xBF],
    ];

    public static byte[] Of(IReadOnlyList<byte[]> corpus, Random random)
    {
        var bytes = new List<byte>(corpus[random.Next(corpus.Count)]);
        for (var times = random.Next(1, 6); times > 0; times--)
        {
            var at = random.Next(bytes.Count + 1);
            switch (random.Next(7))
            {
                case 0 when at < bytes.Count:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1 when at < bytes.Count:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes.RemoveRange(at, random.Next(bytes.Count - at + 1) / 2);
                    break;
                case 3:
                    bytes.InsertRange(at, Dictionary[random.Next(Dictionary.Length)]);
                    break;
                case 4 when bytes.Count is > 0 and < 4096:
                    bytes.InsertRange(at, bytes.GetRange(0, random.Next(bytes.Count)));
                    break;
                case 5:
                    var other = corpus[random.Next(corpus.Count)];
                    bytes.RemoveRange(at, bytes.Count - at);
                    bytes.AddRange(other.AsSpan(random.Next(other.Length + 1)));
                    break;
                default:
                    bytes.AddRange(Enumerable.Repeat((byte)random.Next(256), random.Next(40)));
                    break;
            }
        }
        return [.. bytes];
    }
}
