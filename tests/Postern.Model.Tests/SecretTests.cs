using System.Globalization;
using System.Text.Json;
using Postern.Model;

namespace Postern.Model.Tests;

public sealed class SecretTests
{
    private const string Planted = "canary-7f3a-planted-secret";

    public static TheoryData<string> WaysToPrint => ["ToString", "interpolation", "format", "json", "composite"];

    [Theory]
    [MemberData(nameof(WaysToPrint))]
    public void SecretText_HoweverPrinted_ShowsNothing(string way)
    {
        var secret = new SecretText(Planted);
        var printed = way switch
        {
            "ToString" => secret.ToString(),
            "interpolation" => $"{secret}",
            "format" => string.Format(CultureInfo.InvariantCulture, "{0}", secret),
            "json" => JsonSerializer.Serialize(secret),
            _ => new { secret }.ToString()!,
        };
        Assert.DoesNotContain(Planted, printed, StringComparison.Ordinal);
    }

    [Fact]
    public void SecretBytes_HoweverPrinted_ShowsNothing()
    {
        using var secret = SecretBytes.FromText(Planted);
        Assert.Equal("[redacted]", $"{secret}");
        Assert.DoesNotContain(Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(Planted)), JsonSerializer.Serialize(new { secret.Length }), StringComparison.Ordinal);
    }

    [Fact]
    public void SecretBytes_Disposed_CannotBeRevealed()
    {
        var secret = SecretBytes.FromText(Planted);
        secret.Dispose();
        Assert.Throws<ObjectDisposedException>(() => secret.Reveal().Length);
    }

    [Fact]
    public void SecretBytes_SameContent_AreEqualAndHashAlike()
    {
        using var one = SecretBytes.FromText(Planted);
        using var same = SecretBytes.FromText(Planted);
        using var other = SecretBytes.FromText(Planted + "x");
        Assert.True(one.Equals(same));
        Assert.False(one.Equals(other));
        Assert.Equal(one.GetHashCode(), other.GetHashCode());
    }

    [Fact]
    public void NewSecret_ManyTimes_Is256BitsAndNeverTwice()
    {
        IChance chance = new SystemChance();
        var seen = new HashSet<string>();
        for (var i = 0; i < 1000; i++)
        {
            var text = chance.NewSecret().Reveal();
            Assert.Equal(43, text.Length);
            Assert.True(seen.Add(text));
        }
    }

    [Fact]
    public void NewId_Made_IsVersion4()
    {
        var id = ((IChance)new SystemChance()).NewId().ToString("D");
        Assert.Equal('4', id[14]);
        Assert.Contains(id[19], "89ab");
    }
}
