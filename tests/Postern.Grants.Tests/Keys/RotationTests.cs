using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;
using Postern.Grants.Keys;
using Postern.Grants.Leases;
using Postern.Grants.Renewal;
using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Tests.Keys;

/// <summary>Keys change under the feet of whoever uses them, and nobody notices.</summary>
public sealed class RotationTests
{
    private static readonly RotationPace Fast = new(1_000_000, TimeSpan.FromSeconds(90));

    [Fact]
    public async Task Rotate_MovesEveryRowAndRemovesTheOldVersion()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        await rig.GrantAsync(Rig.Grace, Rig.Ben);
        await rig.One.SignInAsync();
        var (revoked, _) = await rig.GrantAsync(Rig.Steady);
        await rig.One.Desk.RevokeAsync(Rig.Ana.Key, revoked, Rig.Cancellation);
        var before = Assert.Single(await rig.One.Store.Keys.OfAsync(Rig.Acme, Rig.Cancellation));

        var report = await RotateAsync(rig);

        var after = Assert.Single(await rig.One.Store.Keys.OfAsync(Rig.Acme, Rig.Cancellation));
        Assert.NotEqual(before.Version, after.Version);
        Assert.Equal([before.Version], report.Retired);
        Assert.Equal((after.Version, 0L), (report.Version, report.Unreadable));
        var inventory = await rig.One.Get<VaultInventory>().CountAsync(Rig.Acme, Rig.Cancellation);
        Assert.Equal((0L, true), (inventory.Unreadable, inventory.Readable > 10));
        Assert.Equal(inventory.Readable, Assert.Single(inventory.Versions).Values);
        Assert.Contains(inventory.Kinds, kind => kind is { Kind: "client.secret", Readable: 5 });
        Assert.Equal((1, 1, 1), (Count(EventKind.TenantKeyRotated), Count(EventKind.TenantKeySwept), Count(EventKind.TenantKeyRetired)));

