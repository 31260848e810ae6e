using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Postern.Model;

namespace Postern.Grants.Tests.Support;

/// <summary>
/// An authorization server over real Kestrel that counts redemptions, rotates as told, and ends a whole family when a spent refresh
/// token comes again. It shares no code with the client.
/// </summary>
internal sealed class Authority : IAsyncDisposable
{
    // Below those that the system gives to whoever asks for any: nobody takes the place of a server that is down.
    private const int FirstPort = 20_000;
    private const int LastPort = 32_000;

    private readonly TimeProvider clock;
    private readonly Lock gate = new();
    private readonly List<Family> families = [];
    private readonly ConcurrentQueue<Fault> faults = new();
    private readonly ConcurrentQueue<int> revocationFaults = new();
    private readonly ConcurrentQueue<string> revoked = new();
    private readonly ConcurrentQueue<DateTimeOffset> revocations = new();
    private readonly ConcurrentQueue<DateTimeOffset> requests = new();
    private int issued;
    private WebApplication? app;

    private Authority(TimeProvider clock) => this.clock = clock;

    public string Issuer { get; private set; } = "";

    /// <summary>What becomes of every request, of whatever kind, while it is not null.</summary>
    public Fault? Weather { get; set; }

    /// <summary>What to do with a request that nothing was scripted for, by its refresh token; null: answer it.</summary>
    public Func<string, Fault?> Decide { get; set; } = _ => null;

    /// <summary>Requests at the token endpoint, whatever came of them.</summary>
    public int TokenRequests => requests.Count;

    /// <summary>When each request at the token endpoint came.</summary>
    public IReadOnlyList<DateTimeOffset> RequestedAt => [.. requests];

    /// <summary>Refresh tokens exchanged for a new pair.</summary>
    public int Redemptions => families.Sum(family => family.Redemptions);

    /// <summary>Families ended because a spent token came again.</summary>
    public int Reuses => families.Count(family => family.Reused);

    public IReadOnlyList<string> Revoked => [.. revoked];

    /// <summary>When each request at the revocation endpoint came.</summary>
    public IReadOnlyList<DateTimeOffset> RevokedAt => [.. revocations];

    /// <summary>Null: it does not say.</summary>
    public int? ExpiresIn { get; set; } = 3600;

    private string Expiry => ExpiresIn is { } seconds ? $",\"expires_in\":{seconds}" : "";

    public bool HasRevocation { get; set; } = true;

    /// <summary>What becomes of refresh tokens that are issued for a code.</summary>
    public RefreshRotation Consents { get; set; } = RefreshRotation.SingleUse;

    /// <summary>The family of the latest consent.</summary>
    public Family Latest => families[^1];

    /// <summary>Whether its metadata announces <c>iss</c> (RFC 9207).</summary>
    public bool SendsIss { get; set; }

    public static async Task<Authority> StartAsync(TimeProvider? clock = null)
    {
        var authority = new Authority(clock ?? TimeProvider.System);
        while (authority.app is null)
            await authority.TryListenAsync(Random.Shared.Next(FirstPort, LastPort));
        authority.Issuer = authority.app!.Urls.Single() + "/as";
        return authority;
    }

    /// <summary>Nobody listens any more: connections are refused.</summary>
    public async Task GoDownAsync()
    {
        if (app is null)
            return;
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await app.StopAsync(now.Token);
        await app.DisposeAsync();
        app = null;
    }

    /// <summary>It listens again, at the same address, and knows what it knew.</summary>
    public async Task ComeBackAsync()
    {
        if (app is null)
            Assert.True(await TryListenAsync(new Uri(Issuer).Port), "its port was taken");
    }

    /// <summary>A person consented elsewhere: the first pair of a new family.</summary>
    public Family NewFamily(RefreshRotation rotation)
    {
        lock (gate)
        {
            var family = new Family(families.Count + 1, rotation, clock);
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

    /// <summary>From now on it answers as it should.</summary>
    public void ClearScript() => faults.Clear();

    /// <summary>The next revocations are answered with these statuses.</summary>
    public void ScriptRevocations(params int[] statuses)
    {
        foreach (var status in statuses)
            revocationFaults.Enqueue(status);
    }

    /// <summary>Whether a platform that trusts this server takes the access token at this moment.</summary>
    public bool Accepts(string access)
    {
        lock (gate)
            return Of(access)?.Accepts(access, TimeSpan.FromSeconds(ExpiresIn ?? 300)) == true;
    }

    public async ValueTask DisposeAsync() => await GoDownAsync();

    private async Task<bool> TryListenAsync(int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(System.Net.IPAddress.Loopback, port));
        var listening = builder.Build();
        listening.Use((context, next) => Weather is { } weather ? FailAsync(context, weather) : next());
        listening.MapGet("/.well-known/oauth-authorization-server/as", MetadataAsync);
        listening.MapPost("/as/token", TokenAsync);
        listening.MapPost("/as/revoke", RevokeAsync);
        try
        {
            await listening.StartAsync();
        }
        catch (IOException)
        {
            await listening.DisposeAsync();
            return false;
        }
        app = listening;
        return true;
    }

    private static async Task FailAsync(HttpContext context, Fault fault)
    {
        if (fault.Hang)
        {
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
            return;
        }
        if (fault.RetryAfter is { } seconds)
            context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        context.Response.StatusCode = fault.Status;
        context.Response.ContentType = fault.Type;
        await context.Response.WriteAsync(fault.Body);
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
        var form = await context.Request.ReadFormAsync();
        requests.Enqueue(clock.GetUtcNow());
        var fault = faults.TryDequeue(out var scripted) ? scripted : Decide(form["refresh_token"].ToString()) ?? new Fault();
        if (fault.Hang || fault.Status != 0)
        {
            await FailAsync(context, fault);
            return;
        }

        var answer = form["grant_type"].ToString() switch
        {
            "refresh_token" => Refresh(form["refresh_token"].ToString()),
            "authorization_code" => Pair(NewFamily(Consents), withRefresh: true),
            "client_credentials" => $$"""{"access_token":"service-{{Interlocked.Increment(ref issued)}}","token_type":"Bearer"{{Expiry}}}""",
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
            if (Of(token) is not { } family || !family.TryRedeem(token))
                return null;
            return Pair(family, withRefresh: family.Rotation != RefreshRotation.None);
        }
    }

    private Family? Of(string token) =>
        token.Split('-') is [_, var number, _] && int.TryParse(number, CultureInfo.InvariantCulture, out var at) && at <= families.Count ? families[at - 1] : null;

    private string Pair(Family family, bool withRefresh)
    {
        var refresh = withRefresh ? $",\"refresh_token\":\"{family.Refresh}\"" : "";
        return $$"""{"access_token":"{{family.Access}}","token_type":"Bearer"{{Expiry}}{{refresh}}}""";
    }

    private async Task RevokeAsync(HttpContext context)
    {
        var form = await context.Request.ReadFormAsync();
        revocations.Enqueue(clock.GetUtcNow());
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
