using System.Security.Cryptography;
using System.Text;

namespace Postern.Cluster.Tests;

/// <summary>The search finds what is planted; one that finds nothing anywhere would prove nothing.</summary>
public sealed class LeakSearchTests
{
    private static readonly string[] Secrets = [.. Enumerable.Range(0, 500).Select(_ => RandomNumberGenerator.GetHexString(20) + Convert.ToBase64String(RandomNumberGenerator.GetBytes(30)))];
    private static readonly LeakSearch Search = new(Secrets);

    [Fact]
    public void Find_SecretInAnySpelling_NamesIt()
    {
        foreach (var (encoding, spelling) in LeakSearch.Spellings(Secrets[250]))
            Assert.Contains(encoding, Search.Find([.. RandomNumberGenerator.GetBytes(5_001), .. spelling, .. RandomNumberGenerator.GetBytes(5_000)]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData("ab")]
    public void Find_SecretInsideOfWhatWasEncoded_IsFoundAtEveryAlignment(string before)
    {
        var text = before + "user:" + Secrets[7] + "&next=1";

        Assert.Contains("base64", Search.Find(Encoding.ASCII.GetBytes(Convert.ToBase64String(Encoding.ASCII.GetBytes(text)))));
        Assert.Contains("hexadecimal", Search.Find(Encoding.ASCII.GetBytes(Convert.ToHexString(Encoding.ASCII.GetBytes(text)))));
    }

    [Fact]
    public void Find_SecretCutShort_IsFound()
    {
        var half = Secrets[9][(Secrets[9].Length / 2 - 12)..];

        Assert.Equal(["UTF-8"], Search.Find(Encoding.ASCII.GetBytes("log: " + half[..30] + "…")));
    }

    [Fact]
    public void Find_NothingPlanted_FindsNothing() => Assert.Empty(Search.Find(RandomNumberGenerator.GetBytes(10_000_000)));
}
