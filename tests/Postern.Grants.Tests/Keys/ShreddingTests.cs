using Postern.Grants.Keys;
using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Tests.Keys;

/// <summary>After a shredding nothing of a tenant opens, anywhere, and the others go on.</summary>
public sealed class ShreddingTests
{
    [Fact]
    public async Task Shred_TellsTheProviderAndLeavesNothingReadable()
    {
        await using var rig = await Rig.StartAsync();
        var (id, family) = await rig.GrantAsync(Rig.Lake);
        var session = await rig.One.SignInAsync();

        var outcome = await ShredAsync(rig);

        Assert.Equal([family.Refresh, family.Access], rig.Authority.Revoked);
        Assert.Equal(GrantState.Revoked, (await rig.RowAsync(id)).State);
        Assert.NotNull((await rig.One.Store.Sessions.FindAsync(Rig.Acme, session.Id, Rig.Cancellation))!.EndedAt);
        var inventory = await rig.One.Get<VaultInventory>().CountAsync(Rig.Acme, Rig.Cancellation);
        Assert.Equal((true, true, 0L, true), (inventory.Shredded, inventory.IsSound, inventory.Readable, inventory.Unreadable > 0));
        Assert.Equal((0L, 0L, inventory.Unreadable), (outcome.Pending, outcome.Receipt!.Receipt.Readable, outcome.Receipt.Receipt.Records.Values.Sum()));
        Assert.All(await rig.One.Store.Keys.OfAsync(Rig.Acme, Rig.Cancellation), key => Assert.True(key.IsDestroyed));
        Assert.Empty(rig.One.Events.Of(EventKind.RowTampered));
    }

    [Fact]
    public async Task Shred_IsFollowedByNoNewKey()
    {
        await using var rig = await Rig.StartAsync();
        await ShredAsync(rig);

        foreach (var node in new[] { rig.One, rig.AddNode("fresh") })
        {
            var refused = await Assert.ThrowsAsync<VaultException>(async () => await node.Get<TokenVault>().SealAsync(
                RecordContexts.Extension(Rig.Acme, "test", "test", "1"), new byte[8], Rig.Cancellation));
            Assert.Contains("was shredded", refused.Message, StringComparison.Ordinal);
            Assert.True(await node.Desk.Definitions.MustPassOverAsync(Rig.Acme, Rig.Cancellation));
            Assert.Empty(await node.Desk.Definitions.TenantsAsync(Rig.Cancellation));
            Assert.Empty(node.Events.Of(EventKind.RowTampered));
        }
        Assert.Null(Assert.Single(await rig.PumpSecondsAsync(rig.One.Get<KeyRotation>().RunAsync(
            [Rig.Acme], true, "operator:test", RotationPace.Default, new Progress<RotationProgress>(), Rig.Cancellation))).Version);
    }

    [Fact]
    public async Task Shred_OfATenantThatNeverHadAKey_TakesItsPlaceAllTheSame()
    {
        await using var rig = await Rig.StartAsync();
        var never = TenantId.Parse("never");

        var outcome = await rig.PumpSecondsAsync(rig.One.Get<TenantShredder>().RunAsync(never, "operator:test", TimeSpan.Zero, false, Rig.Cancellation));

        Assert.NotNull(outcome.Receipt);
        await Assert.ThrowsAsync<VaultException>(async () => await rig.One.Get<TokenVault>().SealAsync(
            RecordContexts.Extension(never, "test", "test", "1"), new byte[8], Rig.Cancellation));
    }

    [Fact]
    public async Task Shred_WhileTheProviderCannotBeTold_DestroysNothingUnlessTold()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        await rig.Authority.DisposeAsync();

        var stopped = await ShredAsync(rig, TimeSpan.FromSeconds(5));
        Assert.Equal((null, 1L), (stopped.Receipt, stopped.Pending));
        Assert.False(await rig.One.Store.Keys.IsShreddedAsync(Rig.Acme, Rig.Cancellation));

