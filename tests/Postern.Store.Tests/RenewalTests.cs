using Postern.Model;

namespace Postern.Store.Tests;

public abstract class RenewalTests<TDatabase> : StoreSuite<TDatabase> where TDatabase : ITestDatabase
{
    private static readonly TimeSpan ClaimFor = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan SendFor = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Claim_ByEightNodesAtOnce_HasOneWinner()
    {
        await using var fixture = await StartAsync(StoreTime.Database);
        var seen = await Given.ActiveGrantAsync(fixture);
        var nodes = Enumerable.Range(0, 8).Select(i => fixture.AddNode($"n{i}")).ToArray();

        var fences = await Task.WhenAll(nodes.Select((node, i) => Task.Run(() =>
            ((PosternStore)node.GetService(typeof(PosternStore))!).ClaimRenewalAsync(
                seen, $"n{i}", ClaimFor, Given.Event(EventKind.RenewalClaimed), Cancellation))));

        Assert.Equal(1L, Assert.Single(fences, f => f is not null));
        var row = await fixture.GrantAsync(seen.Id);
        Assert.Equal((RenewalState.Claimed, 1L), (row.Renewal, row.RenewalFence));
        Assert.Equal($"n{Array.FindIndex(fences, f => f is not null)}", row.RenewalNode);
        Assert.Equal(1, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM event_leaves WHERE kind = 300"));
    }

    [Fact]
    public async Task Renewal_StepByStep_StoresTheNextGeneration()
    {
        await using var fixture = await StartAsync();
        var seen = await Given.ActiveGrantAsync(fixture);
        var fence = await ClaimAsync(fixture, seen);
        await fixture.Store.MustAsync([RenewalChanges.MarkSending(Given.Tenant, seen.Id, fence, SendFor)]);
        var pair = Given.Pair(fixture.Now.AddHours(1), "2") with { Scopes = "sql" };

        await fixture.Store.MustAsync([RenewalChanges.StoreRenewed(Given.Tenant, seen.Id, fence, 2, pair, [2])]);

        var row = await fixture.GrantAsync(seen.Id);
        Assert.Equal((2, RenewalState.Idle, "sql", 0), (row.Generation, row.Renewal, row.Scopes, row.RenewalAttempts));
        Assert.Equal(pair.Access, row.AccessSealed);
        Assert.Equal(pair.Refresh, row.RefreshSealed);
        Assert.Equal(pair.AccessExpiresAt, row.AccessExpiresAt);
        Assert.Equal(pair.RenewalDueAt, row.RenewalDueAt);
        Assert.Null(row.RenewalNode);
    }

    [Fact]
    public async Task Claim_PastItsDeadline_IsTakenOverAndTheLateNodeIsRefused()
    {
        await using var fixture = await StartAsync();
        var seen = await Given.ActiveGrantAsync(fixture);
        var late = await ClaimAsync(fixture, seen);
        var claimed = await fixture.GrantAsync(seen.Id);
        await fixture.Store.RefuseAsync("renewal-claim", [RenewalChanges.Claim(claimed, "two", ClaimFor)]);

        fixture.Clock.Advance(ClaimFor);
        var taken = await ClaimAsync(fixture, claimed, "two");

        Assert.Equal(late + 1, taken);
        await fixture.Store.RefuseAsync("renewal-sending", [RenewalChanges.MarkSending(Given.Tenant, seen.Id, late, SendFor)]);
        await fixture.Store.RefuseAsync("renewal-abandon", [RenewalChanges.Abandon(Given.Tenant, seen.Id, late)]);
        await fixture.Store.MustAsync([RenewalChanges.MarkSending(Given.Tenant, seen.Id, taken, SendFor)]);
    }

    [Fact]
    public async Task MarkSending_PastTheClaimsDeadline_IsRefusedThoughNobodyTookOver()
    {
        await using var fixture = await StartAsync();
        var seen = await Given.ActiveGrantAsync(fixture);
        var fence = await ClaimAsync(fixture, seen);
        fixture.Clock.Advance(ClaimFor);

        await fixture.Store.RefuseAsync("renewal-sending", [RenewalChanges.MarkSending(Given.Tenant, seen.Id, fence, SendFor)]);
    }

    [Fact]
    public async Task Store_AfterRevocation_IsRefused()
    {
        await using var fixture = await StartAsync();
        var seen = await Given.ActiveGrantAsync(fixture);
        var fence = await SendAsync(fixture, seen);
        await fixture.Store.MustAsync([GrantChanges.Revoke(Given.Tenant, seen.Id)]);

        await fixture.Store.RefuseAsync("renewal-store",
            [RenewalChanges.StoreRenewed(Given.Tenant, seen.Id, fence, 2, Given.Pair(fixture.Now), [2])]);

        Assert.Null((await fixture.GrantAsync(seen.Id)).AccessSealed);
    }

    [Fact]
    public async Task Sending_PastItsDeadline_IsListedAndTakenOverOnceOnly()
    {
        await using var fixture = await StartAsync();
        var seen = await Given.ActiveGrantAsync(fixture);
        var late = await SendAsync(fixture, seen);
        Assert.Empty(await fixture.Store.Grants.ExpiredSendingAsync(10, Cancellation));
        fixture.Clock.Advance(SendFor);

        var uncertain = Assert.Single(await fixture.Store.Grants.ExpiredSendingAsync(10, Cancellation));
        await fixture.Store.RefuseAsync("renewal-claim", [RenewalChanges.Claim(uncertain, "two", ClaimFor)]);
        await fixture.Store.MustAsync([RenewalChanges.TakeOverUncertain(uncertain, "two", ClaimFor)]);
        await fixture.Store.RefuseAsync("renewal-store",
            [RenewalChanges.StoreRenewed(Given.Tenant, seen.Id, late, 2, Given.Pair(fixture.Now), [2])]);
        await fixture.Store.MustAsync([RenewalChanges.MarkSending(Given.Tenant, seen.Id, late + 1, SendFor)]);
        fixture.Clock.Advance(SendFor);

        var again = await fixture.GrantAsync(seen.Id);
        await fixture.Store.RefuseAsync("renewal-take-over", [RenewalChanges.TakeOverUncertain(again, "three", ClaimFor)]);
    }

    [Fact]
    public async Task Uncertain_WithoutGrace_StaysUsableUntilItsAccessTokenEnds()
    {
        await using var fixture = await StartAsync();
        var seen = await Given.ActiveGrantAsync(fixture);
        var fence = await SendAsync(fixture, seen);
        var mark = RenewalChanges.MarkUncertain(Given.Tenant, seen.Id, fence);
        await fixture.Store.RefuseAsync("renewal-uncertain", [mark]);
        fixture.Clock.Advance(SendFor);

        await fixture.Store.MustAsync([mark]);

        var row = await fixture.GrantAsync(seen.Id);
        Assert.Equal((GrantState.Active, ReconnectReason.Uncertain, RenewalState.Idle), (row.State, row.Reason, row.Renewal));
        await fixture.Store.RefuseAsync("renewal-store",
            [RenewalChanges.StoreRenewed(Given.Tenant, seen.Id, fence, 2, Given.Pair(fixture.Now), [2])]);
        await fixture.Store.RefuseAsync("renewal-claim", [RenewalChanges.Claim(row, "two", ClaimFor)]);
        Assert.Empty(await fixture.Store.Grants.EndedUncertainAsync(10, Cancellation));
        fixture.Clock.SetUtcNow(row.AccessExpiresAt!.Value);
        Assert.Equal(seen.Id, Assert.Single(await fixture.Store.Grants.EndedUncertainAsync(10, Cancellation)).Id);
    }

    [Fact]
    public async Task Uncertain_ToReconnect_FreesTheSlot()
    {
        await using var fixture = await StartAsync();
        var seen = await Given.ActiveGrantAsync(fixture);
        var fence = await SendAsync(fixture, seen);
        fixture.Clock.Advance(SendFor);

        await fixture.Store.MustAsync([RenewalChanges.MarkUncertainToReconnect(Given.Tenant, seen.Id, fence)]);

        Assert.Equal(GrantState.Reconnect, (await fixture.GrantAsync(seen.Id)).State);
        await Given.ActiveGrantAsync(fixture);
    }

    [Fact]
    public async Task Failed_WithNotBefore_KeepsEverybodyAwayUntilThen()
    {
        await using var fixture = await StartAsync();
        var seen = await Given.ActiveGrantAsync(fixture);
        var fence = await SendAsync(fixture, seen);
        await fixture.Store.MustAsync([RenewalChanges.Failed(Given.Tenant, seen.Id, fence, fixture.Now.AddSeconds(20), 1)]);
        var failed = await fixture.GrantAsync(seen.Id);
        Assert.Equal((RenewalState.Idle, 1), (failed.Renewal, failed.RenewalAttempts));

        await fixture.Store.RefuseAsync("renewal-claim", [RenewalChanges.Claim(failed, "two", ClaimFor)]);
        fixture.Clock.Advance(TimeSpan.FromSeconds(20));

        Assert.Equal(fence + 1, await ClaimAsync(fixture, failed, "two"));
    }

    [Fact]
    public async Task Abandon_BeforeSending_LetsTheNextClaimAtOnce()
    {
        await using var fixture = await StartAsync();
        var seen = await Given.ActiveGrantAsync(fixture);
        var fence = await ClaimAsync(fixture, seen);
        await fixture.Store.MustAsync([RenewalChanges.Abandon(Given.Tenant, seen.Id, fence)]);

        Assert.Equal(fence + 1, await ClaimAsync(fixture, await fixture.GrantAsync(seen.Id), "two"));
    }

    [Fact]
    public async Task Claim_OfAGrantReadBeforeAnotherClaim_IsRefusedThoughItIsIdleAgain()
    {
        await using var fixture = await StartAsync();
        var seen = await Given.ActiveGrantAsync(fixture);
        var fence = await ClaimAsync(fixture, seen);
        await fixture.Store.MustAsync([RenewalChanges.Abandon(Given.Tenant, seen.Id, fence)]);

        // Otherwise the late reader would take seen.RenewalFence + 1 for its fence, which was another's.
        Assert.Null(await fixture.Store.ClaimRenewalAsync(seen, "two", ClaimFor, Given.Event(EventKind.RenewalClaimed), Cancellation));
    }

    [Fact]
    public async Task End_ByTheClaimThatLearnedIt_AsksToReconnect()
    {
        await using var fixture = await StartAsync();
        var seen = await Given.ActiveGrantAsync(fixture);
        var fence = await SendAsync(fixture, seen);

        await fixture.Store.RefuseAsync("renewal-end", [RenewalChanges.End(Given.Tenant, seen.Id, fence - 1, ReconnectReason.Expired)]);
        await fixture.Store.MustAsync([RenewalChanges.End(Given.Tenant, seen.Id, fence, ReconnectReason.Expired)]);

        var row = await fixture.GrantAsync(seen.Id);
        Assert.Equal((GrantState.Reconnect, ReconnectReason.Expired), (row.State, row.Reason));
    }

    [Fact]
    public async Task Due_ForBackground_OnlyWhileTheGrantIsUsed()
    {
        await using var fixture = await StartAsync();
        var seen = await Given.ActiveGrantAsync(fixture);
        var usedWithin = TimeSpan.FromHours(1);
        Assert.Empty(await fixture.Store.Grants.DueForRenewalAsync(usedWithin, null, 10, Cancellation));

        fixture.Clock.SetUtcNow(seen.RenewalDueAt!.Value);
        Assert.Equal(seen.Id, Assert.Single(await fixture.Store.Grants.DueForRenewalAsync(usedWithin, null, 10, Cancellation)).Id);
        fixture.Clock.Advance(TimeSpan.FromMinutes(30));
        Assert.Empty(await fixture.Store.Grants.DueForRenewalAsync(usedWithin, null, 10, Cancellation));

        Assert.True((await fixture.Store.UpkeepAsync(GrantChanges.TouchUsed(Given.Tenant, seen.Id), Cancellation)).Committed);
        Assert.Single(await fixture.Store.Grants.DueForRenewalAsync(usedWithin, null, 10, Cancellation));
    }

    private static async Task<long> ClaimAsync(StoreFixture fixture, GrantRow seen, string node = "one")
    {
        var fence = await fixture.Store.ClaimRenewalAsync(seen, node, ClaimFor, Given.Event(EventKind.RenewalClaimed), Cancellation);
        Assert.NotNull(fence);
        return fence.Value;
    }

    private static async Task<long> SendAsync(StoreFixture fixture, GrantRow seen)
    {
        var fence = await ClaimAsync(fixture, seen);
        await fixture.Store.MustAsync([RenewalChanges.MarkSending(Given.Tenant, seen.Id, fence, SendFor)], EventKind.RenewalSending);
        return fence;
    }
}

public sealed class RenewalTestsOnSqlite : RenewalTests<Sqlite>;

public sealed class RenewalTestsOnPostgreSql : RenewalTests<PostgreSql>;

public sealed class RenewalTestsOnMariaDb : RenewalTests<MariaDb>;
