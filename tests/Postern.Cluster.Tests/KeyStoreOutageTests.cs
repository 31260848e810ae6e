using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;
using Postern.TestKit;

namespace Postern.Cluster.Tests;

/// <summary>
/// A key store that is down under running nodes, in each of the ways in which one is: tenants whose key is in memory notice nothing, the others
/// are told "not now", the key store is not stormed, nobody loses anything, and everybody is served again soon after its return.
/// </summary>
public sealed class KeyStoreOutageTests
{
    // What it took is noted.
    private static readonly TimeSpan BackWithin = TimeSpan.FromSeconds(10);

    private static readonly Dictionary<string, Func<HttpContext, Task<bool>>> Outages = new()
    {
        ["answers 503"] = static async http =>
        {
            http.Response.StatusCode = 503;
            await http.Response.CompleteAsync();
            return true;
        },
        ["breaks the connection"] = static http =>
        {
            http.Abort();
            return Task.FromResult(true);
        },
        ["says nothing"] = static async http =>
        {
            await Task.Delay(Timeout.Infinite, http.RequestAborted).ContinueWith(static _ => { }, TaskScheduler.Default);
            return true;
        },
    };

    [Fact]
    public async Task KeyStore_DownUnderARunningNode_StopsOnlyWhoseKeyIsNotInMemory_AndLosesNothing()
    {
        await using var transit = new FakeTransit();
        await transit.StartAsync();
        await using var deployment = await Deployment.StartAsync(nodes: 0);
        deployment.Reconfigure(postern =>
        {
            postern["KeyStore"] = TransitSection.Of(deployment, transit);
            var second = postern["Tenants"]!["skyline"]!.DeepClone();
            second["Hosts"] = new JsonArray("127.0.0.1");
            postern["Tenants"]!["globex"] = second;
        });
        var skyline = await deployment.StartNodeAsync();
        var globex = skyline with { Name = "globex", Address = new UriBuilder(skyline.Address) { Host = "127.0.0.1" }.Uri };
        using var ana = new Person(deployment, "ana");
        using var ben = new Person(deployment, "ben");
        using var gus = new Person(deployment, "ana");
        await ana.EmbedAndConnectAsync();
        await gus.EmbedAsync(globex);
        var anas = await ana.FlightsAsync();
        var standing = Standing(deployment);

        foreach (var (outage, happens) in Outages)
        {
            var asked = new Asked(happens);
            transit.Before = asked.CountAsync;
            Forget(deployment, "globex");
            await Suite.UntilAsync($"globex is refused: the key store {outage}", TimeSpan.FromSeconds(30), async () =>
            {
                using var response = await SessionAsync(gus, globex);
                return response.StatusCode == HttpStatusCode.ServiceUnavailable;
            });

            // A crowd asks for some seconds. Whose key is not in memory is refused, at once and with a time; the others notice nothing.
            var crowd = Stopwatch.StartNew();
            long refused = 0;
            await Task.WhenAll(Enumerable.Range(0, 16).Select(async _ =>
            {
                while (crowd.Elapsed < TimeSpan.FromSeconds(6))
                {
                    await AssertRefusedAsync(() => SessionAsync(gus, globex), transit);
                    Interlocked.Increment(ref refused);
                }
            }).Append(Task.Run(async () =>
            {
                while (crowd.Elapsed < TimeSpan.FromSeconds(6))
                    Assert.Equal(anas, await ana.FlightsAsync());
            })));
            deployment.Note($"{outage}: {refused} refused in {crowd.Elapsed.TotalSeconds:0.0} s, {asked.Unwraps} unwraps, at most {asked.MostAtOnce} at once for one key");
            // Attempts after 0, 1, 3, 7, 11, … s, each with two more where the service answers 5xx.
            Assert.InRange(asked.Unwraps, 1, 3 * (3 + (int)(crowd.Elapsed.TotalSeconds / 3)));
            Assert.Equal(1, asked.MostAtOnce);
            using (var ready = await ana.Browser.GetAsync(ana.At("/healthz/ready")))
                Assert.Equal(HttpStatusCode.OK, ready.StatusCode);

            transit.Before = static _ => Task.FromResult(false);
            var back = Stopwatch.StartNew();
            await Suite.UntilAsync($"globex is served again after the key store {outage}", BackWithin, async () =>
            {
                using var response = await SessionAsync(gus, globex);
                return response.StatusCode == HttpStatusCode.OK;
            });
            deployment.Note($"{outage}: served {back.Elapsed.TotalSeconds:0.0} s after the return");
        }

        // A connect and a sign-in whose answers come while the key cannot be had are finished with the same answers afterwards.
        await ben.EmbedAsync();
        var consented = await ben.ConsentAsync();
        using var begun = await ben.Browser.GetAsync(ben.At("/sign-in?return_to=/"));
        var signIn = await ben.AtSandboxAsync(begun.Headers.Location!, allow: true);
        transit.Before = Outages["answers 503"];
        Forget(deployment, "skyline");
        await Suite.UntilAsync("skyline is refused, too", TimeSpan.FromSeconds(30), async () =>
        {
            using var response = await ana.QueryAsync();
            return response.StatusCode == HttpStatusCode.ServiceUnavailable;
        });
        await AssertRefusedAsync(() => ana.QueryAsync(), transit);
        foreach (var answer in new[] { consented.Callback, signIn })
            await AssertRefusedAsync(() => ben.Browser.GetAsync(ben.At(answer.PathAndQuery)), transit);
        transit.Before = static _ => Task.FromResult(false);
        await Suite.UntilAsync("skyline is served again", BackWithin, async () =>
        {
            using var response = await ana.QueryAsync();
            return response.IsSuccessStatusCode;
        });
        var page = await ben.CallbackAsync(consented);
        Assert.True(page.Outcome == "ready", page.Html);
        using (var confirmed = await ben.ConfirmAsync(page))
            Assert.True(confirmed.IsSuccessStatusCode, await confirmed.Content.ReadAsStringAsync(Suite.Token));
        using (var signedIn = await ben.Browser.GetAsync(ben.At(signIn.PathAndQuery)))
            Assert.Equal(HttpStatusCode.Redirect, signedIn.StatusCode);

        Assert.Equal(anas, await ana.FlightsAsync());
        Assert.Equal((standing.Grants + 1, standing.Sessions + 2), Standing(deployment));
        foreach (var wrong in new[] { "RowTampered", "RecordRefused", "SessionRefused", "ConnectRefused", "SignInRefused" })
            Assert.Equal(0, skyline.Process.Count(wrong));
        Assert.Empty(transit.Complaints);
        await deployment.AssertAuditVerifiesAsync();
    }

