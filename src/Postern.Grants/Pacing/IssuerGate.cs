using Microsoft.Extensions.Logging;
using Postern.Grants.Renewal;
using Postern.Model;

namespace Postern.Grants.Pacing;

/// <summary>Who wants to send a request to an authorization server.</summary>
internal enum Urgency
{
    /// <summary>
    /// A person who was at this very server a moment ago, with a code that lives a minute: counts, and is held up by nothing but a pause
    /// that the server asked for.
    /// </summary>
    Person,
    /// <summary>A query waits: takes the next free place, in the order of asking, for as long as it may wait.</summary>
    Waiting,
    /// <summary>Nobody waits: only while nobody else does, and never the last part of what the cap allows at once.</summary>
    Background,
}

/// <summary>Whether a server gets requests.</summary>
public enum CircuitState
{
    /// <summary>It gets requests.</summary>
    Closed,
    /// <summary>It failed or asked for a pause: it gets none until the pause is over.</summary>
    Open,
    /// <summary>The pause is over: one request at a time, until one is answered.</summary>
    HalfOpen,
}

/// <summary>
/// The way to one authorization server, for everything this node wants of it, whatever the number of connections and people.
/// <para>Cap: tokens of a bucket. A waiting caller takes its token at once and waits until the bucket has paid it back, so the order is
/// that of asking and no queue is kept; of what the share is in a minute, a sixth may go at once and the rest comes back evenly, so that
/// no minute has more. A process that begins where others live, or died a moment ago, begins with an empty bucket: it does not know what they
/// sent.</para>
/// <para>Circuit: closed → failures in a row, or <c>Retry-After</c> → open → half-open, one request → closed, or open for longer.</para>
/// </summary>
internal sealed partial class IssuerGate(string issuer, IChance chance, TimeProvider time, GrantOptions options, ILogger log)
{
    // What background work leaves of the bucket, so that a caller who comes next need not wait.
    private const double Reserve = 0.25;
    private static readonly TimeSpan LongestRest = TimeSpan.FromHours(1);
    private static readonly TimeSpan ProbePause = TimeSpan.FromSeconds(1);
    private readonly Lock gate = new();
    private double perMinute;
    private double permits;
    private long refilled;
    private int waiting;
    private int failures;
    private int openings;
    private bool probing;
    // From then on, for so long, the circuit is open, and whether the server asked for that; null while it is closed.
    private (long Since, TimeSpan For, bool Told)? open;

    /// <summary>Since when the bucket fills; null: it is full.</summary>
    public long? EmptyAt { get; init; }

    /// <summary>How the gate stands, for metrics and the readiness page.</summary>
    public GateStanding Standing
    {
        get
        {
            lock (gate)
                return new(issuer, open is null ? CircuitState.Closed : RestLeft() > TimeSpan.Zero ? CircuitState.Open : CircuitState.HalfOpen, waiting, RestLeft());
        }
    }

    /// <summary>Lets requests pass: at once, after a wait, or not now (<see cref="RefusalKind.AuthorizationServerUnavailable"/> with the time to come back).</summary>
    /// <param name="urgency">Who asks.</param>
    /// <param name="requests">How many requests it is about.</param>
    /// <param name="share">Requests per minute that this node may send.</param>
    public async ValueTask<Outcome<Passage>> EnterAsync(Urgency urgency, int requests, double share)
    {
        TimeSpan wait;
        lock (gate)
        {
            if (Resting(urgency) is { } rests)
                return rests;
            Refill(share);
            var kept = urgency == Urgency.Background ? Kept : 0;
            wait = TimeSpan.FromMinutes(Math.Max(0, requests + kept - permits) / RefillPerMinute);
            if (wait > TimeSpan.Zero && urgency == Urgency.Background)
                return Full(wait);
            if (wait > TimeSpan.Zero && urgency == Urgency.Waiting && (wait > options.WaitAtMost || waiting >= options.IssuerQueue))
                return Full(wait);
            permits -= requests;
            if (wait == TimeSpan.Zero || urgency == Urgency.Person)
                return Admit(requests);
            waiting++;
        }
        await Task.Delay(wait, time);
        lock (gate)
        {
            waiting--;
            if (Resting(urgency) is not { } rests)
                return Admit(requests);
            permits += requests;
            return rests;
        }
    }

