using Postern.Model;

namespace Postern.Store.Tests;

/// <summary>Tenant keys and what is under them, in the words of each database.</summary>
public abstract class KeyTests<TDatabase> : StoreSuite<TDatabase> where TDatabase : ITestDatabase
{
    private static readonly Guid Old = Guid.Parse("11111111-1111-4111-8111-111111111111");
    private static readonly Guid New = Guid.Parse("22222222-2222-4222-8222-222222222222");

    [Fact]
    public async Task AddVersion_ByManyAtOnce_HasOneWinner()
    {
        await using var fixture = await StartAsync();
        var first = await FirstAsync(fixture);

        var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => fixture.Store.CommitAsync(
            KeyChanges.AddVersion(first, Key(fixture.Chance.NewId(), [(byte)i])), Given.Event(EventKind.TenantKeyRotated), null, Cancellation)));

        Assert.Single(results, result => result.Committed);
        var keys = await fixture.Store.Keys.OfAsync(Given.Tenant, Cancellation);
        Assert.Equal((2, 1, Old), (keys.Count, keys.Count(key => key.Active), keys[1].Version));
    }

    [Fact]
    public async Task EndRotation_IsOfItsTenantsAlone()
    {
        await using var fixture = await StartAsync();
        var first = await FirstAsync(fixture);
        var other = Key(Old, [2]) with { Tenant = TenantId.Parse("globex"), Rotating = true };
        await fixture.Store.MustAsync([KeyChanges.AddFirst(other)], EventKind.TenantKeyCreated);
        await fixture.Store.MustAsync(KeyChanges.AddVersion(first, Key(New, [1]) with { Rotating = true }), EventKind.TenantKeyRotated);

        Assert.True((await fixture.Store.UpkeepAsync(KeyChanges.EndRotation([Given.Tenant, TenantId.Parse("initech")]), Cancellation)).Committed);

        Assert.Equal([other.Tenant], (await fixture.Store.Keys.AllAsync(Cancellation)).Where(key => key.Rotating).Select(key => key.Tenant));
    }

    [Fact]
    public async Task Rewrap_OfBytesThatChanged_IsRefused()
    {
        await using var fixture = await StartAsync();
        var first = await FirstAsync(fixture);
        await fixture.Store.MustAsync([KeyChanges.Rewrap(first, first with { RootKeyId = "root-2", Wrapped = [9] })], EventKind.TenantKeyRewrapped);

        await fixture.Store.RefuseAsync("key-rewrap", [KeyChanges.Rewrap(first, first with { RootKeyId = "root-3", Wrapped = [8] })]);
        await fixture.Store.RefuseAsync("key-supersede", KeyChanges.AddVersion(first, Key(New, [7])));
        Assert.Equal("root-2", Assert.Single(await fixture.Store.Keys.AllAsync(Cancellation)).RootKeyId);
    }

    [Fact]
    public async Task Destroy_LeavesThePlaceTakenAndNoBytes()
    {
        await using var fixture = await StartAsync();
        await FirstAsync(fixture);

        await fixture.Store.MustAsync([KeyChanges.Destroy(Given.Tenant)], EventKind.TenantShredded);

        Assert.True(await fixture.Store.Keys.IsShreddedAsync(Given.Tenant, Cancellation));
        var left = Assert.Single(await fixture.Store.Keys.OfAsync(Given.Tenant, Cancellation));
        Assert.Equal((true, false, 0), (left.IsDestroyed, left.Active, left.Wrapped.Length));
        await fixture.Store.RefuseAsync("key-add-first", [KeyChanges.AddFirst(Key(New, [7]))]);
        await fixture.Store.RefuseAsync("key-supersede", KeyChanges.AddVersion(Key(Old, [1]), Key(New, [7])));
        await fixture.Store.RefuseAsync("key-bury", [KeyChanges.Bury(Given.Tenant, New)]);
    }

    [Fact]
    public async Task Bury_TakesThePlaceOfAFirstKey()
    {
        await using var fixture = await StartAsync();

        await fixture.Store.MustAsync([KeyChanges.Bury(Given.Tenant, New)], EventKind.TenantShredded);

        Assert.True(await fixture.Store.Keys.IsShreddedAsync(Given.Tenant, Cancellation));
        await fixture.Store.RefuseAsync("key-add-first", [KeyChanges.AddFirst(Key(Old, [7]))]);
    }

    [Fact]
    public async Task Grants_NotUnderAVersion_AreFoundByTheHeaderOfAnyColumn()
    {
        await using var fixture = await StartAsync();
        var (both, mac, moved) = (await GrantAsync(fixture, "ana", Old, Old), await GrantAsync(fixture, "ben", New, Old), await GrantAsync(fixture, "chloe", New, New));

        var found = await fixture.Store.SealedRows.GrantsAsync(Given.Tenant, New, null, 10, Cancellation);

        Assert.Equal(new[] { both.Id, mac.Id }.ToHashSet(), found.Select(row => row.Id).ToHashSet());
        Assert.Equal(2, await fixture.Store.SealedRows.CountNotUnderAsync(Given.Tenant, New, Cancellation));
        Assert.Equal(3, (await fixture.Store.SealedRows.GrantsAsync(Given.Tenant, null, null, 10, Cancellation)).Count);
        var pages = new List<GrantId>();
        while (await fixture.Store.SealedRows.GrantsAsync(Given.Tenant, null, pages.Count == 0 ? null : pages[^1], 1, Cancellation) is [var next])
            pages.Add(next.Id);
        Assert.Equal(3, pages.Distinct().Count());
        Assert.Contains(moved.Id, pages);
    }

    [Fact]
    public async Task Reseal_OfAGrantThatChangedSinceItWasRead_IsRefused()
    {
        await using var fixture = await StartAsync();
        var seen = await GrantAsync(fixture, "ana", Old, Old);
        var moved = ResealChanges.Grant(seen, Sealed(New), Sealed(New), Sealed(New));
        Assert.True((await fixture.Store.UpkeepAsync(moved, Cancellation)).Committed);

        Assert.False((await fixture.Store.UpkeepAsync(ResealChanges.Grant(seen, Sealed(Old), null, Sealed(Old)), Cancellation)).Committed);
        Assert.Equal(Sealed(New), (await fixture.GrantAsync(seen.Id)).AccessSealed);
        // A column that was erased meanwhile is not written again.
        var now = await fixture.GrantAsync(seen.Id);
        await fixture.Store.MustAsync([GrantChanges.Revoke(Given.Tenant, seen.Id)]);
        Assert.False((await fixture.Store.UpkeepAsync(ResealChanges.Grant(now, Sealed(New), Sealed(New), Sealed(New)), Cancellation)).Committed);
        Assert.Null((await fixture.GrantAsync(seen.Id)).AccessSealed);
    }

    [Fact]
    public async Task Retire_WhileAnythingThatCountsIsUnderTheVersion_IsRefused()
    {
        await using var fixture = await StartAsync();
        var first = await FirstAsync(fixture);
        await fixture.Store.RefuseAsync("key-retire", [KeyChanges.Retire(first)]);
        await fixture.Store.MustAsync(KeyChanges.AddVersion(first, Key(New, [7])), EventKind.TenantKeyRotated);
        var seen = await GrantAsync(fixture, "ana", New, Old);
        await fixture.Store.MustAsync([SessionChanges.Create(Given.NewSession(fixture) with { Mac = Sealed(Old) })], EventKind.SignedIn);
        await fixture.Store.MustAsync([ConnectChanges.Begin(Given.NewConnect(fixture, "handle") with { Mac = Sealed(Old) })], EventKind.ConnectBegun);

        await fixture.Store.RefuseAsync("key-retire", [KeyChanges.Retire(first)]);
        Assert.Equal(
            ["grants", "pending_connects passing", "sessions"],
            (await fixture.Store.SealedRows.UsesOfAsync(Given.Tenant, Old, Cancellation)).Select(use => use.Table + (use.Passing ? " passing" : "")).Order(StringComparer.Ordinal));
        Assert.True((await fixture.Store.UpkeepAsync(ResealChanges.Grant(seen, seen.AccessSealed, seen.RefreshSealed, Sealed(New)), Cancellation)).Committed);
        await fixture.Store.MustAsync([SessionChanges.EndAllOf(Given.Tenant)], EventKind.SignedOut);
        await fixture.Store.RefuseAsync("key-retire", [KeyChanges.Retire(first)]);
        // What is over does not count any more.
        fixture.Clock.Advance(TimeSpan.FromMinutes(11));

        await fixture.Store.MustAsync([KeyChanges.Retire(first)], EventKind.TenantKeyRetired);
        Assert.Equal(New, Assert.Single(await fixture.Store.Keys.OfAsync(Given.Tenant, Cancellation)).Version);
    }

    private static WrappedKey Key(Guid version, byte[] wrapped) => new(Given.Tenant, version, Active: true, "root-1", wrapped);

    private static async Task<WrappedKey> FirstAsync(StoreFixture fixture)
    {
        await fixture.Store.MustAsync([KeyChanges.AddFirst(Key(Old, [1]))], EventKind.TenantKeyCreated);
        return Assert.Single(await fixture.Store.Keys.OfAsync(Given.Tenant, Cancellation));
    }

    /// <summary>The header of a record or MAC: version, suite, key version.</summary>
    private static byte[] Sealed(Guid version) => [1, 0, 1, .. version.ToByteArray(bigEndian: true), 42];

    private static async Task<GrantRow> GrantAsync(StoreFixture fixture, string person, Guid tokens, Guid mac)
    {
        var grant = Given.NewGrant(fixture, Given.Ana with { Id = person });
        grant = grant with { Pair = grant.Pair with { Access = Sealed(tokens), Refresh = null }, Mac = Sealed(mac) };
        await fixture.Store.MustAsync([GrantChanges.InsertActive(grant)]);
        return await fixture.GrantAsync(grant.Id);
    }
}

public sealed class KeyTestsOnSqlite : KeyTests<Sqlite>;

public sealed class KeyTestsOnPostgreSql : KeyTests<PostgreSql>;

public sealed class KeyTestsOnMariaDb : KeyTests<MariaDb>;
