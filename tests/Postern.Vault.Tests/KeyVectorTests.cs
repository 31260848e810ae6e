using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Konscious.Security.Cryptography;
using Postern.Model;
using static Postern.Vault.Tests.Vectors;

namespace Postern.Vault.Tests;

/// <summary>
/// Vectors of what holds keys, <c>vectors/vault-keys.json</c>: sealed keyring files, and tenant keys as services are given them. Made by the
/// vault with seeded chance, checked by the vault and by a second implementation that reads nothing but the file.
/// </summary>
public sealed class KeyVectorTests
{
    private const string Name = "vault-keys.json";
    private const string Deployment = "vectors";
    private const string Passphrase = "correct horse battery staple";
    private const VaultSuite Suite = VaultSuite.HkdfSha512Aes256GcmCommit;

    [Fact]
    public void File_MadeAgain_IsTheSame() => AssertSame(Name, Make());

    [Fact]
    public void Keyrings_ByTheSecondImplementation_AreTheSameBytes()
    {
        foreach (var vector in Vectors.Read(Name)["keyrings"]!.AsArray())
        {
            var wrappingKey = vector!["passphrase"] is { } passphrase
                ? Stretched((string)passphrase!, Hex(vector, "salt"), (int)vector["memory"]!, (int)vector["passes"]!)
                : Hex(vector, "wrappingKey");
            byte[] associatedData =
            [
                .. Independent.Field("postern/keyring/1"), .. Independent.Field(Text(vector, "deployment")), .. Independent.Field(Text(vector, "protection")),
                .. Independent.Field(Number(vector["memory"])), .. Independent.Field(Number(vector["passes"])),
                .. Independent.Field(vector["salt"] is null ? null : Hex(vector, "salt")),
            ];
            Assert.Equal(Text(vector, "wrappingKey"), Convert.ToHexStringLower(wrappingKey));
            Assert.Equal(Text(vector, "associatedData"), Convert.ToHexStringLower(associatedData));
            var sealedContent = Independent.Seal(wrappingKey, Guid.Empty, Hex(vector, "recordSalt"), Hex(vector, "nonce"), associatedData, Encoding.UTF8.GetBytes(Text(vector, "content")));
            var file = JsonNode.Parse(Text(vector, "file"))!;
            Assert.Equal((string)file["sealed"]!, System.Buffers.Text.Base64Url.EncodeToString(sealedContent));
        }
    }

    [Fact]
    public void Keyrings_AreOpenedByTheVault()
    {
        foreach (var vector in Vectors.Read(Name)["keyrings"]!.AsArray())
        {
            var envelope = KeyringEnvelope.TryParse(Encoding.UTF8.GetBytes(Text(vector!, "file")))!;
            var associatedData = KeyringEnvelope.AssociatedData(envelope.Deployment, envelope.Protection, envelope.Argon2id);
            using var content = RecordCipher.TryOpen(Hex(vector!, "wrappingKey"), Suite, associatedData, envelope.Sealed);

            Assert.Equal(Text(vector!, "content"), Encoding.UTF8.GetString(content!.Reveal()));
            KeyringDocument.Parse(content.Reveal()).Dispose();
        }
    }

