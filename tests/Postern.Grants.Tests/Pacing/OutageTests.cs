using Postern.Grants.Pacing;
using Postern.Grants.Renewal;
using Postern.Grants.Revocation;
using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Tests.Pacing;

/// <summary>Many people at one authorization server: what it gets of them when it fails, and when there are more than it takes.</summary>
public sealed class OutageTests
{
    private static readonly TimeSpan NotLong = TimeSpan.FromMilliseconds(500);

    [Fact]
    public async Task Outage_OfOneServer_IsAskedByFewWhateverTheNumberOfPeopleAndLosesNobody()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var people = Enumerable.Range(0, 40).Select(i => new Subject(new SubjectKey(Rig.Acme, "https://idp.test", $"person-{i}"), Rig.Ana.Attributes)).ToList();
        foreach (var person in people)
            await rig.GrantAsync(Rig.Lake, person);
        rig.Clock.Advance(TimeSpan.FromMinutes(61));
        rig.Authority.Script([.. Enumerable.Repeat(Fault.ServerError, 200)]);

        foreach (var person in people)
            (await rig.One.LeaseAsync(Rig.Lake, person)).Refused(RefusalKind.AuthorizationServerUnavailable);

        Assert.Equal(5, rig.Authority.TokenRequests);
        Assert.Equal(CircuitState.Open, Assert.Single(rig.One.Get<IssuerGates>().Standings).Circuit);
        Assert.Empty(rig.One.Events.Of(EventKind.GrantEnded));

        // It answers again: everybody is served without a login.
        rig.Authority.ClearScript();
        rig.Clock.Advance(TimeSpan.FromMinutes(2));
        foreach (var person in people)
            Assert.Equal(2, (await rig.PumpAsync(rig.One.LeaseAsync(Rig.Lake, person))).Value().Generation);
    }

    [Fact]
    public async Task OpenCircuit_WhileTheTokenServes_ServesItWithoutAsking()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        rig.Clock.Advance(TimeSpan.FromMinutes(55));
        var connection = await rig.One.ConnectionAsync(Rig.Lake);
        (await rig.One.Get<IssuerGates>().EnterAsync(connection.Authorization, Urgency.Waiting)).Value()
            .Heard(new Postern.OAuth.TokenAnswer.Unavailable(Postern.OAuth.UnavailableKind.RateLimited, false, TimeSpan.FromMinutes(4), 429));

        await rig.One.Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation);
        var early = await rig.One.Get<Renewer>().EnsureAsync(Rig.Acme, id, RenewalNeed.InTime, Rig.Cancellation);

        Assert.Equal(1, early.Value().Generation);
        Assert.Equal(1, (await rig.One.LeaseAsync(Rig.Lake)).Value().Generation);
        Assert.Equal((0, 0), (rig.Authority.TokenRequests, (await rig.RowAsync(id)).RenewalAttempts));

        rig.Clock.Advance(TimeSpan.FromMinutes(4));
        await rig.One.Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation);
        Assert.Equal(2, (await rig.RowAsync(id)).Generation);
    }

    [Fact]
    public async Task Waiting_BeyondTheBound_IsRefusedWithRetryAfter()
    {
        await using var rig = await Rig.StartAsync(NotLong, options => options with { WaitersAtMost = 3 });
        await rig.GrantAsync(Rig.Lake);
        rig.Clock.Advance(TimeSpan.FromMinutes(61));
        var hold = new TaskCompletionSource();
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        rig.Authority.Script(new Fault { Reached = reached, Hold = hold.Task });
        var waiting = Enumerable.Range(0, 3).Select(_ => rig.One.LeaseAsync(Rig.Lake)).ToList();
        await reached.Task;
        await rig.SoonAsync(() => rig.One.Get<Renewer>().Waiting == 3);

        var refused = (await rig.One.LeaseAsync(Rig.Lake)).Refused(RefusalKind.Unavailable);
        hold.SetResult();

        Assert.Equal(("too-many-waiting", TimeSpan.FromSeconds(1)), (refused.Code, refused.RetryAfter));
        foreach (var lease in waiting)
            Assert.Equal(2, (await rig.PumpAsync(lease)).Value().Generation);
        Assert.Equal((1, 0), (rig.Authority.TokenRequests, rig.One.Get<Renewer>().Waiting));
    }

    [Fact]
    public async Task Revocations_ByTheHundred_KeepToTheCapAndAreAllTold()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var paced = await rig.AddConnectionAsync("paced", "test-paced");
        var grants = new List<GrantId>();
        for (var i = 0; i < 60; i++)
            grants.Add((await rig.GrantAsync(paced, new Subject(new SubjectKey(Rig.Acme, "https://idp.test", $"person-{i}"), Rig.Ana.Attributes))).Id);
        foreach (var grant in grants)
            Assert.True(await rig.One.Desk.RevokeAsOperatorAsync(Rig.Acme, grant, "test", Rig.Cancellation));

        var perMinute = new Queue<(DateTimeOffset At, int Told)>();
        var turns = 0;
        for (; rig.Authority.Revoked.Count < 120 && turns < 600; turns++)
        {
            await rig.One.Get<Revoker>().TellAsync(Rig.Cancellation);
            perMinute.Enqueue((rig.Now, rig.Authority.Revoked.Count));
            while (perMinute.Peek().At <= rig.Now.AddMinutes(-1))
                perMinute.Dequeue();
            Assert.InRange(rig.Authority.Revoked.Count - perMinute.Peek().Told, 0, 60);
            rig.Clock.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(120, rig.Authority.Revoked.Distinct().Count());
        Assert.InRange(turns, 60, 240);
        Assert.Empty(rig.One.Events.Of(EventKind.ProviderRevocationFailed));
        Assert.Equal(60, rig.One.Events.Of(EventKind.ProviderRevoked).Count);
    }

    [Fact]
    public async Task Cap_OfSeveralLiveNodes_IsSharedAmongThem()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var two = rig.AddNode("two");
        foreach (var node in new[] { rig.One, two })
            await rig.One.Store.CommitAsync(NodeChanges.Join(node.Name, Guid.Parse("11111111-1111-4111-8111-111111111111")), new AuditEvent(EventKind.NodeStarted, Rig.Acme), null, Rig.Cancellation);

        await two.Get<Housekeeper>().TurnAsync(Rig.Cancellation);
        Assert.Equal(2, two.Get<IssuerGates>().LiveNodes);

        // The first falls silent.
        rig.Clock.Advance(TimeSpan.FromSeconds(31));
        await rig.One.Store.UpkeepAsync(NodeChanges.Heartbeat("two", Guid.Parse("11111111-1111-4111-8111-111111111111")), Rig.Cancellation);
        await two.Get<Housekeeper>().TurnAsync(Rig.Cancellation);
        Assert.Equal(1, two.Get<IssuerGates>().LiveNodes);
    }
}
