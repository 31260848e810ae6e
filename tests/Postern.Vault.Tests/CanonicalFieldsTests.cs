using CsCheck;

namespace Postern.Vault.Tests;

public sealed class CanonicalFieldsTests
{
    private static readonly string?[] Texts = [null, "", "a", "b", "ab", "ba", "\0"];
    private static readonly Gen<string?[]> Lists = Gen.Int[0, Texts.Length - 1].Select(index => Texts[index]).Array[0, 4];

    [Fact]
    public void Bytes_OfEveryType_AreAsDocumented()
    {
        var bytes = new CanonicalFields("l").Add("é").Add((string?)null).Add("").Add(-2L).Add((long?)null).Add(true)
            .Add(new Guid("00112233-4455-6677-8899-aabbccddeeff")).Add([0xAB]).ToArray();

        Assert.Equal(
            "000000016c" + "00000002c3a9" + "ffffffff" + "00000000" + "00000008fffffffffffffffe" + "ffffffff" + "0000000101"
            + "0000001000112233445566778899aabbccddeeff" + "00000001ab",
            Convert.ToHexStringLower(bytes));
    }

    [Fact]
    public void TwoLists_ThatDiffer_NeverGiveTheSameBytes() =>
        // Few and short texts, so that equal lists, prefixes and shifted borders all come up.
        Gen.Select(Lists, Lists).Sample(
            (left, right) => left.AsSpan().SequenceEqual(right) == Encode(left).AsSpan().SequenceEqual(Encode(right)), iter: 20_000);

    [Fact]
    public void Fields_ShiftedAcrossTheirBorder_GiveOtherBytes() =>
        Assert.NotEqual(Encode(["ab", "c"]), Encode(["a", "bc"]));

    [Fact]
    public void Text_WithALoneSurrogate_IsAnError()
    {
        Assert.ThrowsAny<ArgumentException>(() => new CanonicalFields("l").Add("\ud800"));
        Assert.ThrowsAny<ArgumentException>(() => RecordContexts.Extension(World.Acme, "k", "t", "\udc00"));
    }

    private static byte[] Encode(string?[] texts)
    {
        var fields = new CanonicalFields("test");
        foreach (var text in texts)
            fields.Add(text);
        return fields.ToArray();
    }
}
