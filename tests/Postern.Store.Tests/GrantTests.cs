using Postern.Model;

namespace Postern.Store.Tests;

public abstract class GrantTests<TDatabase> : StoreSuite<TDatabase> where TDatabase : ITestDatabase
{
    [Fact]
    public async Task Insert_Unconfirmed_RoundTripsEveryColumn()
    {
        await using var fixture = await StartAsync();
        var grant = Given.NewGrant(fixture);
        await fixture.Store.MustAsync([GrantChanges.InsertUnconfirmed(grant, Given.Confirmation, TimeSpan.FromMinutes(5))]);

        var row = await fixture.GrantAsync(grant.Id);

        Assert.Equal(Given.Ana, row.Subject);
        Assert.Equal(Given.Connection, row.Connection);
        Assert.Equal(Given.Session, row.Session);
        Assert.Equal(GrantState.Unconfirmed, row.State);
        Assert.Equal(ReconnectReason.None, row.Reason);
        Assert.Equal(1, row.Generation);
        Assert.Equal(grant.Pair.Access, row.AccessSealed);
        Assert.Equal(grant.Pair.Refresh, row.RefreshSealed);
        Assert.Equal(grant.Pair.AccessExpiresAt, row.AccessExpiresAt);
        Assert.Equal(grant.Pair.RefreshExpiresAt, row.RefreshExpiresAt);
        Assert.Equal(grant.Pair.RenewalDueAt, row.RenewalDueAt);
        Assert.Equal(grant.AbsoluteEndAt, row.AbsoluteEndAt);
        Assert.Equal(grant.Scopes, row.Scopes);
        Assert.Equal(grant.Principal, row.Principal);
        Assert.Equal(grant.ConnectionDigest, row.ConnectionDigest);
        Assert.Equal(1, row.DefinitionRevision);
        Assert.Equal(fixture.Now.AddMinutes(5), row.ConfirmBefore);
        Assert.Equal(fixture.Now, row.CreatedAt);
        Assert.Null(row.ConfirmedAt);
        Assert.Null(await fixture.Store.Grants.FindActiveAsync(Given.Ana, Given.Connection, Cancellation));
    }

    [Fact]
    public async Task Find_OfAnotherTenant_IsNull()
    {
        await using var fixture = await StartAsync();
        var grant = await Given.ActiveGrantAsync(fixture);

        Assert.Null(await fixture.Store.Grants.FindAsync(TenantId.Parse("other"), grant.Id, Cancellation));
    }

    [Fact]
    public async Task Confirm_ByTheAskingSession_IsActiveOnce()
    {
        await using var fixture = await StartAsync();
        var grant = Given.NewGrant(fixture);
        await fixture.Store.MustAsync([GrantChanges.InsertUnconfirmed(grant, Given.Confirmation, TimeSpan.FromMinutes(5))]);
        var confirm = GrantChanges.Confirm(Given.Tenant, grant.Id, Given.Session, Given.Confirmation, [2]);

        await fixture.Store.MustAsync([confirm]);

        Assert.Equal(grant.Id, (await fixture.Store.Grants.FindActiveAsync(Given.Ana, Given.Connection, Cancellation))?.Id);
        await fixture.Store.RefuseAsync("grant-confirm", [confirm]);
    }

    [Fact]
    public async Task Confirm_ByAnotherSessionOrSecretOrTooLate_IsRefused()
    {
        await using var fixture = await StartAsync();
        var grant = Given.NewGrant(fixture);
        await fixture.Store.MustAsync([GrantChanges.InsertUnconfirmed(grant, Given.Confirmation, TimeSpan.FromMinutes(5))]);

        await fixture.Store.RefuseAsync("grant-confirm",
            [GrantChanges.Confirm(Given.Tenant, grant.Id, SecretHash.Of("mallory's session"), Given.Confirmation, [2])]);
        await fixture.Store.RefuseAsync("grant-confirm",
            [GrantChanges.Confirm(Given.Tenant, grant.Id, Given.Session, SecretHash.Of("a guess"), [2])]);
        await fixture.Store.RefuseAsync("grant-abandon", [GrantChanges.Abandon(Given.Tenant, grant.Id)]);
        fixture.Clock.Advance(TimeSpan.FromMinutes(5));
        await fixture.Store.RefuseAsync("grant-confirm",
            [GrantChanges.Confirm(Given.Tenant, grant.Id, Given.Session, Given.Confirmation, [2])]);

        var late = Assert.Single(await fixture.Store.Grants.UnconfirmedPastDeadlineAsync(10, Cancellation));
        await fixture.Store.MustAsync([GrantChanges.Abandon(Given.Tenant, late.Id)]);
        Assert.Equal(GrantState.Revoked, (await fixture.GrantAsync(grant.Id)).State);
    }

