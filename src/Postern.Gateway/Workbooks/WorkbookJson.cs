using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Model;

namespace Postern.Gateway.Workbooks;

/// <summary>How published workbooks are written: strict on the way back in.</summary>
internal static class WorkbookJson
{
    public static JsonSerializerOptions Options { get; } = Make();

    private static JsonSerializerOptions Make()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web)
        {
            UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
            RespectNullableAnnotations = true,
            RespectRequiredConstructorParameters = true,
            AllowDuplicateProperties = false,
            NumberHandling = JsonNumberHandling.Strict,
            MaxDepth = 64,
        };
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false));
        options.Converters.Add(new WorkbookIdConverter());
        options.Converters.Add(new ConnectionIdConverter());
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }

    private sealed class WorkbookIdConverter : JsonConverter<WorkbookId>
    {
        public override WorkbookId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            WorkbookId.TryParse(reader.GetString(), out var id) ? id : throw new JsonException("Not a workbook name.");

        public override void Write(Utf8JsonWriter writer, WorkbookId value, JsonSerializerOptions options) => writer.WriteStringValue(value.Value);
    }

    private sealed class ConnectionIdConverter : JsonConverter<ConnectionId>
    {
        public override ConnectionId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            ConnectionId.TryParse(reader.GetString(), out var id) ? id : throw new JsonException("Not a connection name.");

        public override void Write(Utf8JsonWriter writer, ConnectionId value, JsonSerializerOptions options) => writer.WriteStringValue(value.Value);
    }
}

/// <summary>SHA-256 of text, the way hashes are written here: UTF-8 in, lower-case hex out.</summary>
internal static class Sha256
{
    public static string Hex(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
