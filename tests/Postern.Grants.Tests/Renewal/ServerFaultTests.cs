using Postern.Grants.Renewal;
using Postern.Grants.Revocation;
using Postern.Grants.Tests.Support;
using Postern.Model;

namespace Postern.Grants.Tests.Renewal;

/// <summary>Authorization servers that lose answers, fail, or say no: what becomes of the grant under each profile.</summary>
public sealed class ServerFaultTests
{
    private static readonly TimeSpan PastExpiry = TimeSpan.FromMinutes(61);
    private static readonly TimeSpan PastSending = TimeSpan.FromSeconds(31);
    private static readonly TimeSpan NotLong = TimeSpan.FromMilliseconds(500);

    [Fact]
    public async Task LostAnswer_OfASingleUseServer_IsNeverTriedAgainAndEndsInOneReconnect()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        rig.Clock.Advance(PastExpiry);
        rig.Authority.Script(Fault.LostAnswer);

        var first = await rig.PumpAsync(rig.One.LeaseAsync(Rig.Lake));
        first.Refused(RefusalKind.AuthorizationServerUnavailable);
        rig.Clock.Advance(PastSending);
        var second = await rig.One.LeaseAsync(Rig.Lake);

        Assert.Equal(ReconnectReason.Uncertain, second.Refused(RefusalKind.ReconnectRequired).Reconnect);
        Assert.Equal((1, 0), (rig.Authority.TokenRequests, rig.Authority.Reuses));
        Assert.Equal(GrantState.Reconnect, (await rig.RowAsync(id)).State);
        Assert.Equal(["answer-lost", "ended"], rig.One.Events.Of(EventKind.RenewalUncertain).Select(e => e.Code));
    }

    [Fact]
    public async Task LostAnswer_WhileTheAccessTokenServes_LetsItServeToItsEnd()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        var background = rig.One.Get<BackgroundRenewer>();
        rig.Clock.Advance(TimeSpan.FromMinutes(55));
        rig.Authority.Script(Fault.LostAnswer);
        await background.RenewAsync(Rig.Cancellation);

        rig.Clock.Advance(PastSending);
        await background.RenewAsync(Rig.Cancellation);

        Assert.Equal((GrantState.Active, ReconnectReason.Uncertain), (await rig.RowAsync(id)).Standing());
        Assert.Equal(1, (await rig.One.LeaseAsync(Rig.Lake)).Value().Generation);

        rig.Clock.Advance(TimeSpan.FromMinutes(6));
        await background.RenewAsync(Rig.Cancellation);

        Assert.Equal((GrantState.Reconnect, ReconnectReason.Uncertain), (await rig.RowAsync(id)).Standing());
        Assert.Equal(1, rig.Authority.TokenRequests);
    }

    [Fact]
    public async Task LostAnswer_OfAServerWithGrace_IsTriedOnceMoreWithTheSameToken()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (id, family) = await rig.GrantAsync(Rig.Grace);
        rig.Clock.Advance(PastExpiry);
        rig.Authority.Script(Fault.LostAnswer);
        (await rig.PumpAsync(rig.One.LeaseAsync(Rig.Grace))).Refused(RefusalKind.AuthorizationServerUnavailable);

        rig.Clock.Advance(PastSending);
        var lease = (await rig.One.LeaseAsync(Rig.Grace)).Value();

        Assert.Equal((2, 2, 0), (lease.Generation, rig.Authority.TokenRequests, rig.Authority.Reuses));
        Assert.Equal(0, (await rig.RowAsync(id)).RenewalTakeovers);
        await using var run = await rig.One.RunAsync(Rig.Grace, await rig.One.SignInAsync());
        Assert.Equal(family.Access, (await run.CurrentAsync(Rig.Cancellation)).Value().Token());
    }

    [Fact]
    public async Task LostAnswer_OfAServerWithGraceTwice_EndsInsteadOfLooping()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        await rig.GrantAsync(Rig.Grace);
        rig.Clock.Advance(PastExpiry);
        rig.Authority.Script(Fault.LostAnswer, Fault.LostAnswer);
        for (var i = 0; i < 2; i++)
        {
            (await rig.PumpAsync(rig.One.LeaseAsync(Rig.Grace))).Refused(RefusalKind.AuthorizationServerUnavailable);
            rig.Clock.Advance(PastSending);
        }

        var lease = await rig.One.LeaseAsync(Rig.Grace);

        Assert.Equal(ReconnectReason.Uncertain, lease.Refused(RefusalKind.ReconnectRequired).Reconnect);
        Assert.Equal((2, 0), (rig.Authority.TokenRequests, rig.Authority.Reuses));
    }

    [Fact]
    public async Task FailureAfterATakeOver_OfAServerWithGrace_DoesNotSendTheTokenAThirdTime()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        await rig.GrantAsync(Rig.Grace);
        rig.Clock.Advance(PastExpiry);
        rig.Authority.Script(Fault.LostAnswer, Fault.ServerError);
        for (var i = 0; i < 2; i++)
        {
            (await rig.PumpAsync(rig.One.LeaseAsync(Rig.Grace))).Refused(RefusalKind.AuthorizationServerUnavailable);
            rig.Clock.Advance(PastSending);
        }

        (await rig.One.LeaseAsync(Rig.Grace)).Refused(RefusalKind.ReconnectRequired);
        Assert.Equal(2, rig.Authority.TokenRequests);
    }

    [Fact]
    public async Task LostAnswer_WhereNothingRotates_IsAFailureLikeAnyOther()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (id, _) = await rig.GrantAsync(Rig.Steady);
        rig.Clock.Advance(PastExpiry);
        rig.Authority.Script(Fault.LostAnswer);
        (await rig.One.LeaseAsync(Rig.Steady)).Refused(RefusalKind.AuthorizationServerUnavailable);

        rig.Clock.Advance(TimeSpan.FromSeconds(3));

        Assert.Equal(2, (await rig.One.LeaseAsync(Rig.Steady)).Value().Generation);
        Assert.Equal(RenewalState.Idle, (await rig.RowAsync(id)).Renewal);
    }

    [Fact]
    public async Task CrashWhileSending_WhereNothingRotates_IsTakenOverEachTime()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (id, _) = await rig.GrantAsync(Rig.Steady);
        rig.Clock.Advance(PastExpiry);
        for (var crash = 0; crash < 3; crash++)
        {
            // What a node that died while sending leaves behind, after take-overs that died too.
            await rig.SqlAsync("UPDATE grants SET renewal_state = 2, renewal_takeovers = @crash, renewal_deadline = @now, access_expires_at = @now WHERE id = @id",
                new { crash, now = rig.Now.ToUnixTimeMilliseconds(), id = id.ToString() });

            Assert.Equal(crash + 2, (await rig.One.LeaseAsync(Rig.Steady)).Value().Generation);
        }
    }

    public static TheoryData<string> Failures() => ["500", "html", "html-400", "429", "invalid_client"];

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task Failure_OfAnyKind_BacksOffAndNeverEndsTheGrant(string kind)
    {
        var fault = kind switch
        {
            "500" => Fault.ServerError,
            "html" => Fault.Html,
            "html-400" => Fault.RejectedHtml,
            "429" => new Fault(429, "{}") { RetryAfter = 90 },
            _ => Fault.InvalidClient,
        };
        await using var rig = await Rig.StartAsync(NotLong);
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        rig.Clock.Advance(PastExpiry);
        for (var failure = 1; failure <= 5; failure++)
        {
            rig.Authority.Script(fault);
            var refused = (await rig.One.LeaseAsync(Rig.Lake)).Refused(RefusalKind.AuthorizationServerUnavailable);
            (await rig.One.LeaseAsync(Rig.Lake)).Refused(RefusalKind.AuthorizationServerUnavailable);

            // The second was answered from the backoff.
            Assert.Equal(failure, rig.Authority.TokenRequests);
            Assert.Equal((GrantState.Active, failure), ((await rig.RowAsync(id)).State, (await rig.RowAsync(id)).RenewalAttempts));
            if (kind == "429")
                Assert.InRange(refused.RetryAfter!.Value.TotalSeconds, 89, 90);
            rig.Clock.Advance(TimeSpan.FromSeconds(91));
        }

        Assert.Equal(2, (await rig.One.LeaseAsync(Rig.Lake)).Value().Generation);
        Assert.Equal((0, 0), ((await rig.RowAsync(id)).RenewalAttempts, rig.Authority.Reuses));
        Assert.Empty(rig.One.Events.Of(EventKind.GrantEnded));
    }

    [Fact]
    public async Task InvalidGrant_EndsTheGrantAndSaysSo()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        rig.Clock.Advance(PastExpiry);
        rig.Authority.Script(new Fault(400, """{"error":"invalid_grant"}"""));

        var refused = (await rig.One.LeaseAsync(Rig.Lake)).Refused(RefusalKind.ReconnectRequired);

        Assert.Equal((ReconnectReason.Expired, Rig.Lake), (refused.Reconnect, refused.Connection));
        Assert.Equal((GrantState.Reconnect, ReconnectReason.Expired), (await rig.RowAsync(id)).Standing());
        Assert.Equal("invalid_grant", Assert.Single(rig.One.Events.Of(EventKind.GrantEnded)).Code);
    }

    [Fact]
    public async Task TokensThatEndAsTheyAreIssued_AreNotRenewedForEver()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        await rig.GrantAsync(Rig.Lake);
        rig.Clock.Advance(PastExpiry);
        rig.Authority.ExpiresIn = 0;

        (await rig.One.LeaseAsync(Rig.Lake)).Refused(RefusalKind.AuthorizationServerUnavailable);

        Assert.Equal(3, rig.Authority.TokenRequests);
    }

    [Fact]
    public async Task MovedRefreshToken_IsRefusedWithAnEventAndSentNowhere()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (mine, _) = await rig.GrantAsync(Rig.Lake);
        var (other, _) = await rig.GrantAsync(Rig.Lake, Rig.Ben);
        await rig.SqlAsync("UPDATE grants SET refresh_sealed = (SELECT refresh_sealed FROM grants WHERE id = @other) WHERE id = @mine",
            new { other = other.ToString(), mine = mine.ToString() });
        rig.Clock.Advance(PastExpiry);

        var refused = (await rig.One.LeaseAsync(Rig.Lake)).Refused(RefusalKind.ReconnectRequired);

        Assert.Equal(ReconnectReason.Changed, refused.Reconnect);
        Assert.Equal(0, rig.Authority.TokenRequests);
        Assert.Equal((mine, "vault-refused"), (Assert.Single(rig.One.Events.Of(EventKind.RecordRefused)).Grant, rig.One.Events.Of(EventKind.RecordRefused)[0].Code));
    }

    [Fact]
    public async Task StoreThatFailsAfterTheAnswer_IsAskedUntilItKeepsThePair()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (id, family) = await rig.GrantAsync(Rig.Lake);
        rig.Clock.Advance(PastExpiry);
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var hold = new TaskCompletionSource();
        rig.Authority.Script(new Fault { Reached = reached, Hold = hold.Task });
        var leasing = rig.One.LeaseAsync(Rig.Lake);
        await reached.Task;
        await rig.SqlAsync("CREATE TRIGGER no_space BEFORE UPDATE OF access_sealed ON grants BEGIN SELECT RAISE(FAIL, 'no space'); END");
        hold.SetResult();
        await rig.UntilAsync(() => Task.FromResult(rig.Now.Second % 2 == 1));
        Assert.False(leasing.IsCompleted);

        await rig.SqlAsync("DROP TRIGGER no_space");

        Assert.Equal(2, (await rig.PumpAsync(leasing)).Value().Generation);
        Assert.Equal((1, 0), (family.Redemptions, rig.Authority.Reuses));
        Assert.Equal((GrantState.Active, ReconnectReason.None), (await rig.RowAsync(id)).Standing());
    }

    [Fact]
    public async Task LateAnswer_OfAnUncertainGrant_IsRevokedWhenItsAccessTokenEndedAndNotBefore()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (id, family) = await rig.GrantAsync(Rig.Lake);
        rig.Clock.Advance(TimeSpan.FromMinutes(55));
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var hold = new TaskCompletionSource();
        rig.Authority.Script(new Fault { Reached = reached, Hold = hold.Task });
        var renewing = rig.One.Get<Renewer>().EnsureAsync(Rig.Acme, id, RenewalNeed.InTime, Rig.Cancellation);
        await reached.Task;
        // Another node finds the sending past its deadline.
        await rig.SqlAsync("UPDATE grants SET renewal_deadline = 0 WHERE id = @id", new { id = id.ToString() });
        await rig.AddNode("two").Get<Renewer>().EnsureAsync(Rig.Acme, id, RenewalNeed.InTime, Rig.Cancellation);
        hold.SetResult();

        Assert.Equal(1, (await rig.PumpAsync(renewing)).Value().Generation);
        Assert.Equal((GrantState.Active, ReconnectReason.Uncertain), (await rig.RowAsync(id)).Standing());
        Assert.Equal("late-answer", Assert.Single(rig.One.Events.Of(EventKind.RenewalAbandoned)).Code);
        // To revoke one token of the family ends all of it, and with it the access token that still serves.
        await rig.One.Get<Revoker>().TellAsync(Rig.Cancellation);
        Assert.Empty(rig.Authority.Revoked);
        rig.Clock.Advance(TimeSpan.FromMinutes(6));
        await rig.One.Get<Revoker>().TellAsync(Rig.Cancellation);
        Assert.Equal([family.Refresh, family.Access], rig.Authority.Revoked);
    }

    [Theory]
    [InlineData("grace", 0)]
    [InlineData("service", 1)]
    public async Task LateAnswer_AfterAnotherNodeRenewed_IsRevokedWhereThatEndsNoFamily(string connection, int revoked)
    {
        await using var rig = await Rig.StartAsync(NotLong);
        var (id, _) = await rig.GrantAsync(ConnectionId.Parse(connection), connection == "service" ? new Subject(SubjectKey.Service(Rig.Acme), Rig.Ana.Attributes) : null);
        rig.Clock.Advance(TimeSpan.FromMinutes(61));
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var hold = new TaskCompletionSource();
        rig.Authority.Script(new Fault { Reached = reached, Hold = hold.Task });
        var renewing = rig.One.Get<Renewer>().EnsureAsync(Rig.Acme, id, RenewalNeed.ToUse, Rig.Cancellation);
        await reached.Task;
        await rig.SqlAsync("UPDATE grants SET renewal_deadline = 0 WHERE id = @id", new { id = id.ToString() });
        (await rig.AddNode("two").Get<Renewer>().EnsureAsync(Rig.Acme, id, RenewalNeed.ToUse, Rig.Cancellation)).Value();
        hold.SetResult();
        (await rig.PumpAsync(renewing)).Value();

        await rig.One.Get<Revoker>().TellAsync(Rig.Cancellation);

        Assert.Equal("late-answer", Assert.Single(rig.One.Events.Of(EventKind.RenewalAbandoned)).Code);
        Assert.Equal((GrantState.Active, 2), ((await rig.RowAsync(id)).State, (await rig.RowAsync(id)).Generation));
        Assert.Equal(revoked, rig.Authority.Revoked.Count);
    }
}

internal static class RowExpectations
{
    public static (GrantState, ReconnectReason) Standing(this Postern.Store.GrantRow row) => (row.State, row.Reason);
}
