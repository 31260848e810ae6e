using Postern.Model;

namespace Postern.Store.Tests;

public abstract class QueryRunTests<TDatabase> : StoreSuite<TDatabase> where TDatabase : ITestDatabase
{
    [Fact]
    public async Task Start_WhileEverythingStands_WritesTheRunAndFinishEndsIt()
    {
        await using var fixture = await StartAsync();
        var grant = await ReadyAsync(fixture);
        var run = Given.Run(fixture, grant) with { Workbook = WorkbookId.Parse("sales"), Query = "by_state" };

        await fixture.Store.MustAsync([QueryRunChanges.Start(run), GrantChanges.TouchUsed(Given.Tenant, grant.Id)], EventKind.QueryStarted);

        var open = Assert.Single(await fixture.Store.QueryRuns.OpenByGrantAsync(Given.Tenant, grant.Id, Cancellation));
        Assert.Equal(run with { GrantMac = null }, open.Run);
        Assert.Equal(fixture.Now, open.StartedAt);
        var finish = QueryRunChanges.Finish(Given.Tenant, run.Id, "finished", 7, 512, "statement-1");
        await fixture.Store.MustAsync([finish], EventKind.QueryFinished);
        var ended = await fixture.Store.QueryRuns.FindAsync(Given.Tenant, run.Id, Cancellation);
        Assert.Equal(("finished", 7L, 512L, "statement-1"), (ended!.Outcome, ended.Rows, ended.Bytes, ended.StatementId));
        Assert.Empty(await fixture.Store.QueryRuns.OpenByGrantAsync(Given.Tenant, grant.Id, Cancellation));
        await fixture.Store.RefuseAsync("query-finish", [finish]);
    }

    [Fact]
    public async Task Start_AfterRevocation_IsRefused()
    {
        await using var fixture = await StartAsync();
        var grant = await ReadyAsync(fixture);
        await fixture.Store.MustAsync([GrantChanges.Revoke(Given.Tenant, grant.Id)]);

        await AssertRefusedAsync(fixture, Given.Run(fixture, grant));
    }

    [Fact]
    public async Task Start_WithAnOlderGeneration_IsRefused()
    {
        await using var fixture = await StartAsync();
        var grant = await ReadyAsync(fixture);

        await AssertRefusedAsync(fixture, Given.Run(fixture, grant) with { Generation = 2 });
    }

    [Fact]
    public async Task Start_AfterTheGrantsAbsoluteEnd_IsRefused()
    {
        await using var fixture = await StartAsync();
        await Given.SessionAndConnectionAsync(fixture);
        var grant = Given.NewGrant(fixture) with { AbsoluteEndAt = fixture.Now.AddMinutes(10) };
        await fixture.Store.MustAsync([GrantChanges.InsertActive(grant)]);
        var row = await fixture.GrantAsync(grant.Id);
        fixture.Clock.Advance(TimeSpan.FromMinutes(10));

        await AssertRefusedAsync(fixture, Given.Run(fixture, row));
    }

    [Fact]
    public async Task Start_AfterSignOut_IsRefused()
    {
        await using var fixture = await StartAsync();
        var grant = await ReadyAsync(fixture);
        await fixture.Store.MustAsync([SessionChanges.End(Given.Tenant, Given.Session)]);

        await AssertRefusedAsync(fixture, Given.Run(fixture, grant));
    }

    [Fact]
    public async Task Start_InAnIdleSession_IsRefused()
    {
        await using var fixture = await StartAsync();
        var grant = await ReadyAsync(fixture);
        fixture.Clock.Advance(TimeSpan.FromHours(1));

        await AssertRefusedAsync(fixture, Given.Run(fixture, grant));
    }

    [Fact]
    public async Task Start_AfterTheConnectionChanged_IsRefused()
    {
        await using var fixture = await StartAsync();
        var grant = await ReadyAsync(fixture);
        await fixture.Store.MustAsync(
            DefinitionChanges.Put(Given.Tenant, DefinitionKind.Connection, Given.Connection.Value, 1, 2, "{}", [2]), EventKind.DefinitionChanged);

        await AssertRefusedAsync(fixture, Given.Run(fixture, grant));
        await fixture.Store.MustAsync([QueryRunChanges.Start(Given.Run(fixture, grant) with { DefinitionRevision = 2 })]);
    }

    [Fact]
    public async Task Start_PolicyChangedOrAddedSinceItWasJudged_IsRefused()
    {
        await using var fixture = await StartAsync();
        var grant = await ReadyAsync(fixture);
        var judged = Given.Run(fixture, grant) with { PolicyRevisions = 1 };
        await AssertRefusedAsync(fixture, judged);
        await fixture.Store.MustAsync(DefinitionChanges.Put(Given.Tenant, DefinitionKind.Policy, "states", 0, 1, "{}", [1]), EventKind.DefinitionChanged);
        await fixture.Store.MustAsync([QueryRunChanges.Start(judged)]);

        await fixture.Store.MustAsync(DefinitionChanges.Put(Given.Tenant, DefinitionKind.Policy, "states", 1, 2, "{ }", [1]), EventKind.DefinitionChanged);
        await AssertRefusedAsync(fixture, Given.Run(fixture, grant) with { PolicyRevisions = 1 });
        await fixture.Store.MustAsync(DefinitionChanges.Put(Given.Tenant, DefinitionKind.Policy, "more", 0, 1, "{}", [1]), EventKind.DefinitionChanged);
        await AssertRefusedAsync(fixture, Given.Run(fixture, grant) with { PolicyRevisions = 2 });
        await fixture.Store.MustAsync([QueryRunChanges.Start(Given.Run(fixture, grant) with { PolicyRevisions = 3 })]);
        await fixture.Store.MustAsync([QueryRunChanges.Start(Given.Run(fixture, grant))]);
    }

