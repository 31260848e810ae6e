using System.Buffers.Text;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Postern.Cluster.Tests.Processes;
using Postern.Cluster.Tests.Storm;

namespace Postern.Cluster.Tests.Actors;

/// <summary>A connect up to the callback: what the browser would follow now.</summary>
internal sealed record Consented(Uri Callback);

/// <summary>What the callback's page says.</summary>
internal sealed record CallbackPage(string Outcome, string Connect, string Confirmation, string Html);

/// <summary>How a host embeds a workbook: with which key, and of which states it says the person to be; null where the platform knows.</summary>
internal sealed record Embedding(string Workbook, string Key, IReadOnlyList<string>? States = null)
{
    /// <summary>The demo's employees.</summary>
    public static Embedding Staff => new("flight_delays", "skyline:demo-embed-secret-skyline");

    /// <summary>The demo's partners, who have no account at the platform: rows of these states.</summary>
    public static Embedding Partner(params string[] states) =>
        new("partner_delays", "skyline-partners:demo-embed-secret-partners", states);
}

/// <summary>One of the demo's people at their browser, looking at Postern through a node of their choice.</summary>
internal sealed partial class Person(Deployment deployment, string name, Browser? shared = null, string? subject = null) : IDisposable
{
    /// <summary>The browser.</summary>
    public Browser Browser { get; } = shared ?? new();

    /// <summary>The user id at the sandbox.</summary>
    public string Name => name;

    private Node Default => deployment.Node;

