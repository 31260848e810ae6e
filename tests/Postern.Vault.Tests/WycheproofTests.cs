using System.Security.Cryptography;
using System.Text.Json;

namespace Postern.Vault.Tests;

/// <summary>
/// The primitives under the vault against Project Wycheproof (C2SP/wycheproof, testvectors_v1): the platform's library is part of
/// what is shipped, so it is tested on the machine it runs on.
/// </summary>
public sealed class WycheproofTests
{
    [Fact]
    public void AesGcm_EveryVector_OpensExactlyTheValidOnes()
    {
        var (checkedCases, otherSizes) = (0, 0);
        ForEach("aes_gcm_test.json", (group, test) =>
        {
            // The vault knows one nonce size and one tag size; the library refuses other nonces altogether.
            if (group.GetProperty("ivSize").GetInt32() != 96 || group.GetProperty("tagSize").GetInt32() != 128)
            {
                otherSizes++;
                return;
            }
            checkedCases++;
            using var gcm = new AesGcm(Hex(test, "key"), 16);
            var plaintext = new byte[Hex(test, "ct").Length];
            var opened = true;
            try
            {
                gcm.Decrypt(Hex(test, "iv"), Hex(test, "ct"), Hex(test, "tag"), plaintext, Hex(test, "aad"));
            }
            catch (AuthenticationTagMismatchException)
            {
                opened = false;
            }
            Assert.Equal(IsValid(test), opened);
            if (opened)
                Assert.Equal(Hex(test, "msg"), plaintext);
        });
        Assert.True(checkedCases >= 150, $"Only {checkedCases} cases of the vault's sizes, {otherSizes} of others.");
    }

    [Theory]
    [InlineData("hkdf_sha512_test.json", "SHA512")]
    [InlineData("hkdf_sha256_test.json", "SHA256")]
    public void Hkdf_EveryVector_Matches(string file, string algorithm)
    {
        var hash = new HashAlgorithmName(algorithm);
        ForEach(file, (_, test) =>
        {
            var size = test.GetProperty("size").GetInt32();
            byte[]? okm = null;
            try
            {
                var prk = new byte[algorithm == "SHA512" ? 64 : 32];
                HKDF.Extract(hash, Hex(test, "ikm"), Hex(test, "salt"), prk);
                okm = new byte[size];
                HKDF.Expand(hash, prk, okm, Hex(test, "info"));
            }
            catch (ArgumentException) when (!IsValid(test))
            {
                return; // more than 255 blocks asked for
            }
            Assert.Equal(IsValid(test), okm.AsSpan().SequenceEqual(Hex(test, "okm")));
        });
    }

    [Fact]
    public void HmacSha256_EveryVector_Matches() => ForEach("hmac_sha256_test.json", (group, test) =>
    {
        var length = group.GetProperty("tagSize").GetInt32() / 8;
        var mac = HMACSHA256.HashData(Hex(test, "key"), Hex(test, "msg")).AsSpan(0, length);
        Assert.Equal(IsValid(test), mac.SequenceEqual(Hex(test, "tag")));
    });

    [Fact]
    public void HmacSha512_EveryVector_MatchesByThePlatformAndByOurOwn()
    {
        var own = 0;
        ForEach("hmac_sha512_test.json", (group, test) =>
        {
            var length = group.GetProperty("tagSize").GetInt32() / 8;
            byte[] key = Hex(test, "key"), message = Hex(test, "msg");
            var mac = HMACSHA512.HashData(key, message);
            Assert.Equal(IsValid(test), mac.AsSpan(0, length).SequenceEqual(Hex(test, "tag")));
            if (key.Length > 128 || message.Length > FastHmac.MaxMessage)
                return;
            own++;
            var ours = new byte[64];
            FastHmac.Sha512(key, message, ours);
            Assert.Equal(mac, ours);
        });
        Assert.True(own >= 100, $"Only {own} cases of the lengths that our own is for.");
    }

    private static void ForEach(string file, Action<JsonElement, JsonElement> check)
    {
        using var document = Repository.Wycheproof(file);
        var count = 0;
        foreach (var group in document.RootElement.GetProperty("testGroups").EnumerateArray())
        {
            foreach (var test in group.GetProperty("tests").EnumerateArray())
            {
                count++;
                check(group, test);
            }
        }
        Assert.Equal(document.RootElement.GetProperty("numberOfTests").GetInt32(), count);
    }

    private static byte[] Hex(JsonElement test, string name) => Convert.FromHexString(test.GetProperty(name).GetString()!);

    private static bool IsValid(JsonElement test) => test.GetProperty("result").GetString() switch
    {
        "valid" => true,
        "invalid" => false,
        var other => throw new InvalidOperationException($"The result '{other}' has to be judged first."),
    };
}
