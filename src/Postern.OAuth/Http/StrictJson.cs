using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace Postern.OAuth;

/// <summary>JSON from strangers: one object, no member twice, little depth. A wrong type is an answer, not an exception.</summary>
internal static class StrictJson
{
    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

    public static bool TryParse(ReadOnlyMemory<byte> utf8, [NotNullWhen(true)] out JsonDocument? document)
    {
        document = null;
        try
        {
            document = JsonDocument.Parse(utf8, Options);
        }
        catch (Exception error) when (error is JsonException or ArgumentException or InvalidOperationException)
        {
            return false; // the exception quotes the input, so it ends here
        }
        if (document.RootElement.ValueKind == JsonValueKind.Object)
            return true;
        document.Dispose();
        document = null;
        return false;
    }

    /// <summary>A text member: null when absent; false when present with another type or with an impossible text.</summary>
    public static bool TryText(this JsonElement json, string name, out string? text)
    {
        text = null;
        if (!json.TryGetProperty(name, out var value))
            return true;
        if (value.ValueKind != JsonValueKind.String)
            return false;
        try
        {
            text = value.GetString();
            return true;
        }
        catch (InvalidOperationException)
        {
            return false; // an escaped lone surrogate
        }
    }

    /// <summary>A boolean member: false when absent.</summary>
    public static bool TryFlag(this JsonElement json, string name, out bool flag)
    {
        flag = false;
        if (!json.TryGetProperty(name, out var value))
            return true;
        flag = value.ValueKind == JsonValueKind.True;
        return value.ValueKind is JsonValueKind.True or JsonValueKind.False;
    }

    /// <summary>A list of texts: null when absent.</summary>
    public static bool TryTexts(this JsonElement json, string name, out ImmutableArray<string>? texts)
    {
        texts = null;
        if (!json.TryGetProperty(name, out var value))
            return true;
        if (value.ValueKind != JsonValueKind.Array)
            return false;
        var list = ImmutableArray.CreateBuilder<string>(value.GetArrayLength());
        foreach (var item in value.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.String)
                return false;
            try
            {
                list.Add(item.GetString()!);
            }
            catch (InvalidOperationException)
            {
                return false;
            }
        }
        texts = list.DrainToImmutable();
        return true;
    }
}