        int Count(EventKind kind) => rig.One.Events.Of(kind).Count;
    }

    [Fact]
    public async Task Rotate_LeavesWhatTheLogKnowsOfDefinitions()
    {
        await using var rig = await Rig.StartAsync();
        await RotateAsync(rig);

        Assert.Empty(await rig.One.Get<StandingVerifier>().VerifyAsync(Rig.Acme, Rig.Cancellation));
        // The configuration says the same as before, so nothing gets a new revision.
        Assert.Empty(await rig.One.Desk.Definitions.SeedAsync(rig.Seed(), "test", Rig.Cancellation));
        var fresh = rig.AddNode("fresh");
        Assert.Equal("client-secret-marker", (await fresh.ConnectionAsync(Rig.Lake)).Authorization.ClientSecret!.Reveal());
    }

    [Fact]
    public async Task Rotate_UnderConcurrentRenewals_LosesNoPairAndFailsNoLease()
    {
        await using var rig = await Rig.StartAsync();
        var two = rig.AddNode("two");
        await rig.One.StartFeedAsync();
        await two.StartFeedAsync();
        await rig.GrantAsync(Rig.Lake);
        await rig.GrantAsync(Rig.Grace);
        var session = await rig.One.SignInAsync();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Rig.Cancellation);
        var failed = new ConcurrentQueue<string>();
        long leased = 0;

        async Task UseAsync(TestNode node, ConnectionId connection)
        {
            while (!stop.IsCancellationRequested)
            {
                await using var run = (await node.TryRunAsync(connection, session)) is var started && started.TryGet(out var ok, out var why) ? ok : null;
                if (run is null)
                {
                    // A lease that was overtaken twice while it started is told to come again, as under renewals.
                    if (started.Refusal!.Code != "grant-changed")
                        failed.Enqueue($"{node.Name} {connection}: {started.Refusal}");
                    continue;
                }
                var bearer = await run.CurrentAsync(Rig.Cancellation);
                if (!bearer.TryGet(out var current, out var refused))
                    failed.Enqueue($"{node.Name} {connection}: {refused}");
                else if (!(await run.AfterRefusalAsync(current.Generation, Rig.Cancellation)).TryGet(out _, out var notRenewed))
                    failed.Enqueue($"{node.Name} {connection}: {notRenewed}");
                Interlocked.Increment(ref leased);
            }
        }

        Task[] users = [.. new[] { rig.One, two }.SelectMany(node => new[] { Rig.Lake, Rig.Grace }.Select(connection => Task.Run(() => UseAsync(node, connection))))];
        // In small steps of the clock, by which the requests of the renewals have deadlines.
        var pace = new RotationPace(1_000_000, TimeSpan.FromSeconds(2));
        for (var i = 0; i < 3; i++)
        {
            var report = Assert.Single(await rig.PumpAsync(rig.One.Get<KeyRotation>().RunAsync([Rig.Acme], false, "operator:test", pace, new Told(_ => { }), Rig.Cancellation)));
            Assert.Equal((0L, 1), (report.Unreadable, report.Retired.Count));
        }
        await rig.UntilAsync(() => Task.FromResult(Interlocked.Read(ref leased) > 40));
        await stop.CancelAsync();
        await rig.PumpAsync(Task.WhenAll(users).ContinueWith(ended => { ended.GetAwaiter().GetResult(); return true; }, TaskScheduler.Default));

        Assert.Empty(failed);
        Assert.Equal(0, rig.Authority.Reuses);
        Assert.Equal(0, (await rig.One.Get<VaultInventory>().CountAsync(Rig.Acme, Rig.Cancellation)).Unreadable);
        Assert.Single(await rig.One.Store.Keys.OfAsync(Rig.Acme, Rig.Cancellation));
    }

    [Fact]
    public async Task Move_OfAGrantThatWasRenewedMeanwhile_IsRefused()
    {
        await using var rig = await Rig.StartAsync();
        var (id, family) = await rig.GrantAsync(Rig.Lake);
        var read = await rig.RowAsync(id);
        rig.Clock.Advance(TimeSpan.FromMinutes(61));
        Assert.Equal(2, (await rig.PumpAsync(rig.One.LeaseAsync(Rig.Lake))).Value().Generation);

        var moved = await rig.One.Store.UpkeepAsync(ResealChanges.Grant(read, [1], [2], [3]), Rig.Cancellation);

        Assert.False(moved.Committed);
        await using var run = await rig.One.RunAsync(Rig.Lake, await rig.One.SignInAsync());
        Assert.Equal(family.Access, (await run.CurrentAsync(Rig.Cancellation)).Value().Token());
    }

    [Fact]
    public async Task Rotate_StoppedAnywhere_GoesOnWithTheSameVersion()
    {
        await using var rig = await Rig.StartAsync();
        foreach (var connection in new[] { Rig.Lake, Rig.Grace, Rig.Steady })
            await rig.GrantAsync(connection);
        var rotation = rig.One.Get<KeyRotation>();
        // A first run that dies after its second row.
        using var dies = new CancellationTokenSource();
        var rows = 0;
        var killer = new Told(_ =>
        {
            if (++rows == 2)
                dies.Cancel();
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => rotation.RunAsync([Rig.Acme], false, "operator:test", Fast with { Batch = 1 }, killer, dies.Token));
        var versions = await rig.One.Store.Keys.OfAsync(Rig.Acme, Rig.Cancellation);
        Assert.Equal(2, versions.Count);

        var report = await RotateAsync(rig);

        Assert.Equal(versions[0].Version, report.Version);
        Assert.Equal([versions[1].Version], report.Retired);
        Assert.Single(rig.One.Events.Of(EventKind.TenantKeyRotated));
    }

    [Fact]
    public async Task Rotate_OfAllStoppedWhileItRemovesOldVersions_RotatesNoTenantTwice()
    {
        await using var rig = await Rig.StartAsync();
        TenantId[] tenants = [Rig.Acme, TenantId.Parse("globex"), TenantId.Parse("initech")];
        foreach (var tenant in tenants.Skip(1))
            await rig.One.Desk.Definitions.SeedAsync(rig.Seed(tenant), "test", Rig.Cancellation);
        using var dies = new CancellationTokenSource();
        rig.One.Events.Then = told =>
        {
            if (told.Kind == EventKind.TenantKeyRetired)
                dies.Cancel();
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync(dies.Token));
        rig.One.Events.Then = static _ => { };
        var stopped = await rig.One.Store.Keys.AllAsync(Rig.Cancellation);
        // One is through, the others still have their old versions.
        Assert.Equal([1, 2, 2], tenants.Select(tenant => stopped.Count(key => key.Tenant == tenant)));

        var reports = await RunAsync(Rig.Cancellation);

        var keys = await rig.One.Store.Keys.AllAsync(Rig.Cancellation);
        Assert.Equal(stopped.Where(key => key.Active).Select(key => key.Version), keys.Select(key => key.Version));
        Assert.Equal(tenants.Length, rig.One.Events.Of(EventKind.TenantKeyRotated).Count);
        Assert.Equal([0, 1, 1], reports.Select(report => report.Retired.Count));
        Assert.DoesNotContain(keys, key => key.Rotating);
        // That rotation is over; the next one is another.
        await RunAsync(Rig.Cancellation);
        Assert.Equal(2 * tenants.Length, rig.One.Events.Of(EventKind.TenantKeyRotated).Count);

        Task<IReadOnlyList<RotationReport>> RunAsync(CancellationToken cancellation) =>
            rig.PumpSecondsAsync(rig.One.Get<KeyRotation>().RunAsync(tenants, false, "operator:test", Fast, new Told(_ => { }), cancellation));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Rotate_OrderedAnewAfterOneThatWasCutShort_IsNotTakenForIt(bool ofOneAlone)
    {
        await using var rig = await Rig.StartAsync();
        var other = TenantId.Parse("globex");
        await rig.One.Desk.Definitions.SeedAsync(rig.Seed(other), "test", Rig.Cancellation);
        using var dies = new CancellationTokenSource();
        rig.One.Events.Then = told =>
        {
            if (told.Kind == EventKind.TenantKeyRetired)
                dies.Cancel();
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync([Rig.Acme, other], dies.Token));
        rig.One.Events.Then = static _ => { };
        var finished = Assert.Single(await rig.One.Store.Keys.OfAsync(Rig.Acme, Rig.Cancellation));
        Assert.True(finished.Rotating);

        // Of one tenant alone, or of all much later.
        rig.Clock.Advance(ofOneAlone ? TimeSpan.Zero : TimeSpan.FromDays(1));
        await RunAsync(ofOneAlone ? [Rig.Acme] : [Rig.Acme, other], Rig.Cancellation);

        Assert.NotEqual(finished.Version, Assert.Single(await rig.One.Store.Keys.OfAsync(Rig.Acme, Rig.Cancellation)).Version);

        Task<IReadOnlyList<RotationReport>> RunAsync(IReadOnlyList<TenantId> tenants, CancellationToken cancellation) =>
            rig.PumpSecondsAsync(rig.One.Get<KeyRotation>().RunAsync(tenants, false, "operator:test", Fast, new Told(_ => { }), cancellation));
    }

    [Fact]
    public async Task Rotate_OfAllStoppedBeforeTheLastTenant_RotatesThatOneToo()
    {
        await using var rig = await Rig.StartAsync();
        TenantId[] tenants = [Rig.Acme, TenantId.Parse("globex")];
        await rig.One.Desk.Definitions.SeedAsync(rig.Seed(tenants[1]), "test", Rig.Cancellation);
        using var dies = new CancellationTokenSource();
        rig.One.Events.Then = told =>
        {
            if (told.Kind == EventKind.TenantKeyRotated)
                dies.Cancel();
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync(dies.Token));
        rig.One.Events.Then = static _ => { };

        var reports = await RunAsync(Rig.Cancellation);

        Assert.Equal([1, 1], reports.Select(report => report.Retired.Count));
        Assert.Equal(tenants, rig.One.Events.Of(EventKind.TenantKeyRotated).Select(told => told.Tenant));

        Task<IReadOnlyList<RotationReport>> RunAsync(CancellationToken cancellation) =>
            rig.PumpSecondsAsync(rig.One.Get<KeyRotation>().RunAsync(tenants, false, "operator:test", Fast, new Told(_ => { }), cancellation));
    }

    [Fact]
    public async Task Rotate_WithARowThatDoesNotOpen_KeepsItsVersion()
    {
        await using var rig = await Rig.StartAsync();
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        var (other, _) = await rig.GrantAsync(Rig.Grace);
        await rig.SqlAsync("UPDATE grants SET refresh_sealed = (SELECT refresh_sealed FROM grants WHERE id = @other) WHERE id = @id", new { id = id.ToString(), other = other.ToString() });
        var before = Assert.Single(await rig.One.Store.Keys.OfAsync(Rig.Acme, Rig.Cancellation));

        var report = await RotateAsync(rig);

        Assert.Equal((1L, 0), (report.Unreadable, report.Retired.Count));
        Assert.Equal("grants", Assert.Single(report.Kept[before.Version]).Table);
        Assert.Equal(2, (await rig.One.Store.Keys.OfAsync(Rig.Acme, Rig.Cancellation)).Count);
    }

    [Fact]
    public async Task Rotate_OnAnotherNode_IsHeardThroughTheFeed()
    {
        await using var rig = await Rig.StartAsync();
        var two = rig.AddNode("two");
        await two.StartFeedAsync();
        await two.ConnectionAsync(Rig.Lake);
        var context = RecordContexts.Extension(Rig.Acme, "test", "test", "1");
        await two.Get<TokenVault>().SealAsync(context, new byte[8], Rig.Cancellation);
        using var dies = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => rig.One.Get<KeyRotation>().RunAsync([Rig.Acme], false, "operator:test", Fast, new Told(_ => dies.Cancel()), dies.Token));
        var active = (await rig.One.Store.Keys.OfAsync(Rig.Acme, Rig.Cancellation))[0].Version;

        // Far less of the clock passes than a key stays in memory.
        var begun = rig.Now;
        await rig.UntilAsync(async () => RecordFormat.KeyVersionOf(await two.Get<TokenVault>().SealAsync(context, new byte[8], Rig.Cancellation)) == active);

        Assert.True(rig.Now - begun < TimeSpan.FromSeconds(1), $"after {rig.Now - begun}");
    }

    [Fact]
    public async Task RotateRoot_RewrapsEveryKeyAndDestroysTheOldRootKey()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        var before = Assert.Single(await rig.One.Store.Keys.OfAsync(Rig.Acme, Rig.Cancellation));
        var backup = await rig.BackUpAsync();

        var report = await RotateRootAsync(rig);

        var after = Assert.Single(await rig.One.Store.Keys.OfAsync(Rig.Acme, Rig.Cancellation));
        Assert.Equal(before.Version, after.Version);
        Assert.Equal((report.RootKeyId, before.RootKeyId), (after.RootKeyId, Assert.Single(report.Destroyed)));
        Assert.Equal(0, (await rig.AddNode("fresh").Get<VaultInventory>().CountAsync(Rig.Acme, Rig.Cancellation)).Unreadable);
        Assert.Equal(0, (await rig.NodeOver(backup).Get<VaultInventory>().CountAsync(Rig.Acme, Rig.Cancellation)).Readable);
        Assert.Equal(
            (1, 1, 1, 1),
            (rig.One.Events.Of(EventKind.RootKeyAdded).Count, rig.One.Events.Of(EventKind.RootKeyPromoted).Count,
             rig.One.Events.Of(EventKind.TenantKeyRewrapped).Count, rig.One.Events.Of(EventKind.RootKeyRetired).Count));
    }

    [Fact]
    public async Task RootKey_ThatIsGone_EndsNoGrantAndNoSessionAndServesAgainWhenItIsPutBack()
    {
        await using var rig = await Rig.StartAsync();
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        var session = await rig.One.Desk.Sessions.OpenPortalAsync(Rig.Ana, null, Rig.Cancellation);
        // A host that was set up anew with the database's backup and not the keyring's: it makes a keyring of its own.
        Directory.Move(rig.Keys, rig.Keys + ".kept");
        var bare = rig.AddNode("bare");

        var connection = (await bare.Desk.Definitions.ConnectionAsync(Rig.Acme, Rig.Lake, Rig.Cancellation)).Refused(RefusalKind.Unavailable);
        var lease = (await bare.Get<Renewer>().EnsureAsync(Rig.Acme, id, RenewalNeed.ToUse, Rig.Cancellation)).Refused(RefusalKind.Unavailable);
        var signedIn = await Assert.ThrowsAsync<VaultException>(
            async () => await bare.Desk.Sessions.FindAsync(Rig.Acme, session.Cookie.Reveal(), SessionKind.Portal, Rig.Cancellation));

        Assert.All([connection, lease, signedIn.Refusal], why => Assert.Equal("vault-root-key-missing", why.Code));
        Assert.Equal((GrantState.Active, 1), ((await rig.RowAsync(id)).State, (await rig.RowAsync(id)).Generation));
        Assert.Empty(rig.EventsOf(EventKind.RowTampered));

        Directory.Delete(rig.Keys, recursive: true);
        Directory.Move(rig.Keys + ".kept", rig.Keys);
        var whole = rig.AddNode("whole");
        Assert.Equal(id, (await whole.LeaseAsync(Rig.Lake)).Value().Grant);
        Assert.NotNull(await whole.Desk.Sessions.FindAsync(Rig.Acme, session.Cookie.Reveal(), SessionKind.Portal, Rig.Cancellation));
    }

    [Theory]
    [InlineData("added")]
    [InlineData("promoted")]
    [InlineData("rewrapped")]
    public async Task RotateRoot_StoppedAfterAStep_GoesOnWithTheSameRootKey(string step)
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        var keyring = Assert.IsAssignableFrom<IRootKeyring>(rig.One.Get<IKeyStore>());
        var expected = keyring.AddRootKey();
        if (step != "added")
            keyring.Promote(expected);
        if (step == "rewrapped")
        {
            var seen = Assert.Single(await rig.One.Store.Keys.OfAsync(Rig.Acme, Rig.Cancellation));
            var rewrapped = (await rig.One.Get<TokenVault>().RewrapAsync(seen, Rig.Cancellation)).Value();
            Assert.True((await rig.One.Store.CommitAsync([KeyChanges.Rewrap(seen, rewrapped)], new AuditEvent(EventKind.TenantKeyRewrapped, Rig.Acme))).Committed);
        }

        var report = await RotateRootAsync(rig);

        Assert.Equal(expected, report.RootKeyId);
        Assert.Equal(expected, Assert.Single((await rig.One.Get<IKeyStore>().RootKeysAsync(Rig.Cancellation)).Value()).Id);
        Assert.Equal(0, (await rig.One.Get<VaultInventory>().CountAsync(Rig.Acme, Rig.Cancellation)).Unreadable);
    }

    [Fact]
    public async Task RotateRoot_OnAnotherNode_IsWhatItWrapsWithNext()
    {
        await using var rig = await Rig.StartAsync();
        var two = rig.AddNode("two");
        await two.StartFeedAsync();
        await two.ConnectionAsync(Rig.Lake);

        var report = await RotateRootAsync(rig);
        await rig.UntilAsync(async () => (await two.Get<IKeyStore>().CurrentRootKeyIdAsync(Rig.Cancellation)).Value() == report.RootKeyId);

        var key = (await two.Get<TokenVault>().NewKeyVersionAsync(TenantId.Parse("other"), Rig.Cancellation)).Value();
        Assert.Equal(report.RootKeyId, key.RootKeyId);
    }

    internal static async Task<RotationReport> RotateAsync(Rig rig) => Assert.Single(await rig.PumpSecondsAsync(
        rig.One.Get<KeyRotation>().RunAsync([Rig.Acme], false, "operator:test", Fast, new Told(_ => { }), Rig.Cancellation)));

    internal static Task<RootRotationReport> RotateRootAsync(Rig rig) =>
        rig.PumpSecondsAsync(rig.One.Get<RootRotation>().RunAsync("operator:test", Fast, new Told(_ => { }), Rig.Cancellation));

    private sealed class Told(Action<RotationProgress> told) : IProgress<RotationProgress>
    {
        public void Report(RotationProgress value) => told(value);
    }
}
