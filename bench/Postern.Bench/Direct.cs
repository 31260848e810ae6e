using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

namespace Postern.Bench;

/// <summary>The same statements sent straight to the platform, with a token in the hand: what Postern is compared with.</summary>
internal sealed class Direct(Uri platform, string token) : IDisposable
{
    private readonly HttpClient http = Client(platform, token);
    private readonly HttpClient storage = new();

    /// <summary>A small result, inline, in one round trip.</summary>
    public async Task<long> SmallAsync(string sql)
    {
        var answer = await ExecuteAsync(sql, "INLINE", "JSON_ARRAY");
        return answer.GetProperty("result").GetProperty("data_array")[0][0].GetString()!.Length;
    }

    /// <summary>A large result as the platform offers it: Arrow behind links. Answers the bytes read.</summary>
    public async Task<long> LargeAsync(string sql)
    {
        var answer = await ExecuteAsync(sql, "EXTERNAL_LINKS", "ARROW_STREAM");
        var statement = answer.GetProperty("statement_id").GetString();
        while (answer.GetProperty("status").GetProperty("state").GetString() is "PENDING" or "RUNNING")
        {
            await Task.Delay(25);
            answer = await http.GetFromJsonAsync<JsonElement>($"/api/2.0/sql/statements/{statement}");
        }
        long bytes = 0;
        var buffer = new byte[1 << 16];
        var links = answer.GetProperty("result").GetProperty("external_links");
        while (true)
        {
            var link = links[0];
            await using (var stream = await storage.GetStreamAsync(new Uri(link.GetProperty("external_link").GetString()!)))
            {
                int read;
                while ((read = await stream.ReadAsync(buffer)) > 0)
                    bytes += read;
            }
            if (!link.TryGetProperty("next_chunk_internal_link", out var next))
                return bytes;
            links = (await http.GetFromJsonAsync<JsonElement>(next.GetString())).GetProperty("external_links");
        }
    }

    public void Dispose()
    {
        http.Dispose();
        storage.Dispose();
    }

    private async Task<JsonElement> ExecuteAsync(string sql, string disposition, string format)
    {
        using var response = await http.PostAsJsonAsync("/api/2.0/sql/statements", new
        {
            statement = sql,
            warehouse_id = "demo0000warehouse",
            catalog = "main",
            schema = "demo",
            disposition,
            format,
            wait_timeout = "10s",
        });
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }

    private static HttpClient Client(Uri platform, string token)
    {
        var client = new HttpClient { BaseAddress = platform };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return client;
    }
}
