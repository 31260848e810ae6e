using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Postern.Grants.Pacing;
using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.OAuth;

namespace Postern.Grants.Tests.Pacing;

/// <summary>The cap and the circuit of one authorization server, by the clock alone.</summary>
public sealed class IssuerGateTests
{
    private const double Share = 60;
    private static readonly TokenAnswer Rejected = new TokenAnswer.Rejected(OAuthErrors.InvalidGrant, 400);
    private static readonly TokenAnswer Failed = new TokenAnswer.Unavailable(UnavailableKind.ServerError, false, null, 500);
    private readonly FakeTimeProvider clock = new();
    private readonly IssuerGate gate;

    public IssuerGateTests() => gate = new("https://as.test", new SystemChance(), clock, new GrantOptions(), NullLogger.Instance);

    [Fact]
    public async Task Cap_OverAnyMinute_IsNotExceeded()
    {
        var sent = new List<DateTimeOffset>();
        for (var tick = 0; tick < 1_800; tick++)
        {
            if ((await gate.EnterAsync(Urgency.Background, 1, Share)).TryGet(out var passage, out _))
            {
                passage.Heard(Rejected);
                sent.Add(clock.GetUtcNow());
            }
            clock.Advance(TimeSpan.FromMilliseconds(100));
        }

        Assert.InRange(sent.Count, Share * 2, Share * 3);
        Assert.All(sent, from => Assert.InRange(sent.Count(at => at >= from && at < from.AddMinutes(1)), 1, Share));
    }

    [Fact]
    public async Task Cap_OverAnyMinuteOfProcessesThatReplaceOneAnother_IsNotExceeded()
    {
        var (sent, running) = (new List<DateTimeOffset>(), gate);
        for (var tick = 0; tick < 1_800; tick++)
        {
            // Killed, and another begins in its place, at moments that are no multiples of a minute.
            if (tick % 170 == 169)
                running = new("https://as.test", new SystemChance(), clock, new GrantOptions(), NullLogger.Instance) { EmptyAt = clock.GetTimestamp() };
            if ((await running.EnterAsync(Urgency.Background, 1, Share)).TryGet(out var passage, out _))
            {
                passage.Heard(Rejected);
                sent.Add(clock.GetUtcNow());
            }
            clock.Advance(TimeSpan.FromMilliseconds(100));
        }

        Assert.InRange(sent.Count, Share, Share * 3);
        Assert.All(sent, from => Assert.InRange(sent.Count(at => at >= from && at < from.AddMinutes(1)), 1, Share));
    }

    [Fact]
    public async Task Background_WhileCallersWait_GetsNothing()
    {
        for (var i = 0; i < 10; i++)
            Pass(await gate.EnterAsync(Urgency.Waiting, 1, Share));
        var caller = gate.EnterAsync(Urgency.Waiting, 1, Share).AsTask();

        var background = await gate.EnterAsync(Urgency.Background, 1, Share);

        Assert.Equal("paced", background.Refused(RefusalKind.AuthorizationServerUnavailable).Code);
        Assert.Equal(1, gate.Standing.Waiting);
        clock.Advance(TimeSpan.FromSeconds(2));
        Pass(await caller);
    }

    [Fact]
    public async Task Background_NearTheEndOfTheBucket_LeavesTheRestToCallers()
    {
        var passed = 0;
        while ((await gate.EnterAsync(Urgency.Background, 1, Share)).TryGet(out var passage, out _))
        {
            passage.Heard(Rejected);
            passed++;
        }

        Assert.Equal(8, passed);
        Pass(await gate.EnterAsync(Urgency.Waiting, 1, Share));
    }

    [Fact]
    public async Task Callers_BeyondWhatTheyMayWait_AreRefusedWithTheTimeToComeBack()
    {
        var callers = Enumerable.Range(0, 40).Select(_ => gate.EnterAsync(Urgency.Waiting, 1, Share).AsTask()).ToList();

        // Ten at once, and 50 a minute for the next fifteen seconds.
        var refused = callers.Where(caller => caller.IsCompleted).Select(caller => caller.Result).Where(outcome => outcome.Refusal is not null).ToList();

        Assert.Equal(40 - 10 - 12, refused.Count);
        Assert.All(refused, outcome => Assert.InRange(outcome.Refusal!.RetryAfter!.Value.TotalSeconds, 15, 16));
        clock.Advance(TimeSpan.FromSeconds(15));
        await Task.WhenAll(callers);
        Assert.Equal(22, callers.Count(caller => caller.Result.Refusal is null));
    }

    [Fact]
    public async Task Person_AtAFullServer_PassesAndCounts()
    {
        for (var i = 0; i < 12; i++)
            Pass(await gate.EnterAsync(Urgency.Person, 1, Share));

        (await gate.EnterAsync(Urgency.Background, 1, Share)).Refused(RefusalKind.AuthorizationServerUnavailable);
        Assert.False(gate.HasRoom);
    }