    [Fact]
    public async Task Confirm_WhileAnotherIsActive_NeedsToReplaceIt()
    {
        await using var fixture = await StartAsync();
        var old = await Given.ActiveGrantAsync(fixture);
        var grant = Given.NewGrant(fixture);
        await fixture.Store.MustAsync([GrantChanges.InsertUnconfirmed(grant, Given.Confirmation, TimeSpan.FromMinutes(5))]);
        var confirm = GrantChanges.Confirm(Given.Tenant, grant.Id, Given.Session, Given.Confirmation, [2]);

        await fixture.Store.RefuseAsync("grant-confirm", [confirm]);
        await fixture.Store.MustAsync([GrantChanges.Replace(Given.Tenant, old.Id), confirm]);

        Assert.Equal(GrantState.Revoked, (await fixture.GrantAsync(old.Id)).State);
        Assert.Equal(grant.Id, (await fixture.Store.Grants.FindActiveAsync(Given.Ana, Given.Connection, Cancellation))?.Id);
    }

    [Fact]
    public async Task Revoke_WithOutbox_MovesTheSealedPairThere()
    {
        await using var fixture = await StartAsync();
        var grant = await Given.ActiveGrantAsync(fixture);
        var outbox = fixture.Chance.NewId();

        await fixture.Store.MustAsync(
            [RevocationChanges.EnqueueFromGrant(outbox, Given.Tenant, grant.Id), GrantChanges.Revoke(Given.Tenant, grant.Id)]);

        var row = await fixture.GrantAsync(grant.Id);
        Assert.Equal(GrantState.Revoked, row.State);
        Assert.Equal(ReconnectReason.Revoked, row.Reason);
        Assert.Equal(fixture.Now, row.RevokedAt);
        Assert.Null(row.AccessSealed);
        Assert.Null(row.RefreshSealed);
        var due = Assert.Single(await fixture.Store.Revocations.DueAsync(10, Cancellation));
        Assert.Equal((outbox, grant.Id, 1), (due.Id, due.Grant, due.Generation));
        Assert.Equal(grant.RefreshSealed, due.RefreshSealed);
        Assert.Equal(grant.AccessSealed, due.AccessSealed);
        Assert.Equal(grant.AccessExpiresAt, due.AccessLivesUntil);
        await fixture.Store.RefuseAsync("grant-revoke", [GrantChanges.Revoke(Given.Tenant, grant.Id)]);
    }

    [Fact]
    public async Task FindLatest_AfterTheGrantEnded_SaysWhy()
    {
        await using var fixture = await StartAsync();
        var grant = await Given.ActiveGrantAsync(fixture);
        await fixture.Store.MustAsync([GrantChanges.EndToReconnect(Given.Tenant, grant.Id, 1, ReconnectReason.Changed)]);

        var latest = await fixture.Store.Grants.FindLatestAsync(Given.Ana, Given.Connection, Cancellation);

        Assert.Equal((GrantState.Reconnect, ReconnectReason.Changed), (latest?.State, latest?.Reason));
        await Given.ActiveGrantAsync(fixture);
        latest = await fixture.Store.Grants.FindLatestAsync(Given.Ana, Given.Connection, Cancellation);
        Assert.Equal(GrantState.Active, latest?.State);
    }

    [Fact]
    public async Task List_ByFilter_FindsWhatItNames()
    {
        await using var fixture = await StartAsync();
        var ben = Given.Ana with { Id = "ben" };
        var anas = await Given.ActiveGrantAsync(fixture);
        var bens = await Given.ActiveGrantAsync(fixture, ben);
        await fixture.Store.MustAsync([GrantChanges.Revoke(Given.Tenant, bens.Id)]);

        Assert.Equal(2, (await fixture.Store.Grants.ListAsync(Given.Tenant, new(), Cancellation)).Count);
        var active = await fixture.Store.Grants.ListAsync(Given.Tenant, new() { State = GrantState.Active }, Cancellation);
        Assert.Equal(anas.Id, Assert.Single(active).Id);
        var byPerson = await fixture.Store.Grants.ListAsync(Given.Tenant, new() { SubjectId = "ben", Connection = Given.Connection }, Cancellation);
        Assert.Equal(bens.Id, Assert.Single(byPerson).Id);
        Assert.Empty(await fixture.Store.Grants.ListOfAsync(ben, withRevoked: false, Cancellation));
        Assert.Single(await fixture.Store.Grants.ListOfAsync(ben, withRevoked: true, Cancellation));
        Assert.Empty(await fixture.Store.Grants.ListAsync(TenantId.Parse("other"), new(), Cancellation));
    }
}

public sealed class GrantTestsOnSqlite : GrantTests<Sqlite>;

public sealed class GrantTestsOnPostgreSql : GrantTests<PostgreSql>;

public sealed class GrantTestsOnMariaDb : GrantTests<MariaDb>;
