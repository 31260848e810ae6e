using System.Buffers;
using System.Buffers.Text;
using System.Text.Json;

namespace Postern.Vault;

// keyring.json of a protected keyring, strict like the plain one:
//
//   {
//     "format": "postern-keyring-sealed/1",
//     "deployment": "<slug>",
//     "protection": "credential" | "passphrase",
//     "argon2id": { "memory": <KiB>, "passes": <n>, "salt": "<16 bytes, base64url>" },     with a passphrase only
//     "sealed": "<a sealed record, base64url>"
//   }
//
// The record's plaintext is a whole plain keyring (KeyringDocument), its key the wrapping key, its key version the UUID of zeros. Its
// associated data: label "postern/keyring/1", deployment, protection, memory, passes, salt; the last three null with a credential.

/// <summary>What a protected keyring's file shows to who has no key.</summary>
internal sealed record KeyringEnvelope(string Deployment, string Protection, KeyringEnvelope.Derivation? Argon2id, byte[] Sealed)
{
    public const string Format = "postern-keyring-sealed/1";
    public const string ByCredential = "credential";
    public const string ByPassphrase = "passphrase";
    public const int SaltLength = 16;

    /// <summary>What the record is bound to.</summary>
    public static byte[] AssociatedData(string deployment, string protection, Derivation? argon2id)
    {
        var fields = new CanonicalFields("postern/keyring/1").Add(deployment).Add(protection)
            .Add((long?)argon2id?.Cost.MemoryKiB).Add((long?)argon2id?.Cost.Passes);
        return (argon2id is null ? fields.Add((string?)null) : fields.Add(argon2id.Salt)).ToArray();
    }

    /// <summary>The file's bytes.</summary>
    public byte[] ToUtf8()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteString("format"u8, Format);
            json.WriteString("deployment"u8, Deployment);
            json.WriteString("protection"u8, Protection);
            if (Argon2id is { } argon2id)
            {
                json.WriteStartObject("argon2id"u8);
                json.WriteNumber("memory"u8, argon2id.Cost.MemoryKiB);
                json.WriteNumber("passes"u8, argon2id.Cost.Passes);
                json.WriteString("salt"u8, Base64Url.EncodeToString(argon2id.Salt));
                json.WriteEndObject();
            }
            json.WriteString("sealed"u8, Base64Url.EncodeToString(Sealed));
            json.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads a file's bytes; null when they are a plain keyring's or no keyring's, which its own reader says better.</summary>
    /// <exception cref="FormatException">They are a protected keyring's and wrong; the message quotes nothing of the content.</exception>
    public static KeyringEnvelope? TryParse(ReadOnlySpan<byte> utf8)
    {
        var reader = new Utf8JsonReader(utf8);
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject || !reader.Read() || !reader.ValueTextEquals("format"u8)
                || !reader.Read() || reader.TokenType != JsonTokenType.String || !reader.ValueTextEquals(Format))
            {
                return null;
            }
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException)
        {
            return null;
        }

        try
        {
            var deployment = Text(ref reader, "deployment"u8);
            var protection = Text(ref reader, "protection"u8);
            if (protection is not (ByCredential or ByPassphrase))
                throw new FormatException("its 'protection' is of another version");
            var argon2id = protection == ByPassphrase ? ReadDerivation(ref reader) : null;
            var record = Bytes(ref reader, "sealed"u8);
            if (!RecordFormat.LooksLikeRecord(record) || RecordFormat.ReadSuite(record) != VaultSuite.HkdfSha512Aes256GcmCommit
                || RecordFormat.ReadKeyVersion(record) != Guid.Empty)
            {
                throw new FormatException("its 'sealed' is no record of this version");
            }
            Expect(ref reader, JsonTokenType.EndObject);
            reader.Read(); // anything but white space after the end throws
            return new(deployment, protection, argon2id, record);
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException)
        {
            throw new FormatException($"it is not the JSON of a sealed keyring (byte {reader.TokenStartIndex})");
        }
    }

    private static Derivation ReadDerivation(ref Utf8JsonReader reader)
    {
        Name(ref reader, "argon2id"u8);
        Expect(ref reader, JsonTokenType.StartObject);
        var cost = new Argon2Cost(Number(ref reader, "memory"u8), Number(ref reader, "passes"u8));
        var salt = Bytes(ref reader, "salt"u8);
        Expect(ref reader, JsonTokenType.EndObject);
        if (!cost.IsAcceptable)
            throw new FormatException("its 'argon2id' asks for less or more than is safe");
        return salt.Length == SaltLength ? new(cost, salt) : throw new FormatException($"its 'salt' is not {SaltLength} bytes");
    }

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType type)
    {
        if (!reader.Read() || reader.TokenType != type)
            throw new FormatException($"{type} was expected at byte {reader.TokenStartIndex}");
    }

    private static void Name(ref Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        Expect(ref reader, JsonTokenType.PropertyName);
        if (!reader.ValueTextEquals(name))
            throw new FormatException($"'{System.Text.Encoding.ASCII.GetString(name)}' was expected at byte {reader.TokenStartIndex}");
    }

    private static string Text(ref Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        Name(ref reader, name);
        Expect(ref reader, JsonTokenType.String);
        return reader.GetString()!;
    }

    private static int Number(ref Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        Name(ref reader, name);
        Expect(ref reader, JsonTokenType.Number);
        return reader.TryGetInt32(out var number) ? number : throw new FormatException("a number is too large");
    }

    private static byte[] Bytes(ref Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        var text = Text(ref reader, name);
        return Base64Url.IsValid(text) ? Base64Url.DecodeFromChars(text) : throw new FormatException("a text is not base64url");
    }

    /// <summary>How a passphrase becomes a key.</summary>
    public sealed record Derivation(Argon2Cost Cost, byte[] Salt)
    {
        public bool Equals(Derivation? other) => other is not null && Cost == other.Cost && Salt.AsSpan().SequenceEqual(other.Salt);

        public override int GetHashCode() => Cost.GetHashCode();
    }
}
