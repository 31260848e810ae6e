using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Postern.Model;
using static Postern.Vault.Tests.Vectors;

namespace Postern.Vault.Tests;

/// <summary>
/// The format's own vectors, <c>vectors/vault-records.json</c>: made by the vault with seeded chance, checked here by the vault and by
/// a second implementation that reads nothing but the file. <c>POSTERN_WRITE_VECTORS=1</c> writes the file anew.
/// </summary>
public sealed class VectorTests
{
    private const string Deployment = "vectors";
    private const VaultSuite Suite = VaultSuite.HkdfSha512Aes256GcmCommit;

    private static readonly SubjectKey Ana = new(World.Acme, "https://idp.example", "ana@example");
    private static readonly byte[] Digest = SHA256.HashData("connection"u8);

    private static readonly Dictionary<string, RecordContext> Contexts = new()
    {
        ["access token"] = RecordContexts.AccessToken(World.Grant, Ana, World.Lake, 1, Digest),
        ["refresh token"] = RecordContexts.RefreshToken(World.Grant, Ana, World.Lake, int.MaxValue, Digest),
        ["pending connect"] = RecordContexts.PendingConnect("pending-1", Ana, World.Lake, Digest),
        ["sign-in"] = RecordContexts.SignIn(World.Acme, "pending-2", "https://idp.example"),
        ["client secret"] = RecordContexts.ClientSecret(World.Acme, World.Lake, 0, Digest),
        ["extension, not ASCII"] = RecordContexts.Extension(World.Acme, "note", "notes", "Zoë-雪-🔑"),
        ["extension, empty plaintext"] = RecordContexts.Extension(World.Acme, "note", "notes", "empty", -1),
    };

    [Fact]
    public void File_MadeAgain_IsTheSame() => AssertSame("vault-records.json", Make());

    [Fact]
    public void Records_ByTheSecondImplementation_AreTheSameBytes()
    {
        var file = Read();
        Assert.Equal(Contexts.Count, file["records"]!.AsArray().Count);
        foreach (var vector in file["records"]!.AsArray())
        {
            var associatedData = AssociatedDataOf("postern/record/1", 0x0001, vector!, vector!["context"]!);
            Assert.Equal(Text(vector, "associatedData"), Convert.ToHexStringLower(associatedData));
            var (key, commitment) = Independent.Derive(Hex(vector, "key"), Hex(vector, "salt"), associatedData);
            Assert.Equal((Text(vector, "recordKey"), Text(vector, "commitment")), (Convert.ToHexStringLower(key), Convert.ToHexStringLower(commitment)));
            var record = Independent.Seal(
                Hex(vector, "key"), Guid.Parse(Text(vector, "keyVersion")), Hex(vector, "salt"), Hex(vector, "nonce"), associatedData, Hex(vector, "plaintext"));
            Assert.Equal(Text(vector, "record"), Convert.ToHexStringLower(record));
        }
    }

    [Fact]
    public void WrappedKeys_ByTheSecondImplementation_AreTheSameBytes()
    {
        foreach (var vector in Read()["wrappedKeys"]!.AsArray())
        {
            var context = vector!["context"]!;
            byte[] associatedData =
            [
                .. Head("postern/key-wrap/1", 0x0001, vector), .. Independent.Field(Text(context, "tenant")),
                .. Independent.Field(Independent.Uuid(Guid.Parse(Text(context, "keyVersion")))), .. Independent.Field(Text(context, "purpose")),
            ];
            var wrapped = Independent.Seal(
                Hex(vector, "key"), Guid.Parse(Text(vector, "keyVersion")), Hex(vector, "salt"), Hex(vector, "nonce"), associatedData, Hex(vector, "plaintext"));
            Assert.Equal(Text(vector, "record"), Convert.ToHexStringLower(wrapped));
        }
    }

    [Fact]
    public void Macs_ByTheSecondImplementation_AreTheSameBytes()
    {
        foreach (var vector in Read()["macs"]!.AsArray())
        {
            var macKey = HKDF.DeriveKey(HashAlgorithmName.SHA512, Hex(vector!, "key"), 32, "postern/row-mac/1"u8.ToArray(), [0x01, 0x01, .. "ROWMACKEY"u8]);
            var context = vector!["context"]!;
            byte[] input =
            [
                .. Head("postern/row-mac/1", 0x0101, vector), .. Independent.Field(Text(context, "tenant")), .. Independent.Field(Text(context, "kind")),
                .. Independent.Field(Text(context, "table")), .. Independent.Field(Text(context, "row")), .. Independent.Field(Hex(vector, "message")),
            ];
            byte[] mac = [0x01, 0x01, 0x01, .. Independent.Uuid(Guid.Parse(Text(vector, "keyVersion"))), .. HMACSHA256.HashData(macKey, input)];
            Assert.Equal(Text(vector, "macKey"), Convert.ToHexStringLower(macKey));
            Assert.Equal(Text(vector, "mac"), Convert.ToHexStringLower(mac));
        }
    }

