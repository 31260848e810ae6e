using System.Collections.Immutable;
using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Model;

namespace Postern.Grants.Definitions;

/// <summary>
/// Definitions as the JSON that their rows keep. A client secret is never in it: it lies sealed beside the definition
/// (<see cref="Body{T}.SealedSecret"/>). Revisions come from the row, not from the body.
/// </summary>
public static class DefinitionJson
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters =
        {
            new JsonStringEnumConverter(),
            new Text<TenantId>(TenantId.Parse, id => id.Value),
            new Text<ConnectionId>(ConnectionId.Parse, id => id.Value),
            new Text<WorkbookId>(WorkbookId.Parse, id => id.Value),
            new Text<IPNetwork>(IPNetwork.Parse, network => network.ToString()),
            new NoSecret(),
        },
    };

    /// <summary>The body of a definition.</summary>
    public static string Write<T>(T definition, byte[]? sealedSecret = null) where T : class =>
        JsonSerializer.Serialize(new Body<T>(definition, sealedSecret), Options);

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="JsonException">Another version wrote it, or somebody edited it.</exception>
    public static Body<T> Read<T>(string body) where T : class =>
        JsonSerializer.Deserialize<Body<T>>(body, Options) ?? throw new JsonException("A definition's body is null.");

    private sealed class Text<T>(Func<string, T> parse, Func<T, string> write) : JsonConverter<T>
    {
        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            try
            {
                return parse(reader.GetString() ?? "");
            }
            catch (FormatException format)
            {
                throw new JsonException(format.Message, format);
            }
        }

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(write(value));
    }

    /// <summary>A secret has no JSON.</summary>
    private sealed class NoSecret : JsonConverter<SecretText>
    {
        public override SecretText? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            reader.Skip();
            return null;
        }

        public override void Write(Utf8JsonWriter writer, SecretText value, JsonSerializerOptions options) => writer.WriteNullValue();
    }
}

/// <summary>A definition with its sealed secret, if it has one.</summary>
/// <param name="Definition">The definition, without its secret.</param>
/// <param name="SealedSecret">A record of the vault.</param>
public sealed record Body<T>(T Definition, byte[]? SealedSecret) where T : class;

/// <summary>Everything a configuration says of one tenant, to be put into the store where it differs.</summary>
/// <param name="Tenant">The tenant.</param>
/// <param name="Connections">Its connections.</param>
/// <param name="EmbedKeys">Its embed keys.</param>
/// <param name="Others">Policies and workbooks as bodies, by kind and name; their rooms know what is in them.</param>
public sealed record TenantSeed(
    Tenant Tenant, ImmutableArray<Connection> Connections, ImmutableArray<EmbedKey> EmbedKeys, ImmutableArray<SeedBody> Others);

/// <summary>A definition that another room reads and writes.</summary>
public sealed record SeedBody(Postern.Store.DefinitionKind Kind, string Name, string Body);