    /// <summary>Opens the embedded workbook: the host's back end gets a code, the frame redeems it.</summary>
    public async Task<JsonElement> EmbedAsync(Node? node = null, Embedding? how = null)
    {
        var nonce = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        var challenge = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(nonce)));
        var code = Browser.Remember(await CodeAsync(challenge, how ?? Embedding.Staff, node));
        return await Browser.CallJsonAsync(HttpMethod.Post, At("/embed/sessions", node), new JsonObject { ["code"] = code, ["nonce"] = nonce });
    }

    /// <summary>Signs in to the portal.</summary>
    public async Task SignInAsync(Node? node = null)
    {
        using var begun = await Browser.GetAsync(At("/sign-in?return_to=/", node));
        Assert.Equal(HttpStatusCode.Redirect, begun.StatusCode);
        var callback = await AtSandboxAsync(begun.Headers.Location!, allow: true);
        using var done = await Browser.GetAsync(At(callback.PathAndQuery, node));
        Assert.True(done.StatusCode == HttpStatusCode.Redirect, await done.Content.ReadAsStringAsync(Suite.Token));
    }

    /// <summary>The whole connect; afterwards queries run.</summary>
    public async Task ConnectAsync(string connection = "lakehouse", Node? node = null)
    {
        var page = await CallbackAsync(await ConsentAsync(connection, node), node);
        Assert.True(page.Outcome == "ready", page.Html);
        using var confirmed = await ConfirmAsync(page, node);
        Assert.True(confirmed.IsSuccessStatusCode, await confirmed.Content.ReadAsStringAsync(Suite.Token));
    }

    /// <summary>Embeds and connects.</summary>
    public async Task EmbedAndConnectAsync(Node? node = null)
    {
        await EmbedAsync(node);
        await ConnectAsync("lakehouse", node);
    }

    /// <summary>Begins a connect and consents to it; the browser stands before the callback.</summary>
    public async Task<Consented> ConsentAsync(string connection = "lakehouse", Node? node = null, bool allow = true)
    {
        var begun = await Browser.CallJsonAsync(HttpMethod.Post, At("/api/connects", node), new JsonObject { ["connection"] = connection });
        var handle = Browser.Remember(begun.GetProperty("handle").GetString()!);
        var introduced = await Browser.CallJsonAsync(HttpMethod.Post, At("/connect/introduce", node), new JsonObject { ["handle"] = handle });
        var agreement = introduced.TryGetProperty("agreement", out var some) && some.ValueKind == JsonValueKind.Object ? some.GetProperty("version").GetString() : null;
        var started = await Browser.CallJsonAsync(
            HttpMethod.Post, At("/connect/start", node), new JsonObject { ["handle"] = handle, ["agreementVersion"] = agreement });
        return new(await AtSandboxAsync(new Uri(started.GetProperty("authorizeUrl").GetString()!), allow));
    }

    /// <summary>Follows the redirect back to Postern.</summary>
    public async Task<CallbackPage> CallbackAsync(Consented consented, Node? node = null)
    {
        foreach (var part in consented.Callback.Query.TrimStart('?').Split('&').Where(part => part.StartsWith("code=", StringComparison.Ordinal) || part.StartsWith("state=", StringComparison.Ordinal)))
            Browser.Remember(Uri.UnescapeDataString(part[(part.IndexOf('=') + 1)..]));
        using var response = await Browser.GetAsync(At(consented.Callback.PathAndQuery, node));
        var html = await response.Content.ReadAsStringAsync(Suite.Token);
        var main = MainPattern().Match(html).Value;
        var page = new CallbackPage(
            Form.Attribute(main, "data-outcome") ?? "", Form.Attribute(main, "data-connect") ?? "", Form.Attribute(main, "data-confirmation") ?? "", html);
        if (page.Confirmation.Length > 0)
            Browser.Remember(page.Confirmation[(page.Confirmation.IndexOf('.') + 1)..]);
        return page;
    }

    /// <summary>What the window that asked sends at the end.</summary>
    public Task<HttpResponseMessage> ConfirmAsync(CallbackPage page, Node? node = null) => Browser.CallAsync(
        HttpMethod.Post, At($"/api/connects/{page.Connect}/confirm", node), new JsonObject { ["confirmation"] = page.Confirmation });

    /// <summary>Runs a query of the workbook.</summary>
    public Task<HttpResponseMessage> QueryAsync(string query = "totals", JsonNode? controls = null, string accept = "application/json", Node? node = null, string workbook = "flight_delays") =>
        Browser.CallAsync(HttpMethod.Post, At($"/api/workbooks/{workbook}/queries/{query}", node), new JsonObject { ["controls"] = controls ?? new JsonObject() }, accept);

    /// <summary>Runs SQL of the person's own.</summary>
    public Task<HttpResponseMessage> SqlAsync(string sql, string connection = "lakehouse", string accept = "application/json", Node? node = null) =>
        Browser.CallAsync(HttpMethod.Post, At($"/api/connections/{connection}/query", node), new JsonObject { ["sql"] = sql }, accept);

    /// <summary>The number of flights this person sees.</summary>
    public async Task<long> FlightsAsync(JsonNode? controls = null, Node? node = null)
    {
        using var response = await QueryAsync("totals", controls, node: node);
        var text = await response.Content.ReadAsStringAsync(Suite.Token);
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode} {text}");
        return JsonSerializer.Deserialize<JsonElement>(text).GetProperty("rows")[0][0].GetInt64();
    }

    /// <summary>The person's grants, as the portal lists them.</summary>
    public async Task<JsonElement[]> GrantsAsync(Node? node = null) =>
        [.. (await Browser.CallJsonAsync(HttpMethod.Get, At("/api/grants", node))).GetProperty("grants").EnumerateArray()];

    /// <summary>An address of a node.</summary>
    public Uri At(string path, Node? node = null) => new((node ?? Default).Address, path);

    public void Dispose()
    {
        if (shared is null)
            Browser.Dispose();
    }

    private async Task<string> CodeAsync(string challenge, Embedding how, Node? node)
    {
        var attributes = new JsonObject { ["email"] = $"{name}@skyline.example", ["name"] = name };
        if (how.States is { } states)
            attributes["state"] = new JsonArray([.. states]);
        using var request = new HttpRequestMessage(HttpMethod.Post, At("/api/embed/codes", node))
        {
            Content = JsonContent.Create(new JsonObject
            {
                ["subject"] = subject ?? "portal-" + name,
                ["attributes"] = attributes,
                ["workbook"] = how.Workbook,
                ["origin"] = deployment.HostOrigin,
                ["challenge"] = challenge,
            }),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.ASCII.GetBytes(how.Key)));
        using var backEnd = new Browser();
        using var response = await backEnd.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync(Suite.Token);
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonSerializer.Deserialize<JsonElement>(text).GetProperty("code").GetString()!;
    }

    /// <summary>Signs in and answers the consent, whatever of the two the sandbox asks, until it redirects back to Postern.</summary>
    public async Task<Uri> AtSandboxAsync(Uri address, bool allow)
    {
        var next = new HttpRequestMessage(HttpMethod.Get, address);
        // One of a crowd takes both pages as read.
        if (Crowd.Contains(name))
            next.Headers.Add("Sandbox-Person", name);
        for (var steps = 0; steps < 8; steps++)
        {
            using var response = await Browser.SendAsync(next);
            if (response.Headers.Location is { } location)
            {
                var target = new Uri(address, location);
                if (target.Host == deployment.PublicOrigin.Host && target.Port == deployment.PublicOrigin.Port)
                    return target;
                next = new HttpRequestMessage(HttpMethod.Get, target);
                continue;
            }
            var html = await response.Content.ReadAsStringAsync(Suite.Token);
            var form = Form.Has(html, "consent_decision")
                ? Form.With(html, "consent_decision", allow ? "allow" : "deny")
                : Form.With(html, "user", name);
            next = new HttpRequestMessage(HttpMethod.Post, new Uri(address, form.Action)) { Content = new FormUrlEncodedContent(form.Fields) };
        }
        throw new InvalidOperationException("The sandbox did not come to an end.");
    }

    [GeneratedRegex("""<main id="connect-result"[^>]*>""")]
    private static partial Regex MainPattern();
}
