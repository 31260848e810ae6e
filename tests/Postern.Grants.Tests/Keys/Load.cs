using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Postern.Grants.Sessions;
using Postern.Grants.Tests.Support;
using Postern.Model;

namespace Postern.Grants.Tests.Keys;

/// <summary>People of some tenants who query, renew and sign in on two nodes, one request after the other, until they are told to stop.</summary>
internal sealed class Load : IAsyncDisposable
{
    private static readonly TimeSpan Thinks = TimeSpan.FromMilliseconds(80);
    private readonly Rig rig;
    private readonly CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Rig.Cancellation);
    private readonly List<User> users = [];
    private readonly ConcurrentQueue<string> failed = new();
    private ConcurrentQueue<double> milliseconds = new();
    private Task running = Task.CompletedTask;
    private int done;

    private Load(Rig rig) => this.rig = rig;

    /// <summary>Requests that were refused, or broke.</summary>
    public IReadOnlyCollection<string> Failed => failed;

    public static async Task<Load> StartAsync(Rig rig, Population population, int users)
    {
        var load = new Load(rig);
        var two = rig.AddNode("two");
        await rig.One.StartFeedAsync();
        await two.StartFeedAsync();
        for (var i = 0; i < users; i++)
        {
            var person = Rig.Person($"user{i}", population.Tenants[i % Math.Min(population.Tenants.Count, 5)]);
            var (_, family) = await rig.GrantAsync(Rig.Lake, person);
            load.users.Add(new(i % 2 == 0 ? rig.One : two, person, family));
        }
        load.running = Task.WhenAll(load.users.Select(user => Task.Run(() => load.UseAsync(user))));
        return load;
    }

    /// <summary>How many people of a tenant take part.</summary>
    public int GrantsOf(string tenant) => users.Count(user => user.Person.Key.Tenant.Value == tenant);

    /// <summary>Waits until so many requests were answered.</summary>
    public async Task HasDoneAsync(int requests)
    {
        while (Volatile.Read(ref done) < requests && failed.IsEmpty)
            await Task.Delay(20, Rig.Cancellation);
    }

    /// <summary>What requests since the last time took.</summary>
    public string Take()
    {
        var took = Interlocked.Exchange(ref milliseconds, new()).Order().ToArray();
        return took.Length == 0 ? "none" : string.Create(
            CultureInfo.InvariantCulture, $"{took.Length} requests, median {took[took.Length / 2]:0.0} ms, p99 {took[took.Length * 99 / 100]:0.0} ms, longest {took[^1]:0} ms");
    }

    public async Task StopAsync()
    {
        await stop.CancelAsync();
        await running;
    }

    /// <summary>Everybody has the token that the authorization server gave last.</summary>
    public async Task AssertTokensAsync()
    {
        var fresh = rig.AddNode("fresh");
        foreach (var user in users)
        {
            await using var run = await fresh.RunAsync(Rig.Lake, await fresh.SignInAsync(user.Person));
            Assert.Equal(user.Family.Access, (await run.CurrentAsync(Rig.Cancellation)).Value().Token());
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        stop.Dispose();
    }

    private async Task UseAsync(User user)
    {
        var session = await user.Node.SignInAsync(user.Person);
        for (var i = 1; !stop.IsCancellationRequested; i++)
        {
            var began = Stopwatch.GetTimestamp();
            try
            {
                if (i % 10 == 0)
                    session = await user.Node.SignInAsync(user.Person);
                if (await QueryAsync(user, session, renews: i % 5 == 0) is { } refused)
                    failed.Enqueue($"{user.Node.Name} {user.Person.Key.Tenant} {user.Person.Key.Id}: {refused}");
            }
            catch (Exception broken) when (broken is not Xunit.Sdk.XunitException)
            {
                failed.Enqueue($"{user.Node.Name} {user.Person.Key.Tenant} {user.Person.Key.Id}: {broken}");
            }
            milliseconds.Enqueue(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            Interlocked.Increment(ref done);
            // People look at what they got.
            await Task.Delay(Thinks, CancellationToken.None);
        }
    }

    /// <summary>A query: a lease, a run, its token, and sometimes the platform that wants a newer one.</summary>
    private static async Task<string?> QueryAsync(User user, Session session, bool renews)
    {
        var started = await user.Node.TryRunAsync(Rig.Lake, session);
        if (!started.TryGet(out var run, out var why))
            return why.ToString();
        await using (run)
        {
            if (!(await run.CurrentAsync(Rig.Cancellation)).TryGet(out var bearer, out why))
                return why.ToString();
            if (renews && !(await run.AfterRefusalAsync(bearer.Generation, Rig.Cancellation)).TryGet(out bearer, out why))
                return why.ToString();
            return bearer.Token() == user.Family.Access ? null : "another token than the server gave last";
        }
    }

    private sealed record User(TestNode Node, Subject Person, Family Family);
}