    [Fact]
    public async Task Start_GrantUnderAnotherMacThanTheCheckedOne_IsRefused()
    {
        await using var fixture = await StartAsync();
        var grant = await ReadyAsync(fixture);

        await AssertRefusedAsync(fixture, Given.Run(fixture, grant) with { GrantMac = [9] });
        await AssertRefusedAsync(fixture, Given.Run(fixture, grant) with { GrantMac = null });
    }

    [Fact]
    public async Task Start_WithAnotherPersonsGrantOrSession_IsRefused()
    {
        await using var fixture = await StartAsync();
        var anas = await ReadyAsync(fixture);
        var ben = Given.Ana with { Id = "ben" };
        var bens = await Given.ActiveGrantAsync(fixture, ben);

        await AssertRefusedAsync(fixture, Given.Run(fixture, anas) with { Grant = bens.Id });
        await AssertRefusedAsync(fixture, Given.Run(fixture, anas) with { Subject = ben });
        await AssertRefusedAsync(fixture, Given.Run(fixture, anas) with { Connection = ConnectionId.Parse("other") });
    }

    [Fact]
    public async Task Start_WithTheTenantsServiceGrant_IsAllowed()
    {
        await using var fixture = await StartAsync();
        await Given.SessionAndConnectionAsync(fixture);
        var service = await Given.ActiveGrantAsync(fixture, SubjectKey.Service(Given.Tenant));

        await fixture.Store.MustAsync([QueryRunChanges.Start(Given.Run(fixture, service))], EventKind.QueryStarted);
    }

    [Fact]
    public async Task OpenRuns_OfSilentRestartedOrGoneNodes_AreFound()
    {
        await using var fixture = await StartAsync();
        var grant = await ReadyAsync(fixture);
        var (boot, laterBoot) = (fixture.Chance.NewId(), fixture.Chance.NewId());
        var silentFor = TimeSpan.FromSeconds(30);
        await fixture.Store.MustAsync(NodeChanges.Join("one", boot), EventKind.NodeStarted);
        var run = Given.Run(fixture, grant) with { NodeBoot = boot };
        await fixture.Store.MustAsync([QueryRunChanges.Start(run)], EventKind.QueryStarted);
        Assert.Empty(await fixture.Store.QueryRuns.OpenOfDeadNodesAsync(silentFor, 10, Cancellation));

        fixture.Clock.Advance(TimeSpan.FromSeconds(31));
        Assert.Single(await fixture.Store.QueryRuns.OpenOfDeadNodesAsync(silentFor, 10, Cancellation));
        await fixture.Store.UpkeepAsync(NodeChanges.Heartbeat("one", boot), Cancellation);
        Assert.Empty(await fixture.Store.QueryRuns.OpenOfDeadNodesAsync(silentFor, 10, Cancellation));

        await fixture.Store.MustAsync(NodeChanges.Join("one", laterBoot), EventKind.NodeStarted);
        Assert.Single(await fixture.Store.QueryRuns.OpenOfDeadNodesAsync(silentFor, 10, Cancellation));
        await fixture.Store.MustAsync([NodeChanges.Leave("one", laterBoot)], EventKind.NodeStopped);
        Assert.Empty(await fixture.Store.Nodes.ListAsync(Cancellation));
        var lost = Assert.Single(await fixture.Store.QueryRuns.OpenOfDeadNodesAsync(silentFor, 10, Cancellation));

        await fixture.Store.MustAsync([QueryRunChanges.Finish(Given.Tenant, lost.Run.Id, "lost")], EventKind.QueryLost);
        Assert.Empty(await fixture.Store.QueryRuns.OpenOfDeadNodesAsync(silentFor, 10, Cancellation));
    }

    private static async Task<GrantRow> ReadyAsync(StoreFixture fixture)
    {
        await Given.SessionAndConnectionAsync(fixture);
        return await Given.ActiveGrantAsync(fixture);
    }

    // Refused, and neither the run nor its event was written.
    private static async Task AssertRefusedAsync(StoreFixture fixture, NewQueryRun run)
    {
        var result = await fixture.Store.CommitAsync([QueryRunChanges.Start(run)], Given.Event(EventKind.QueryStarted), null, Cancellation);

        Assert.Equal(CommitResult.RefusedBy("query-start"), result);
        Assert.Null(await fixture.Store.QueryRuns.FindAsync(Given.Tenant, run.Id, Cancellation));
        Assert.Equal(0, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM event_leaves WHERE kind = 501"));
    }
}

public sealed class QueryRunTestsOnSqlite : QueryRunTests<Sqlite>;

public sealed class QueryRunTestsOnPostgreSql : QueryRunTests<PostgreSql>;

public sealed class QueryRunTestsOnMariaDb : QueryRunTests<MariaDb>;