    [Fact]
    public void InvalidRecords_AreRefusedAndValidOnesOpen()
    {
        var file = Read();
        var key = Hex(file["records"]![0]!, "key");
        var version = Guid.Parse(Text(file["records"]![0]!, "keyVersion"));
        foreach (var vector in file["records"]!.AsArray())
            Assert.Equal(Text(vector!, "plaintext"), Opened(Hex(vector!, "record"), Contexts[Text(vector!, "name")]));

        var invalid = file["invalid"]!.AsArray();
        Assert.Equal(9, invalid.Count);
        foreach (var vector in invalid)
            Assert.Equal(Text(vector!, "error"), Opened(Hex(vector!, "record"), Contexts[Text(vector!, "context")]));

        string Opened(byte[] record, RecordContext context)
        {
            if (!RecordFormat.LooksLikeRecord(record))
                return nameof(VaultError.NotARecord);
            if (RecordFormat.ReadSuite(record) != Suite)
                return nameof(VaultError.UnsupportedSuite);
            if (RecordFormat.ReadKeyVersion(record) != version)
                return nameof(VaultError.UnknownKeyVersion);
            using var data = AssociatedData.OfRecord(Suite, version, Deployment, context);
            using var plaintext = RecordCipher.TryOpen(key, Suite, data.Bytes, record);
            return plaintext is null ? nameof(VaultError.Refused) : Convert.ToHexStringLower(plaintext.Reveal());
        }
    }

    private static JsonObject Make()
    {
        var chance = new SeededChance("postern vault vectors 1");
        var tenantKey = new byte[32];
        chance.Fill(tenantKey);
        var version = ((IChance)chance).NewId();
        var records = new JsonArray();
        foreach (var (name, context) in Contexts)
        {
            var plaintext = Encoding.UTF8.GetBytes(name.EndsWith("empty plaintext", StringComparison.Ordinal) ? "" : $"the secret of: {name}");
            using var data = AssociatedData.OfRecord(Suite, version, Deployment, context);
            var vector = Sealed(name, tenantKey, version, data.Bytes, plaintext, chance);
            vector["context"] = ContextOf(context);
            records.Add(vector);
        }

        byte[] refresh = Convert.FromHexString((string)records[1]!["record"]!);
        var invalid = new JsonArray
        {
            Invalid("another kind", "access token", refresh, VaultError.Refused),
            Invalid("another version of the format", "refresh token", With(refresh, 0, 0x02), VaultError.NotARecord),
            Invalid("cut below the overhead", "refresh token", refresh[..110], VaultError.NotARecord),
            Invalid("another suite", "refresh token", With(refresh, 2, 0x02), VaultError.UnsupportedSuite),
            Invalid("another key version", "refresh token", With(refresh, 18, 0x00), VaultError.UnknownKeyVersion),
            Invalid("salt changed", "refresh token", With(refresh, 19, (byte)(refresh[19] ^ 1)), VaultError.Refused),
            Invalid("commitment changed", "refresh token", With(refresh, 51, (byte)(refresh[51] ^ 1)), VaultError.Refused),
            Invalid("ciphertext changed", "refresh token", With(refresh, 95, (byte)(refresh[95] ^ 1)), VaultError.Refused),
            Invalid("tag changed", "refresh token", With(refresh, refresh.Length - 1, (byte)(refresh[^1] ^ 1)), VaultError.Refused),
        };

        return new()
        {
            ["about"] = "Test vectors of docs/reference/vault-record-format.md. Bytes in lower-case hexadecimal; null is an absent field.",
            ["records"] = records,
            ["invalid"] = invalid,
            ["wrappedKeys"] = new JsonArray(Wrapped(tenantKey, version, chance)),
            ["macs"] = new JsonArray(Mac(tenantKey, version)),
        };
    }

    private static JsonObject Sealed(string name, byte[] key, Guid version, ReadOnlySpan<byte> associatedData, byte[] plaintext, SeededChance chance)
    {
        var record = new byte[RecordFormat.SealedLength(plaintext.Length)];
        RecordCipher.Seal(key, Suite, version, associatedData, plaintext, chance, record);
        return new()
        {
            ["name"] = name,
            ["deployment"] = Deployment,
            ["key"] = Convert.ToHexStringLower(key),
            ["keyVersion"] = version.ToString("D"),
            ["context"] = null,
            ["associatedData"] = Convert.ToHexStringLower(associatedData),
            ["salt"] = Convert.ToHexStringLower(record, 19, 32),
            ["recordKey"] = Convert.ToHexStringLower(Independent.Derive(key, record[19..51], associatedData.ToArray()).Key),
            ["commitment"] = Convert.ToHexStringLower(record, 51, 32),
            ["nonce"] = Convert.ToHexStringLower(record, 83, 12),
            ["plaintext"] = Convert.ToHexStringLower(plaintext),
            ["record"] = Convert.ToHexStringLower(record),
        };
    }