    [Fact]
    public void ServiceKeys_ByTheSecondImplementation_AreTheSameBytes()
    {
        foreach (var vector in Vectors.Read(Name)["serviceKeys"]!.AsArray())
        {
            byte[] context =
            [
                .. Independent.Field("postern/key-context/1"), .. Independent.Field(Text(vector!, "deployment")), .. Independent.Field(Text(vector!, "tenant")),
                .. Independent.Field(Independent.Uuid(Guid.Parse(Text(vector!, "keyVersion")))), .. Independent.Field(Text(vector!, "purpose")),
            ];
            Assert.Equal(Text(vector!, "keyContext"), Convert.ToHexStringLower(context));
            Assert.Equal(Text(vector!, "given"), Convert.ToHexStringLower([0x01, .. SHA256.HashData(context), .. Hex(vector!, "key")]));

            var azure = vector!["azure"]!;
            byte[] signed =
            [
                .. Independent.Field("postern/azure-wrap/1"), .. Independent.Field(context), .. Independent.Field(Text(azure, "rootKeyId")), .. Independent.Field(Hex(azure, "ciphertext")),
            ];
            Assert.Equal(Text(azure, "signedDigest"), Convert.ToHexStringLower(SHA256.HashData(signed)));
            Assert.Equal(Text(azure, "stored"), Convert.ToHexStringLower([0x01, .. Hex(azure, "signingVersion"), .. Hex(azure, "signature"), .. Hex(azure, "ciphertext")]));
            using var key = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new() { X = Hex(azure, "x"), Y = Hex(azure, "y") } });
            Assert.True(key.VerifyHash(Hex(azure, "signedDigest"), Hex(azure, "signature")));
            Assert.True(AzureWrappedKey.TryParse(Hex(azure, "stored"), out var wrapped));
            Assert.Equal(Text(azure, "signingVersion"), wrapped.SigningVersion);
        }
    }

    private static JsonObject Make()
    {
        var chance = new SeededChance("postern key vectors 1");
        return new()
        {
            ["about"] = "Test vectors of docs/reference/vault-record-format.md: sealed keyring files, and tenant keys as services are given them. Bytes in lower-case hexadecimal; null is an absent field.",
            ["keyrings"] = new JsonArray(Keyring(chance, byPassphrase: true), Keyring(chance, byPassphrase: false)),
            ["serviceKeys"] = new JsonArray(ServiceKey(chance)),
        };
    }

    private static JsonObject Keyring(SeededChance chance, bool byPassphrase)
    {
        var (rootKey, salt, wrappingKey) = (Bytes(chance, 32), Bytes(chance, 16), Bytes(chance, 32));
        var root = ((IChance)chance).NewId();
        using var document = new KeyringDocument(Deployment, root, [new(root, DateTimeOffset.UnixEpoch.AddYears(56), new SecretBytes(rootKey))]);
        var content = document.ToUtf8();
        var derivation = byPassphrase ? new KeyringEnvelope.Derivation(Argon2Cost.Minimum, salt) : null;
        if (byPassphrase)
            wrappingKey = Stretched(Passphrase, salt, Argon2Cost.Minimum.MemoryKiB, Argon2Cost.Minimum.Passes);
        var protection = byPassphrase ? KeyringEnvelope.ByPassphrase : KeyringEnvelope.ByCredential;
        var associatedData = KeyringEnvelope.AssociatedData(Deployment, protection, derivation);
        var record = new byte[RecordFormat.SealedLength(content.Length)];
        RecordCipher.Seal(wrappingKey, Suite, Guid.Empty, associatedData, content, chance, record);
        return new()
        {
            ["name"] = "keyring sealed by a " + protection,
            ["deployment"] = Deployment,
            ["protection"] = protection,
            ["passphrase"] = byPassphrase ? Passphrase : null,
            ["memory"] = derivation?.Cost.MemoryKiB,
            ["passes"] = derivation?.Cost.Passes,
            ["salt"] = byPassphrase ? Convert.ToHexStringLower(salt) : null,
            ["wrappingKey"] = Convert.ToHexStringLower(wrappingKey),
            ["associatedData"] = Convert.ToHexStringLower(associatedData),
            ["recordSalt"] = Convert.ToHexStringLower(record, 19, 32),
            ["nonce"] = Convert.ToHexStringLower(record, 83, 12),
            ["content"] = Encoding.UTF8.GetString(content),
            ["file"] = Encoding.UTF8.GetString(new KeyringEnvelope(Deployment, protection, derivation, record).ToUtf8()),
        };
    }

    private static JsonObject ServiceKey(SeededChance chance)
    {
        const string RootKeyId = "postern/0123456789abcdef0123456789abcdef";
        var key = Bytes(chance, 32);
        var version = ((IChance)chance).NewId();
        var context = new KeyWrapContext(Deployment, World.Acme, version, KeyWrapContext.TenantKeyPurpose);
        var given = new byte[BoundKey.Length];
        using (var secret = new SecretBytes(key))
            BoundKey.Write(context, secret, given);
        var ciphertext = Bytes(chance, 256);
        var digest = AzureWrappedKey.Digest(context, RootKeyId, ciphertext);
        // The point and its signature were made once: a signature is another one each time.
        var (x, y, signature) = Vectors.Find(Name) is { } kept && (string?)kept["serviceKeys"]?[0]?["azure"]?["signedDigest"] == Convert.ToHexStringLower(digest)
            ? Kept(kept["serviceKeys"]![0]!["azure"]!)
            : Signed(digest);
        var wrapped = new AzureWrappedKey("fedcba9876543210fedcba9876543210", signature, ciphertext);
        return new()
        {
            ["name"] = "tenant key for a service",
            ["deployment"] = Deployment,
            ["tenant"] = World.Acme.Value,
            ["keyVersion"] = version.ToString("D"),
            ["purpose"] = context.Purpose,
            ["key"] = Convert.ToHexStringLower(key),
            ["keyContext"] = Convert.ToHexStringLower(context.EncodeWhole()),
            ["given"] = Convert.ToHexStringLower(given),
            ["azure"] = new JsonObject
            {
                ["rootKeyId"] = RootKeyId,
                ["ciphertext"] = Convert.ToHexStringLower(ciphertext),
                ["signedDigest"] = Convert.ToHexStringLower(digest),
                ["signingVersion"] = wrapped.SigningVersion,
                ["x"] = Convert.ToHexStringLower(x),
                ["y"] = Convert.ToHexStringLower(y),
                ["signature"] = Convert.ToHexStringLower(signature),
                ["stored"] = Convert.ToHexStringLower(wrapped.ToBytes()),
            },
        };
    }

    private static (byte[] X, byte[] Y, byte[] Signature) Kept(JsonNode azure) => (Hex(azure, "x"), Hex(azure, "y"), Hex(azure, "signature"));

    private static (byte[] X, byte[] Y, byte[] Signature) Signed(byte[] digest)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        return (point.X!, point.Y!, key.SignHash(digest));
    }

    private static byte[] Stretched(string passphrase, byte[] salt, int memory, int passes)
    {
        using var argon = new Argon2id(Encoding.UTF8.GetBytes(passphrase)) { Salt = salt, MemorySize = memory, Iterations = passes, DegreeOfParallelism = 1 };
        return argon.GetBytes(32);
    }

    private static byte[] Bytes(SeededChance chance, int count)
    {
        var bytes = new byte[count];
        chance.Fill(bytes);
        return bytes;
    }

    private static byte[]? Number(JsonNode? number)
    {
        if (number is null)
            return null;
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, (long)number);
        return bytes;
    }
}