        var forced = await ShredAsync(rig, TimeSpan.Zero, abandon: true);
        Assert.Equal(1L, forced.Pending);
        Assert.Equal(1L, forced.Receipt!.Receipt.Revocations[nameof(RevocationStatus.Pending)]);
        Assert.True(await rig.One.Store.Keys.IsShreddedAsync(Rig.Acme, Rig.Cancellation));
    }

    [Fact]
    public async Task Shred_IsHeardWithinASecondByANodeThatHasTheKeyInMemory()
    {
        await using var rig = await Rig.StartAsync();
        var two = rig.AddNode("two");
        await two.StartFeedAsync();
        var context = RecordContexts.Extension(Rig.Acme, "test", "test", "1");
        var record = await two.Get<TokenVault>().SealAsync(context, new byte[8], Rig.Cancellation);
        await ShredAsync(rig);

        var begun = rig.Now;
        await rig.UntilAsync(async () => (await two.Get<TokenVault>().OpenAsync(context, record, Rig.Cancellation)).Refusal?.AsVaultError() == VaultError.UnknownKeyVersion);

        Assert.True(rig.Now - begun < TimeSpan.FromSeconds(1), $"after {rig.Now - begun}");
    }

    [Fact]
    public async Task Shred_ThenANewRootKey_ClosesTheBackupFromBefore()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        var backup = await rig.BackUpAsync();

        var outcome = await ShredAsync(rig);

        // The backup has the wrapped key: it opens while the root key can be had, and the receipt says which that is.
        Assert.Equal(0, (await rig.NodeOver(backup).Get<VaultInventory>().CountAsync(Rig.Acme, Rig.Cancellation)).Unreadable);
        var rotated = await RotationTests.RotateRootAsync(rig);
        Assert.Equal(outcome.Receipt!.Receipt.RootKeys, rotated.Destroyed);
        Assert.Equal(0, (await rig.NodeOver(backup).Get<VaultInventory>().CountAsync(Rig.Acme, Rig.Cancellation)).Readable);
    }

    [Fact]
    public async Task Receipt_OutlivesARootKeyAndIsBoundToEveryField()
    {
        await using var rig = await Rig.StartAsync();
        var issued = (await ShredAsync(rig)).Receipt!;
        await RotationTests.RotateRootAsync(rig);
        var shredder = rig.AddNode("fresh").Get<TenantShredder>();

        Assert.True(await shredder.VerifyAsync(issued, Rig.Cancellation));
        Assert.False(await shredder.VerifyAsync(issued with { Receipt = issued.Receipt with { Tenant = "other" } }, Rig.Cancellation));
        Assert.False(await shredder.VerifyAsync(issued with { Receipt = issued.Receipt with { LogPosition = "1:00" } }, Rig.Cancellation));
        Assert.Equal(issued.Receipt.ToDigest(), Assert.Single(rig.One.Events.Of(EventKind.ShredReceiptIssued)).Facts["sha256"]);
    }

    [Fact]
    public async Task Shred_RunAgainAfterTheKeysWereDestroyed_IssuesTheReceipt()
    {
        await using var rig = await Rig.StartAsync();
        await rig.One.Store.CommitAsync([KeyChanges.Destroy(Rig.Acme)], new AuditEvent(EventKind.TenantShredded, Rig.Acme));

        var outcome = await ShredAsync(rig);

        Assert.Equal(0L, outcome.Receipt!.Receipt.Readable);
        Assert.Single(rig.One.Events.Of(EventKind.TenantShredded));
    }

    [Fact]
    public async Task Shred_OfTheDeploymentsOwnKey_IsRefused()
    {
        await using var rig = await Rig.StartAsync();

        await Assert.ThrowsAsync<ArgumentException>(() => rig.One.Get<TenantShredder>().RunAsync(
            TenantId.Parse("postern"), "operator:test", TimeSpan.Zero, true, Rig.Cancellation));
    }

    private static Task<ShredOutcome> ShredAsync(Rig rig, TimeSpan? wait = null, bool abandon = false) => rig.PumpSecondsAsync(
        rig.One.Get<TenantShredder>().RunAsync(Rig.Acme, "operator:test", wait ?? TimeSpan.FromMinutes(10), abandon, Rig.Cancellation));
}