    private static JsonObject Wrapped(byte[] tenantKey, Guid version, SeededChance chance)
    {
        var rootKey = new byte[32];
        chance.Fill(rootKey);
        var root = ((IChance)chance).NewId();
        var context = new KeyWrapContext(Deployment, World.Acme, version, KeyWrapContext.TenantKeyPurpose);
        using var data = AssociatedData.OfKeyWrap(Suite, root, context);
        var vector = Sealed("tenant key in the file keyring", rootKey, root, data.Bytes, tenantKey, chance);
        vector["context"] = new JsonObject { ["tenant"] = "acme", ["keyVersion"] = version.ToString("D"), ["purpose"] = context.Purpose };
        return vector;
    }

    private static JsonObject Mac(byte[] tenantKey, Guid version)
    {
        var message = new CanonicalFields("example-row/1").Add("ana").Add((string?)null).Add("").Add(5L).Add(true).ToArray();
        var context = MacContexts.Session(World.Acme, "session-1");
        using var macKey = RowMac.DeriveKey(tenantKey);
        var mac = new byte[RowMac.Length];
        RowMac.Write(macKey.Reveal(), version, Deployment, context, message, mac);
        return new()
        {
            ["name"] = "session; fields: label, text, null, empty text, whole number 5, true",
            ["deployment"] = Deployment,
            ["key"] = Convert.ToHexStringLower(tenantKey),
            ["keyVersion"] = version.ToString("D"),
            ["context"] = new JsonObject { ["tenant"] = "acme", ["kind"] = "session", ["table"] = "sessions", ["row"] = "session-1" },
            ["message"] = Convert.ToHexStringLower(message),
            ["macKey"] = Convert.ToHexStringLower(macKey.Reveal()),
            ["mac"] = Convert.ToHexStringLower(mac),
        };
    }

    private static JsonObject Invalid(string name, string context, byte[] record, VaultError error) => new()
    {
        ["name"] = name,
        ["context"] = context,
        ["record"] = Convert.ToHexStringLower(record),
        ["error"] = error.ToString(),
    };

    /// <summary>The context's fields by name, decoded from their canonical form.</summary>
    private static JsonObject ContextOf(RecordContext context)
    {
        string[] names = ["tenant", "kind", "table", "row", "authority", "subject", "connection", "generation", "connectionDigest"];
        var fields = new JsonObject();
        var rest = context.Encoded.AsSpan();
        foreach (var name in names)
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(rest);
            var value = length == uint.MaxValue ? [] : rest.Slice(4, (int)length);
            fields[name] = length == uint.MaxValue ? null : name switch
            {
                "generation" => BinaryPrimitives.ReadInt64BigEndian(value),
                "connectionDigest" => Convert.ToHexStringLower(value),
                _ => Encoding.UTF8.GetString(value),
            };
            rest = rest[(4 + value.Length)..];
        }
        Assert.True(rest.IsEmpty);
        return fields;
    }

    private static byte[] AssociatedDataOf(string label, ushort suite, JsonNode vector, JsonNode context)
    {
        byte[]? generation = null;
        if (context["generation"] is { } number)
        {
            generation = new byte[8];
            BinaryPrimitives.WriteInt64BigEndian(generation, (long)number);
        }
        return
        [
            .. Head(label, suite, vector),
            .. new[] { "tenant", "kind", "table", "row", "authority", "subject", "connection" }.SelectMany(name => Independent.Field((string?)context[name])),
            .. Independent.Field(generation),
            .. Independent.Field(context["connectionDigest"] is { } digest ? Convert.FromHexString((string)digest!) : null),
        ];
    }

    private static byte[] Head(string label, ushort suite, JsonNode vector) =>
    [
        .. Independent.Field(label), .. Independent.Field([(byte)(suite >> 8), (byte)suite]),
        .. Independent.Field(Independent.Uuid(Guid.Parse(Text(vector, "keyVersion")))), .. Independent.Field(Text(vector, "deployment")),
    ];

    private static byte[] With(byte[] record, int offset, byte value)
    {
        var changed = record.ToArray();
        changed[offset] = value;
        return changed;
    }

    private static JsonNode Read() => Vectors.Read("vault-records.json");
}
