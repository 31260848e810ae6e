using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Postern.Model;

namespace Postern.Grants.Tests.Support;

/// <summary>What the token endpoint does with one request instead of answering it.</summary>
/// <param name="Status">The status to answer with; 0 keeps the ordinary answer.</param>
internal sealed record Fault(int Status = 0, string Body = "", string Type = "application/json")
{
    /// <summary>The server does what was asked, then the connection breaks.</summary>
    public bool DropAnswer { get; init; }

    /// <summary>The server does what was asked, says so to <see cref="Reached"/>, and answers only when this ends.</summary>
    public Task? Hold { get; init; }

    public TaskCompletionSource? Reached { get; init; }

    public int? RetryAfter { get; init; }

    public static Fault ServerError { get; } = new(500, """{"error":"server_error"}""");
    public static Fault Html { get; } = new(502, "<html>bad gateway</html>", "text/html");
    public static Fault RejectedHtml { get; } = new(400, "<html>invalid_grant</html>", "text/html");
    public static Fault InvalidClient { get; } = new(401, """{"error":"invalid_client"}""");
    public static Fault LostAnswer { get; } = new() { DropAnswer = true };
}

/// <summary>
/// An authorization server over real Kestrel that counts redemptions, rotates as told, and ends a whole family when a spent refresh
/// token comes again. It shares no code with the client.
/// </summary>
internal sealed class Authority : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly Lock gate = new();
    private readonly List<Family> families = [];
    private readonly ConcurrentQueue<Fault> faults = new();
    private readonly ConcurrentQueue<int> revocationFaults = new();
    private readonly ConcurrentQueue<string> revoked = new();
    private int issued;
    private int tokenRequests;

    private Authority(WebApplication app) => this.app = app;

    public string Issuer { get; private set; } = "";

    /// <summary>Requests at the token endpoint, whatever came of them.</summary>
    public int TokenRequests => Volatile.Read(ref tokenRequests);

    /// <summary>Refresh tokens exchanged for a new pair.</summary>
    public int Redemptions => families.Sum(family => family.Redemptions);

    /// <summary>Families ended because a spent token came again.</summary>
    public int Reuses => families.Count(family => family.Reused);

    public IReadOnlyList<string> Revoked => [.. revoked];

    public int ExpiresIn { get; set; } = 3600;

    public bool HasRevocation { get; set; } = true;

    /// <summary>Whether its metadata announces <c>iss</c> (RFC 9207).</summary>
    public bool SendsIss { get; set; }

    public static async Task<Authority> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(System.Net.IPAddress.Loopback, 0));
        var app = builder.Build();
        var authority = new Authority(app);
        app.MapGet("/.well-known/oauth-authorization-server/as", authority.MetadataAsync);
        app.MapPost("/as/token", authority.TokenAsync);
        app.MapPost("/as/revoke", authority.RevokeAsync);
        await app.StartAsync();
        authority.Issuer = app.Urls.Single() + "/as";
        return authority;
    }

    /// <summary>A person consented elsewhere: the first pair of a new family.</summary>
    public Family NewFamily(RefreshRotation rotation)
    {
        lock (gate)
        {
            var family = new Family(families.Count + 1, rotation);
            families.Add(family);
            return family;
        }
    }

    /// <summary>The next request at the token endpoint, and the ones after it, meet these.</summary>
    public void Script(params Fault[] next)
    {
        foreach (var fault in next)
            faults.Enqueue(fault);
    }

    /// <summary>The next revocations are answered with these statuses.</summary>
    public void ScriptRevocations(params int[] statuses)
    {
        foreach (var status in statuses)
            revocationFaults.Enqueue(status);
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await app.StopAsync(now.Token);
        await app.DisposeAsync();
    }

    private Task MetadataAsync(HttpContext context)
    {
        var revocation = HasRevocation ? $",\"revocation_endpoint\":\"{Issuer}/revoke\"" : "";
        var iss = SendsIss ? ",\"authorization_response_iss_parameter_supported\":true" : "";
        return JsonAsync(context, 200,
            $$"""{"issuer":"{{Issuer}}","authorization_endpoint":"{{Issuer}}/authorize","token_endpoint":"{{Issuer}}/token"{{revocation}}{{iss}}}""");
    }

    private async Task TokenAsync(HttpContext context)
    {
        Interlocked.Increment(ref tokenRequests);
        var form = await context.Request.ReadFormAsync();
        var fault = faults.TryDequeue(out var scripted) ? scripted : new Fault();
        if (fault.RetryAfter is { } seconds)
            context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        if (fault.Status != 0)
        {
            context.Response.StatusCode = fault.Status;
            context.Response.ContentType = fault.Type;
            await context.Response.WriteAsync(fault.Body);
            return;
        }

        var answer = form["grant_type"].ToString() switch
        {
            "refresh_token" => Refresh(form["refresh_token"].ToString()),
            "authorization_code" => Pair(NewFamily(RefreshRotation.SingleUse), withRefresh: true),
            "client_credentials" => $$"""{"access_token":"service-{{Interlocked.Increment(ref issued)}}","token_type":"Bearer","expires_in":{{ExpiresIn}}}""",
            _ => null,
        };
        fault.Reached?.TrySetResult();
        if (fault.Hold is { } hold)
            await hold;
        if (fault.DropAnswer)
            context.Abort();
        else
            await JsonAsync(context, answer is null ? 400 : 200, answer ?? """{"error":"invalid_grant"}""");
    }

    private string? Refresh(string token)
    {
        lock (gate)
        {
            if (families.Find(candidate => candidate.Knows(token)) is not { } family || !family.TryRedeem(token))
                return null;
            return Pair(family, withRefresh: family.Rotation != RefreshRotation.None);
        }
    }

    private string Pair(Family family, bool withRefresh)
    {
        var refresh = withRefresh ? $",\"refresh_token\":\"{family.Refresh}\"" : "";
        return $$"""{"access_token":"{{family.Access}}","token_type":"Bearer","expires_in":{{ExpiresIn}}{{refresh}}}""";
    }

    private async Task RevokeAsync(HttpContext context)
    {
        var form = await context.Request.ReadFormAsync();
        if (revocationFaults.TryDequeue(out var status))
        {
            context.Response.StatusCode = status;
            return;
        }
        revoked.Enqueue(form["token"].ToString());
    }

    private static async Task JsonAsync(HttpContext context, int status, string json)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(json);
    }
}

/// <summary>The tokens that came of one consent.</summary>
internal sealed class Family(int number, RefreshRotation rotation)
{
    private int refreshes = 1;
    private int accesses = 1;
    private bool graceUsed;

    public RefreshRotation Rotation => rotation;

    public string Refresh => $"refresh-{number}-{refreshes}";

    public string Access => $"access-{number}-{accesses}";

    public int Redemptions { get; private set; }

    public bool Reused { get; private set; }

    public bool Knows(string token) => token.StartsWith($"refresh-{number}-", StringComparison.Ordinal);

    public bool TryRedeem(string token)
    {
        if (Reused)
            return false;
        var graced = rotation == RefreshRotation.RotatingWithGrace && !graceUsed && token == $"refresh-{number}-{refreshes - 1}";
        if (token != Refresh && !graced)
        {
            Reused = true;
            return false;
        }
        graceUsed |= graced;
        if (rotation != RefreshRotation.None && !graced)
            refreshes++;
        accesses++;
        Redemptions++;
        return true;
    }
}