    /// <summary>What came of one request; called through <see cref="Passage"/>.</summary>
    public void Report(bool probe, bool answered, TimeSpan? retryAfter)
    {
        lock (gate)
        {
            probing &= !probe;
            if (answered)
            {
                failures = 0;
                // A late answer to something sent before does not shorten a pause that the server asked for.
                if (open is null || !probe)
                    return;
                open = null;
                openings = 0;
                Closed(log, issuer);
                return;
            }
            failures++;
            if (retryAfter is null && !probe && failures < options.IssuerFailures)
                return;
            if (open is null || probe)
                openings++;
            // As after the third failure of a grant: four to eight seconds, growing to a minute.
            var rest = RenewalProtocol.Backoff(openings + 2, retryAfter, chance.NextFraction());
            Rest(rest, told: retryAfter is not null);
        }
    }

    /// <summary>The server asked for a pause in an answer that says nothing of how its token endpoint is.</summary>
    public void Pause(TimeSpan retryAfter)
    {
        lock (gate)
            Rest(retryAfter, told: true);
    }

    /// <summary>Gives back what was let pass and not sent; negative, what was sent besides.</summary>
    public void Return(bool probe, int unsent)
    {
        lock (gate)
        {
            probing &= !probe;
            permits += unsent;
        }
    }

    /// <summary>Whether background work would be let pass now, so that nobody need begin.</summary>
    public bool HasRoom
    {
        get
        {
            lock (gate)
            {
                if (perMinute > 0)
                    Refill(perMinute);
                return Resting(Urgency.Background) is null && (perMinute == 0 || permits >= 1 + Kept);
            }
        }
    }

    private double Kept => Math.Floor(Burst * Reserve);

    private double Burst => Math.Max(1, perMinute / 6);

    private double RefillPerMinute => perMinute * 5 / 6;

    private Passage Admit(int requests)
    {
        var probe = open is not null;
        probing |= probe;
        return new(this, requests, probe);
    }

    private void Refill(double share)
    {
        var now = time.GetTimestamp();
        var before = perMinute;
        perMinute = share;
        permits = (before == 0 ? EmptyAt : refilled) is { } since
            ? Math.Min(Burst, permits + time.GetElapsedTime(since, now).TotalMinutes * RefillPerMinute)
            : Burst;
        refilled = now;
    }

    private void Rest(TimeSpan asked, bool told)
    {
        var rest = asked < LongestRest ? asked : LongestRest;
        if (RestLeft() >= rest)
            return;
        open = (time.GetTimestamp(), rest, told);
        Opened(log, issuer, failures, rest);
    }

    private TimeSpan RestLeft() =>
        open is { } paused && paused.For - time.GetElapsedTime(paused.Since) is var left && left > TimeSpan.Zero ? left : TimeSpan.Zero;

    private Refusal? Resting(Urgency urgency)
    {
        if (open is null || urgency == Urgency.Person && !open.Value.Told)
            return null;
        var left = RestLeft();
        return left > TimeSpan.Zero ? Refuse("circuit-open", left) : probing ? Refuse("circuit-half-open", ProbePause) : null;
    }

    private static Refusal Full(TimeSpan wait) => Refuse("paced", wait);

    private static Refusal Refuse(string code, TimeSpan wait) => new(
        RefusalKind.AuthorizationServerUnavailable, "The sign-in service is asked for a pause or for fewer requests. Nothing is lost; try again shortly.")
    {
        Code = code,
        RetryAfter = wait,
    };

    [LoggerMessage(4301, LogLevel.Warning, "The authorization server {Issuer} gets no requests for {Rest} after {Failures} failures in a row; valid tokens go on serving.")]
    private static partial void Opened(ILogger log, string issuer, int failures, TimeSpan rest);

    [LoggerMessage(4302, LogLevel.Information, "The authorization server {Issuer} answers again.")]
    private static partial void Closed(ILogger log, string issuer);
}

/// <summary>How the way to an authorization server stands on this node.</summary>
/// <param name="Issuer">The server.</param>
/// <param name="Circuit">Whether it gets requests.</param>
/// <param name="Waiting">Renewals that wait for their place under the cap.</param>
/// <param name="Rest">How long it gets none yet; zero unless <see cref="CircuitState.Open"/>.</param>
public sealed record GateStanding(string Issuer, CircuitState Circuit, int Waiting, TimeSpan Rest);
