using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Postern.Model;

namespace Postern.Vault;

// keyring.json, strict: no other property, no comment, nothing after the end.
//
//   {
//     "format": "postern-keyring/1",
//     "deployment": "<slug>",
//     "current": "<uuid of the key that wraps>",
//     "keys": [ { "id": "<uuid>", "created": "<RFC 3339, UTC>", "key": "<32 bytes, base64url without padding>" } ]
//   }
//
// Parsing and writing keep key material out of strings: it exists in buffers that are wiped, and in SecretBytes.

/// <summary>The content of a keyring file.</summary>
internal sealed class KeyringDocument(string deployment, Guid current, IReadOnlyList<KeyringDocument.RootKey> keys) : IDisposable
{
    public const string Format = "postern-keyring/1";
    public const int MaxLength = 256 * 1024;
    private const int KeyTextLength = 43;

    public string Deployment { get; } = deployment;

    public Guid Current { get; } = current;

    public IReadOnlyList<RootKey> Keys { get; } = keys;

    /// <summary>The root key of that id, or null.</summary>
    public SecretBytes? Find(Guid id) => Keys.FirstOrDefault(key => key.Id == id)?.Key;

    public void Dispose()
    {
        foreach (var key in Keys)
            key.Key.Dispose();
    }

    /// <summary>The file's bytes; the caller wipes them.</summary>
    public byte[] ToUtf8()
    {
        // Large enough from the start: a buffer that grows leaves copies of key material behind.
        var buffer = new ArrayBufferWriter<byte>(1024 + (Keys.Count * 512));
        Span<byte> text = stackalloc byte[KeyTextLength];
        try
        {
            using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
            {
                json.WriteStartObject();
                json.WriteString("format"u8, Format);
                json.WriteString("deployment"u8, Deployment);
                json.WriteString("current"u8, Current);
                json.WriteStartArray("keys"u8);
                foreach (var key in Keys)
                {
                    json.WriteStartObject();
                    json.WriteString("id"u8, key.Id);
                    json.WriteString("created"u8, key.Created.ToUniversalTime().ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));
                    Base64Url.EncodeToUtf8(key.Key.Reveal(), text);
                    json.WriteString("key"u8, text);
                    json.WriteEndObject();
                    json.Flush();
                }
                json.WriteEndArray();
                json.WriteEndObject();
            }
            return buffer.WrittenSpan.ToArray();
        }
        finally
        {
            CryptographicOperations.ZeroMemory(text);
            buffer.Clear();
        }
    }

    /// <summary>Reads a file's bytes.</summary>
    /// <exception cref="FormatException">They are not a keyring; the message says where, and quotes nothing of the content.</exception>
    public static KeyringDocument Parse(ReadOnlySpan<byte> utf8)
    {
        var keys = new List<RootKey>();
        try
        {
            var reader = new Utf8JsonReader(utf8);
            Expect(ref reader, JsonTokenType.StartObject);
            ExpectName(ref reader, "format"u8);
            if (!string.Equals(Text(ref reader, "format"), Format, StringComparison.Ordinal))
                throw new FormatException($"its format is not '{Format}'");
            ExpectName(ref reader, "deployment"u8);
            var deployment = Text(ref reader, "deployment");
            ExpectName(ref reader, "current"u8);
            var current = Uuid(ref reader, "current");
            ExpectName(ref reader, "keys"u8);
            Expect(ref reader, JsonTokenType.StartArray);
            while (Next(ref reader) == JsonTokenType.StartObject)
                keys.Add(ReadKey(ref reader));
            if (reader.TokenType != JsonTokenType.EndArray)
                throw new FormatException("'keys' holds something else than keys");
            Expect(ref reader, JsonTokenType.EndObject);
            // Anything but white space after the end throws.
            reader.Read();

            if (keys.DistinctBy(key => key.Id).Count() != keys.Count)
                throw new FormatException("two keys have the same id");
            if (keys.TrueForAll(key => key.Id != current))
                throw new FormatException("'current' names none of its keys");
            return new(deployment, current, keys);
        }
        catch (Exception failure) when (failure is JsonException or FormatException or InvalidOperationException)
        {
            foreach (var key in keys)
                key.Key.Dispose();
            // A JsonException may quote the content: only its position goes on.
            throw failure as FormatException
                ?? new FormatException($"it is not the JSON of a keyring (line {(failure as JsonException)?.LineNumber + 1 ?? 1})");
        }
    }

    private static RootKey ReadKey(ref Utf8JsonReader reader)
    {
        ExpectName(ref reader, "id"u8);
        var id = Uuid(ref reader, "id");
        ExpectName(ref reader, "created"u8);
        if (!DateTimeOffset.TryParse(Text(ref reader, "created"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var created))
            throw new FormatException("'created' is no time");
        ExpectName(ref reader, "key"u8);
        Expect(ref reader, JsonTokenType.String);
        Span<byte> bytes = stackalloc byte[RecordFormat.KeyLength];
        try
        {
            if (reader.HasValueSequence || reader.ValueIsEscaped || reader.ValueSpan.Length != KeyTextLength
                || Base64Url.DecodeFromUtf8(reader.ValueSpan, bytes, out _, out var written) != OperationStatus.Done || written != bytes.Length)
            {
                throw new FormatException($"a 'key' is not {RecordFormat.KeyLength} bytes as base64url without padding");
            }
            Expect(ref reader, JsonTokenType.EndObject);
            return new(id, created, new SecretBytes(bytes));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }

    private static JsonTokenType Next(ref Utf8JsonReader reader) =>
        reader.Read() ? reader.TokenType : throw new FormatException("it ends too early");

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType type)
    {
        if (Next(ref reader) != type)
            throw new FormatException($"{type} was expected at byte {reader.TokenStartIndex}");
    }

    private static void ExpectName(ref Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        if (Next(ref reader) != JsonTokenType.PropertyName || !reader.ValueTextEquals(name))
            throw new FormatException($"'{System.Text.Encoding.ASCII.GetString(name)}' was expected at byte {reader.TokenStartIndex}");
    }

    private static string Text(ref Utf8JsonReader reader, string name)
    {
        if (Next(ref reader) != JsonTokenType.String)
            throw new FormatException($"'{name}' is no text");
        return reader.GetString()!;
    }

    private static Guid Uuid(ref Utf8JsonReader reader, string name)
    {
        if (Next(ref reader) != JsonTokenType.String || !reader.TryGetGuid(out var id))
            throw new FormatException($"'{name}' is no UUID");
        return id;
    }

    /// <summary>One root key.</summary>
    public sealed record RootKey(Guid Id, DateTimeOffset Created, SecretBytes Key);
}