    [Fact]
    public async Task Passage_ThatWasNotUsed_CountsForNothing()
    {
        for (var i = 0; i < 30; i++)
        {
            Assert.True((await gate.EnterAsync(Urgency.Background, 2, Share)).TryGet(out var passage, out _));
            passage.Dispose();
        }

        Pass(await gate.EnterAsync(Urgency.Waiting, 1, Share));
    }

    [Fact]
    public async Task Failures_InARow_OpenTheCircuitUntilOneProbeIsAnswered()
    {
        await FailAsync(5);

        var refused = (await gate.EnterAsync(Urgency.Waiting, 1, Share)).Refused(RefusalKind.AuthorizationServerUnavailable);
        Assert.Equal(("circuit-open", CircuitState.Open), (refused.Code, gate.Standing.Circuit));
        Assert.InRange(refused.RetryAfter!.Value.TotalSeconds, 4, 8);

        clock.Advance(TimeSpan.FromSeconds(8));
        Assert.Equal(CircuitState.HalfOpen, gate.Standing.Circuit);
        Assert.True((await gate.EnterAsync(Urgency.Waiting, 1, Share)).TryGet(out var probe, out _));
        Assert.Equal("circuit-half-open", (await gate.EnterAsync(Urgency.Waiting, 1, Share)).Refused(RefusalKind.AuthorizationServerUnavailable).Code);
        probe.Heard(Rejected);
        probe.Dispose();

        Assert.Equal(CircuitState.Closed, gate.Standing.Circuit);
        await FailAsync(4);
        Pass(await gate.EnterAsync(Urgency.Waiting, 1, Share));
    }

    [Fact]
    public async Task Probe_ThatFails_OpensTheCircuitForLonger()
    {
        await FailAsync(5);
        var rests = new List<double>();
        for (var probes = 0; probes < 5; probes++)
        {
            clock.Advance(gate.Standing.Rest);
            await FailAsync(1);
            rests.Add(gate.Standing.Rest.TotalSeconds);
        }

        Assert.InRange(rests[0], 8, 16);
        Assert.InRange(rests[^1], 30, 60);
    }

    [Fact]
    public async Task Probe_ThatIsGivenBack_LeavesRoomForTheNext()
    {
        await FailAsync(5);
        clock.Advance(TimeSpan.FromSeconds(8));
        Assert.True((await gate.EnterAsync(Urgency.Waiting, 1, Share)).TryGet(out var given, out _));
        given.Dispose();

        Pass(await gate.EnterAsync(Urgency.Waiting, 1, Share));
        Assert.Equal(CircuitState.Closed, gate.Standing.Circuit);
    }

    [Theory]
    [InlineData(429)]
    [InlineData(503)]
    public async Task RetryAfter_OfOneAnswer_HoldsForEverybodyAndForPeopleToo(int status)
    {
        Assert.True((await gate.EnterAsync(Urgency.Waiting, 1, Share)).TryGet(out var passage, out _));
        passage.Heard(new TokenAnswer.Unavailable(UnavailableKind.RateLimited, false, TimeSpan.FromSeconds(90), status));

        foreach (var urgency in Enum.GetValues<Urgency>())
        {
            var refused = (await gate.EnterAsync(urgency, 1, Share)).Refused(RefusalKind.AuthorizationServerUnavailable);
            Assert.Equal(90, refused.RetryAfter!.Value.TotalSeconds, 0.001);
        }
        clock.Advance(TimeSpan.FromSeconds(90));
        Pass(await gate.EnterAsync(Urgency.Background, 1, Share));
    }

    [Fact]
    public async Task Person_AtAServerThatFailed_PassesAndClosesTheCircuit()
    {
        await FailAsync(5);

        Pass(await gate.EnterAsync(Urgency.Person, 1, Share));

        Assert.Equal(CircuitState.Closed, gate.Standing.Circuit);
    }

    [Fact]
    public async Task RevocationEndpoint_ThatIsBroken_EndsNoRenewals()
    {
        for (var i = 0; i < 8; i++)
        {
            Assert.True((await gate.EnterAsync(Urgency.Background, 1, 600)).TryGet(out var passage, out _));
            passage.Heard(new RevocationAnswer.Unavailable(UnavailableKind.ServerError, null, 500));
            passage.Dispose();
        }

        Assert.Equal(CircuitState.Closed, gate.Standing.Circuit);
    }

    private static void Pass(Outcome<Passage> entered)
    {
        var passage = entered.Value();
        passage.Heard(Rejected);
        passage.Dispose();
    }

    private async Task FailAsync(int times)
    {
        for (var i = 0; i < times; i++)
        {
            var passage = (await gate.EnterAsync(Urgency.Waiting, 1, 600)).Value();
            passage.Heard(Failed);
            passage.Dispose();
        }
    }
}
