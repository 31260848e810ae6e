using System.Text;
using System.Text.Json;
using Postern.Model;

namespace Postern.Vault.Tests.KeyStores;

/// <summary>The signature against AWS's own test suite (vectors/aws-sigv4.json).</summary>
public sealed class AwsSigV4Tests
{
    public static TheoryData<string> Cases() => [.. Vectors().GetProperty("cases").EnumerateArray().Select(one => one.GetProperty("name").GetString()!)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Signature_OfTheSuite_Matches(string name)
    {
        var suite = Vectors();
        var one = suite.GetProperty("cases").EnumerateArray().Single(one => one.GetProperty("name").GetString() == name);
        var time = suite.GetProperty("time").GetDateTimeOffset();
        Assert.Equal("20150830T123600Z", AwsSigV4.Time(time));
        var headers = Pairs(one, "headers").Append(new("Host", "example.amazonaws.com")).Append(new("X-Amz-Date", AwsSigV4.Time(time)));
        var authorization = AwsSigV4.Authorization(
            one.GetProperty("method").GetString()!, "/", Pairs(one, "query"), headers, Encoding.UTF8.GetBytes(one.GetProperty("body").GetString()!),
            new(suite.GetProperty("keyId").GetString()!, new SecretText(suite.GetProperty("secret").GetString()!), null),
            suite.GetProperty("region").GetString()!, suite.GetProperty("service").GetString()!, time);
        Assert.Equal(
            $"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={one.GetProperty("signedHeaders").GetString()}, Signature={one.GetProperty("signature").GetString()}",
            authorization);
    }

    private static KeyValuePair<string, string>[] Pairs(JsonElement one, string name) =>
        [.. one.GetProperty(name).EnumerateArray().Select(pair => KeyValuePair.Create(pair[0].GetString()!, pair[1].GetString()!))];

    private static JsonElement Vectors() =>
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Repository.Root, "tests", "Postern.Vault.Tests", "vectors", "aws-sigv4.json"))).RootElement;
}
