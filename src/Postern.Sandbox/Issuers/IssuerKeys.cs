using System.Security.Cryptography;
using System.Text;
using Microsoft.IdentityModel.Tokens;

namespace Postern.Sandbox.Issuers;

/// <summary>
/// The keys of one issuer: RSA-2048 that signs (RS256) and 32 random bytes that encrypt codes and refresh tokens at rest. They lie as
/// plain files beside the database, readable by their owner only, so that tokens survive a restart. It is a sandbox: the databases
/// beside them are worth as little.
/// </summary>
internal sealed record IssuerKeys(RsaSecurityKey Signing, SymmetricSecurityKey Encryption)
{
    /// <summary>Reads the keys of an issuer from the directory, and makes them where they are missing.</summary>
    public static IssuerKeys LoadOrCreate(string directory, IssuerProfile profile)
    {
        var rsa = RSA.Create();
        rsa.ImportFromPem(ReadOrCreate(Path.Combine(directory, profile.Id + ".signing.pem"), NewSigningKey));
        var secret = Convert.FromBase64String(ReadOrCreate(
            Path.Combine(directory, profile.Id + ".encryption.key"), () => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))));
        return new IssuerKeys(new RsaSecurityKey(rsa) { KeyId = KeyId(rsa) }, new SymmetricSecurityKey(secret));
    }

    private static string NewSigningKey()
    {
        using var rsa = RSA.Create(2048);
        return rsa.ExportPkcs8PrivateKeyPem();
    }

    private static string KeyId(RSA rsa) => Base64UrlEncoder.Encode(SHA256.HashData(rsa.ExportSubjectPublicKeyInfo()))[..16];

    private static string ReadOrCreate(string path, Func<string> create)
    {
        if (File.Exists(path))
        {
            return File.ReadAllText(path);
        }

        var text = create();
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using var file = new FileStream(path, options);
        file.Write(Encoding.ASCII.GetBytes(text));
        return text;
    }
}