    private static Task<HttpResponseMessage> SessionAsync(Person person, Node node) => person.Browser.CallAsync(HttpMethod.Get, person.At("/api/session", node));

    /// <summary>503 with a time to come back, and not a word of where the key store is or what it said.</summary>
    private static async Task AssertRefusedAsync(Func<Task<HttpResponseMessage>> ask, FakeTransit transit)
    {
        using var response = await ask();
        var text = await response.Content.ReadAsStringAsync(Suite.Token);
        Assert.True(response.StatusCode == HttpStatusCode.ServiceUnavailable, $"{(int)response.StatusCode} {text}");
        Assert.NotNull(response.Headers.RetryAfter);
        if (response.Content.Headers.ContentType?.MediaType != "text/html")
            Assert.Contains("\"vault-key-store-unavailable\"", text, StringComparison.Ordinal);
        Assert.DoesNotContain(transit.Address.Authority, text, StringComparison.Ordinal);
        Assert.DoesNotContain("Transit", text, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The node drops a tenant's key from memory, as it does when nobody used it for a minute or its lifetime is over.</summary>
    private static void Forget(Deployment deployment, string tenant) => deployment.Edit(
        """
        BEGIN IMMEDIATE;
        UPDATE counters SET counted = counted + 1 WHERE name = 'feed';
        INSERT INTO changes (id, at, kind, tenant, entity_key) SELECT counted, @at, 4, @tenant, 'test' FROM counters WHERE name = 'feed';
        COMMIT;
        """,
        ("@at", DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()), ("@tenant", tenant));

    private static (long Grants, long Sessions) Standing(Deployment deployment) => (
        (long)deployment.Read("SELECT count(*) FROM grants WHERE state = 1")!,
        (long)deployment.Read("SELECT count(*) FROM sessions WHERE ended_at IS NULL")!);

    /// <summary>Counts what the key store is asked while it is down.</summary>
    private sealed class Asked(Func<HttpContext, Task<bool>> happens)
    {
        private readonly ConcurrentDictionary<string, int> underWay = new();
        private int unwraps;
        private int mostAtOnce;

        public int Unwraps => Volatile.Read(ref unwraps);

        public int MostAtOnce => Volatile.Read(ref mostAtOnce);

        public async Task<bool> CountAsync(HttpContext http)
        {
            if (!http.Request.Path.Value!.Contains("/decrypt/", StringComparison.Ordinal))
                return await happens(http);
            using var reader = new StreamReader(http.Request.Body);
            var key = await reader.ReadToEndAsync();
            Interlocked.Increment(ref unwraps);
            var now = underWay.AddOrUpdate(key, 1, static (_, count) => count + 1);
            NoteMost(now);
            try
            {
                return await happens(http);
            }
            finally
            {
                underWay.AddOrUpdate(key, 0, static (_, count) => count - 1);
            }
        }

        private void NoteMost(int value)
        {
            for (var seen = Volatile.Read(ref mostAtOnce); value > seen; seen = Volatile.Read(ref mostAtOnce))
                Interlocked.CompareExchange(ref mostAtOnce, value, seen);
        }
    }
}
