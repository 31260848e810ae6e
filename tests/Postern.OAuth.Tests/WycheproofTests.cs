using System.Text.Json;
using Microsoft.IdentityModel.Tokens;

namespace Postern.OAuth.Tests;

/// <summary>Project Wycheproof's JSON Web Signature cases against the signature layer: header, key choice, verification.</summary>
public sealed class WycheproofTests
{
    [Fact]
    public void Jws_OfWycheproof_IsAcceptedExactlyWhenValid()
    {
        var file = Path.Combine(Folder(), "json_web_signature_test.json");
        if (!File.Exists(file))
        {
            Assert.False(Environment.GetEnvironmentVariable("CI") == "true", "The Wycheproof files are required here: set POSTERN_WYCHEPROOF.");
            Assert.Skip("No Wycheproof files; set POSTERN_WYCHEPROOF.");
        }
        using var document = JsonDocument.Parse(File.ReadAllBytes(file));
        var (accepted, refused) = (0, 0);
        foreach (var group in document.RootElement.GetProperty("testGroups").EnumerateArray())
        {
            if (!group.TryGetProperty("public", out var key))
                continue; // shared keys: HMAC is refused by name, which IdTokenTests show
            var set = JwksSource.Read(System.Text.Encoding.UTF8.GetBytes($$"""{"keys":[{{key.GetRawText()}}]}"""));
            Assert.True(set.TryGet(out var keys, out _));
            foreach (var test in group.GetProperty("tests").EnumerateArray())
            {
                var jws = test.GetProperty("jws").GetString()!;
                var fits = Accepts(jws, keys);
                var id = test.GetProperty("tcId").GetInt32();
                switch (test.GetProperty("result").GetString())
                {
                    case "invalid":
                        Assert.False(fits, $"tcId {id} is invalid and was accepted: {test.GetProperty("comment").GetString()}");
                        refused++;
                        break;
                    case "valid" when IsOurs(jws, key):
                        Assert.True(fits, $"tcId {id} is valid and was refused: {test.GetProperty("comment").GetString()}");
                        accepted++;
                        break;
                }
            }
        }
        Assert.True(accepted >= 10 && refused >= 100, $"only {accepted} accepted and {refused} refused: the file is not what it was");
    }

    private static bool Accepts(string jws, SigningKeys keys) =>
        IdTokenReader.TryReadHeader(jws, out var header, out _)
        && IdTokenReader.Candidates(keys, header) is { Count: > 0 } candidates
        && IdTokenReader.SignatureFits(jws, header.Alg, candidates);

    /// <summary>Valid cases of algorithms that ID tokens may have here.</summary>
    private static bool IsOurs(string jws, JsonElement key)
    {
        using var header = JsonDocument.Parse(Base64UrlEncoder.Decode(jws.Split('.')[0]));
        return header.RootElement.GetProperty("alg").GetString() is "RS256" or "PS256" or "ES256"
            && (!key.TryGetProperty("use", out var use) || use.GetString() == "sig");
    }

    private static string Folder()
    {
        if (Environment.GetEnvironmentVariable("POSTERN_WYCHEPROOF") is { Length: > 0 } folder)
            return folder;
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "Postern.slnx")))
            root = root.Parent;
        return Path.Combine(root?.Parent?.FullName ?? "", "shared", "data", "wycheproof");
    }
}
