using System.Text.Json;

namespace Postern.Cluster.Tests.Actors;

/// <summary>A refusal, as RFC 9457 puts it.</summary>
internal sealed record Problem(string Type, int Status, string? Code, string? Reason, string? Connection, string Text)
{
    /// <summary>Reads the refusal of an answer; fails when it is none.</summary>
    public static async Task<Problem> ReadAsync(HttpResponseMessage response)
    {
        var text = await response.Content.ReadAsStringAsync(Suite.Token);
        Assert.True(response.Content.Headers.ContentType?.MediaType == "application/problem+json", $"{(int)response.StatusCode} {text}");
        var body = JsonSerializer.Deserialize<JsonElement>(text);
        return new(Of("type")!, (int)response.StatusCode, Of("code"), Of("reason"), Of("connection"), text);

        string? Of(string name) => body.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }
}
