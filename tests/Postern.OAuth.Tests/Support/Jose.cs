using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Postern.OAuth.Tests.Support;

/// <summary>Makes tokens and keys by hand, wrong ones too, with nothing but the framework's primitives.</summary>
internal static class Jose
{
    public static string Part(string json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json));

    public static string Rs256(RSA key, string header, string payload) =>
        Compact(header, payload, input => key.SignData(input, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));

    public static string Ps256(RSA key, string header, string payload) =>
        Compact(header, payload, input => key.SignData(input, HashAlgorithmName.SHA256, RSASignaturePadding.Pss));

    public static string Es256(ECDsa key, string header, string payload) =>
        Compact(header, payload, input => key.SignData(input, HashAlgorithmName.SHA256));

    public static string Hs256(byte[] key, string header, string payload) =>
        Compact(header, payload, input => HMACSHA256.HashData(key, input));

    public static string Compact(string header, string payload, Func<byte[], byte[]> sign)
    {
        var input = Part(header) + "." + Part(payload);
        return input + "." + Base64Url.EncodeToString(sign(Encoding.ASCII.GetBytes(input)));
    }

    public static string Jwk(RSA key, string kid, string extra = "") =>
        $$"""{"kty":"RSA","kid":"{{kid}}","n":"{{Base64Url.EncodeToString(key.ExportParameters(false).Modulus)}}","e":"AQAB"{{extra}}}""";

    public static string Jwk(ECDsa key, string kid, string extra = "")
    {
        var q = key.ExportParameters(false).Q;
        return $$"""{"kty":"EC","crv":"P-256","kid":"{{kid}}","x":"{{Base64Url.EncodeToString(q.X)}}","y":"{{Base64Url.EncodeToString(q.Y)}}"{{extra}}}""";
    }

    public static string KeySet(params string[] keys) => $$"""{"keys":[{{string.Join(',', keys)}}]}""";
}
