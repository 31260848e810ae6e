using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;

namespace Postern.Cluster.Tests.Storm;

/// <summary>One answer that somebody got.</summary>
/// <param name="Person">Who.</param>
/// <param name="Began">When it was asked, as a timestamp.</param>
/// <param name="Ended">When it was answered.</param>
internal sealed record Answer(string Person, long Began, long Ended)
{
    /// <summary>How long it took.</summary>
    public TimeSpan Took => Stopwatch.GetElapsedTime(Began, Ended);
}

/// <summary>
/// People who look at their dashboards all the while, through whichever node is up, as behind a load balancer that knows who died. When
/// a node dies all of them ask at once.
/// </summary>
internal sealed class Watchers(Deployment deployment, IReadOnlyList<Person> people, int seed)
{
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(1);

    private readonly Random random = new(seed);
    private readonly Lock gate = new();
    private readonly ConcurrentBag<Answer> answers = [];
    private readonly ConcurrentBag<string> failures = [];
    private readonly ConcurrentDictionary<string, bool> lost = [];
    private readonly CancellationTokenSource ending = new();
    private readonly Dictionary<string, long> expected = [];
    private readonly ConcurrentDictionary<string, TaskCompletionSource> leaving = [];
    private volatile IReadOnlyList<Node> up = [.. deployment.Nodes];
    private TaskCompletionSource alarm = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task work = Task.CompletedTask;

    /// <summary>Every answer with the person's own rows.</summary>
    public IReadOnlyCollection<Answer> Answers => answers;

    /// <summary>What must not have happened: refusals by nodes that were up, somebody else's rows.</summary>
    public IReadOnlyCollection<string> Failures => failures;

    /// <summary>Who was told to connect again, because nobody knows whether their refresh token was spent.</summary>
    public IReadOnlyCollection<string> Lost => [.. lost.Keys];

    /// <summary>Asks everybody once, to know what each of them sees, and begins.</summary>
    public async Task BeginAsync()
    {
        foreach (var person in people)
            expected[person.Name] = await person.FlightsAsync(node: up[0]);
        work = Task.WhenAll(people.Select(person => Task.Run(() => WatchAsync(person))));
    }

    /// <summary>Nobody asks this node any more, from here on, or waits for it.</summary>
    public void Leave(Node node)
    {
        up = [.. up.Where(other => other.Name != node.Name)];
        Gone(node).TrySetResult();
    }

    /// <summary>Nobody begins to ask this node any more; what it was asked already, it must still answer.</summary>
    public void Drain(Node node) => up = [.. up.Where(other => other.Name != node.Name)];

    /// <summary>Asked again.</summary>
    public void Return(Node node)
    {
        leaving.TryRemove(node.Name, out _);
        up = [.. up.Where(other => other.Name != node.Name), node];
    }

    /// <summary>Everybody asks now; answers when that was.</summary>
    public long Alarm()
    {
        var now = Stopwatch.GetTimestamp();
        Interlocked.Exchange(ref alarm, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
        return now;
    }

    /// <summary>How long each person who still has a grant waited for an answer after a moment; null for who got none yet.</summary>
    public IReadOnlyList<TimeSpan?> ServedAfter(long moment) =>
        [.. people.Where(person => !lost.ContainsKey(person.Name)).Select(person =>
            answers.Where(answer => answer.Person == person.Name && answer.Began >= moment).Select(answer => (long?)answer.Ended).Min() is { } ended
                ? Stopwatch.GetElapsedTime(moment, ended)
                : (TimeSpan?)null)];

    /// <summary>Nobody asks any more.</summary>
    public async Task EndAsync()
    {
        await ending.CancelAsync();
        await work;
    }

    private async Task WatchAsync(Person person)
    {
        while (!ending.IsCancellationRequested && !lost.ContainsKey(person.Name))
        {
            var called = Volatile.Read(ref alarm).Task;
            var node = Any();
            var gone = Gone(node).Task;
            // Who waits for a node that stands still would wait as long as it does: a balancer that knows lets go.
            await Task.WhenAny(AskAsync(person, node, gone), gone);
            await Task.WhenAny(called, Task.Delay(Pace));
        }
    }

    private async Task AskAsync(Person person, Node node, Task gone)
    {
        var began = Stopwatch.GetTimestamp();
        try
        {
            using var response = await person.QueryAsync(node: node);
            if (response.IsSuccessStatusCode)
            {
                var rows = await response.Content.ReadAsStringAsync(Suite.Token);
                var flights = JsonSerializer.Deserialize<JsonElement>(rows).GetProperty("rows")[0][0].GetInt64();
                if (flights != expected[person.Name])
                    failures.Add($"{person.Name} was shown {flights} flights instead of {expected[person.Name]}");
                answers.Add(new(person.Name, began, Stopwatch.GetTimestamp()));
                return;
            }
            var problem = await Problem.ReadAsync(response);
            if (gone.IsCompleted)
                return;
            if (problem is { Type: "urn:postern:reconnect-required", Reason: "uncertain" })
                lost[person.Name] = true;
            else
                failures.Add($"{person.Name} at {node.Name}: {problem.Text}");
        }
        catch (Exception cut) when (cut is HttpRequestException or IOException or JsonException or OperationCanceledException)
        {
            // A node that died or stood still under the person's hands. One that is up must not do that.
            if (!gone.IsCompleted && !ending.IsCancellationRequested)
                failures.Add($"{person.Name} at {node.Name}, which is up: {cut.Message}");
        }
    }

    private TaskCompletionSource Gone(Node node) =>
        leaving.GetOrAdd(node.Name, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    private Node Any()
    {
        var nodes = up;
        lock (gate)
            return nodes[random.Next(nodes.Count)];
    }
}
