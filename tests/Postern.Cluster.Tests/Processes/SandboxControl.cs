using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Postern.Cluster.Tests.Processes;

/// <summary>A request at a token endpoint, as the sandbox recorded it.</summary>
internal sealed record TokenRequest(string Issuer, string? Client, string? GrantType, string Outcome, string? RefreshFingerprint, string? IssuedRefreshFingerprint);

/// <summary>A statement and the state it was recorded in.</summary>
internal sealed record StatementRecord(DateTimeOffset At, string? User, string Sql, string State);

/// <summary>What was done with refresh tokens.</summary>
/// <param name="Presented">How often one was presented.</param>
/// <param name="Redeemed">How often one was exchanged.</param>
/// <param name="Reused">How many were presented after they were spent.</param>
/// <param name="Ended">How many of those were refused, which ended their families.</param>
/// <param name="Repeated">Those presented more than once.</param>
internal sealed record RefreshCount(long Presented, long Redeemed, int Reused, int Ended, IReadOnlyList<RepeatedRefresh> Repeated);

/// <summary>A refresh token that was presented more than once.</summary>
internal sealed record RepeatedRefresh(string? Subject, int Presented, int Redeemed);

/// <summary>The control endpoints of the sandbox.</summary>
internal sealed class SandboxControl(Uri address) : IDisposable
{
    private readonly HttpClient http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false })
    {
        BaseAddress = new Uri(address, "/__sandbox/"),
    };

    /// <summary>Every request at token endpoints since the log was cleared.</summary>
    public async Task<IReadOnlyList<TokenRequest>> TokenRequestsAsync()
    {
        var log = await LogAsync();
        return [.. log.GetProperty("tokenRequests").EnumerateArray().Select(request => new TokenRequest(
            request.GetProperty("issuer").GetString()!, Text(request, "client"), Text(request, "grant_type"), request.GetProperty("outcome").GetString()!,
            Text(request, "refreshFingerprint"), Text(request, "issuedRefreshFingerprint")))];
    }

    /// <summary>How often a refresh token was presented.</summary>
    public async Task<int> RefreshesAsync() => (await TokenRequestsAsync()).Count(request => request.GrantType == "refresh_token");

    /// <summary>What was done with every refresh token since the log was cleared, however long ago that is.</summary>
    public async Task<RefreshCount> CountRefreshesAsync() =>
        (await SendAsync(HttpMethod.Get, "refreshes", null)).Deserialize<RefreshCount>(JsonSerializerOptions.Web)!;

    /// <summary>Every state that a statement was seen in.</summary>
    public async Task<IReadOnlyList<StatementRecord>> StatementsAsync()
    {
        var log = await LogAsync();
        return [.. log.GetProperty("statements").EnumerateArray().Select(entry => new StatementRecord(
            entry.GetProperty("at").GetDateTimeOffset(), Text(entry.GetProperty("caller"), "user"),
            entry.GetProperty("sql").GetString()!, entry.GetProperty("state").GetString()!))];
    }

    /// <summary>Fingerprints of every token that any log entry names.</summary>
    public async Task<IReadOnlySet<string>> FingerprintsAsync()
    {
        var log = await LogAsync();
        return log.EnumerateObject().Where(part => part.Name != "statements").SelectMany(part => part.Value.EnumerateArray())
            .SelectMany(entry => new[] { Text(entry, "refreshFingerprint"), Text(entry, "issuedRefreshFingerprint") })
            .OfType<string>().ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Forgets the log.</summary>
    public Task ClearLogAsync() => SendAsync(HttpMethod.Delete, "log", null);

    /// <summary>Forgets the faults still to come.</summary>
    public Task ClearFaultsAsync() => SendAsync(HttpMethod.Delete, "faults", null);

    /// <summary>Queues a fault.</summary>
    public Task FaultAsync(string where, string kind, int? delayMs = null, int times = 1, int? status = null, string? body = null) => SendAsync(
        HttpMethod.Post, "faults", new JsonObject { ["where"] = where, ["kind"] = kind, ["times"] = times, ["delayMs"] = delayMs, ["status"] = status, ["body"] = body });

    /// <summary>From now on the platform refuses the living access tokens of this person.</summary>
    public Task ExpireAccessTokensAsync(string user) => SendAsync(HttpMethod.Post, "expire-access-tokens", new JsonObject { ["user"] = user });

    /// <summary>Lifetimes of tokens issued from now on.</summary>
    public Task LifetimesAsync(int accessTokenSeconds) =>
        SendAsync(HttpMethod.Put, "lifetimes", new JsonObject { ["accessTokenSeconds"] = accessTokenSeconds });

    /// <summary>Tokens as the token endpoint would answer.</summary>
    public async Task<JsonElement> MintAsync(string issuer, string user) =>
        await SendAsync(HttpMethod.Post, "mint", new JsonObject { ["issuer"] = issuer, ["user"] = user });

    public void Dispose() => http.Dispose();

    private Task<JsonElement> LogAsync() => SendAsync(HttpMethod.Get, "log", null);

    private async Task<JsonElement> SendAsync(HttpMethod method, string path, JsonNode? body)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
        using var response = await http.SendAsync(request, Suite.Token);
        var text = await response.Content.ReadAsStringAsync(Suite.Token);
        Assert.True(response.IsSuccessStatusCode, $"{method} {path}: {(int)response.StatusCode} {text}");
        return text.Length == 0 ? default : JsonSerializer.Deserialize<JsonElement>(text);
    }

    private static string? Text(JsonElement entry, string name) =>
        entry.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
