using Postern.Model;

namespace Postern.Vault.Tests;

/// <summary>A key store that is down for a quarter of an hour, on a virtual clock: who goes on, who is told what, and how much it is asked.</summary>
public sealed class KeyStoreOutageTests : IDisposable
{
    private static readonly TimeSpan Outage = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(250);

    private readonly World world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public async Task KeyStore_DownForAQuarterOfAnHour_SeesNoStormAndCachedTenantsGoOn()
    {
        var tenants = await SealForManyAsync(40);
        var node = world.Node();
        var (cached, others) = (tenants.Take(20).ToList(), tenants.Skip(20).ToList());
        foreach (var tenant in cached)
            Assert.Null(await OpenAsync(node, tenant));

        world.KeyStore.BeforeUnwrap = static _ => throw new HttpRequestException("down");
        var before = world.KeyStore.Unwraps;
        // A moment less than the lifetime of a key in memory.
        for (var passed = TimeSpan.Zero; passed < Outage - Step; passed += Step)
        {
            // 40 tenants every quarter of a second: 160 requests a second.
            foreach (var tenant in cached)
                Assert.Null(await OpenAsync(node, tenant));
            foreach (var tenant in others)
                Assert.Equal(VaultError.KeyStoreUnavailable, await OpenAsync(node, tenant));
            world.Time.Advance(Step);
        }
        // One probe every 3 to 4 seconds, and the first failures.
        Assert.InRange(world.KeyStore.Unwraps - before, 225, 320);

        // Past their limit the cached ones fail like the others.
        world.Time.Advance(2 * Step);
        foreach (var tenant in tenants)
            Assert.Equal(VaultError.KeyStoreUnavailable, await OpenAsync(node, tenant));
    }

    [Fact]
    public async Task KeyStore_BackAgain_ServesEveryTenantWithinTenSeconds()
    {
        var tenants = await SealForManyAsync(30);
        var node = world.Node();
        world.KeyStore.BeforeUnwrap = static _ => throw new HttpRequestException("down");
        for (var passed = TimeSpan.Zero; passed < TimeSpan.FromMinutes(2); passed += Step)
        {
            foreach (var tenant in tenants)
                await OpenAsync(node, tenant);
            world.Time.Advance(Step);
        }

        world.KeyStore.BeforeUnwrap = static _ => Task.CompletedTask;
        var waited = TimeSpan.Zero;
        while (await AnyFailsAsync())
        {
            world.Time.Advance(Step);
            waited += Step;
            Assert.InRange(waited, TimeSpan.Zero, KeyStoreGate.LongestPause + Step);
        }

        async Task<bool> AnyFailsAsync()
        {
            var failed = false;
            foreach (var tenant in tenants)
                failed |= await OpenAsync(node, tenant) is not null;
            return failed;
        }
    }

    [Fact]
    public async Task Refusal_WhileTheKeyStoreIsDown_SaysWhenToTryAgain()
    {
        var tenant = (await SealForManyAsync(1))[0];
        var node = world.Node();
        world.KeyStore.BeforeUnwrap = static _ => throw new HttpRequestException("down");
        await OpenAsync(node, tenant);
        var refusal = (await node.OpenAsync(Context(tenant.Tenant), tenant.Record, World.Cancellation)).Refusal!;
        Assert.Equal(RefusalKind.Unavailable, refusal.Kind);
        Assert.InRange(refusal.RetryAfter!.Value, TimeSpan.FromMilliseconds(1), KeyStoreGate.LongestPause);
    }

    [Fact]
    public async Task WrappedKey_EditedByADatabaseWriter_StopsItsOwnTenantOnly()
    {
        var tenants = await SealForManyAsync(4);
        foreach (var victim in tenants.Take(3))
        {
            world.WrappedKeys.Edit(row => row.Tenant == victim.Tenant ? row with { Wrapped = [.. row.Wrapped[..^1], (byte)(row.Wrapped[^1] ^ 1)] } : row);
        }
        var node = world.Node();
        for (var i = 0; i < 10; i++)
        {
            foreach (var victim in tenants.Take(3))
                Assert.Equal(VaultError.Refused, await OpenAsync(node, victim));
        }
        // Three keys failed, but the store answered: nobody else waits. And the three were asked for once each, not ten times.
        Assert.Equal(3, world.KeyStore.Unwraps);
        Assert.Null(await OpenAsync(node, tenants[3]));
    }

    [Fact]
    public async Task WrappedKey_OfAKeyStoreThatTheSettingsDoNotName_IsUnavailableAndStopsItsOwnTenantOnly()
    {
        var tenants = await SealForManyAsync(5);
        foreach (var moved in tenants.Take(4))
            world.WrappedKeys.Edit(row => row.Tenant == moved.Tenant ? row with { RootKeyId = "transit/postern:v1" } : row);
        var node = world.Node(keyStore: world.Keyring);

        // Not "edited", which would end what people granted: this node was not restarted before the move.
        foreach (var moved in tenants.Take(4))
            Assert.Equal(VaultError.RootKeyMissing, await OpenAsync(node, moved));
        Assert.Null(await OpenAsync(node, tenants[4]));
        var refusal = (await node.RewrapAsync((await world.WrappedKeys.ReadAsync(tenants[0].Tenant, World.Cancellation))[0], World.Cancellation)).Refusal!;
        Assert.Contains("as the former one", refusal.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WrappedKey_OfAnotherKeyStore_IsNoSignThatTheOneThatIsDownIsBack()
    {
        var tenants = await SealForManyAsync(4);
        world.WrappedKeys.Edit(row => row.Tenant == tenants[3].Tenant ? row with { RootKeyId = "transit/postern:v1" } : row);
        var node = world.Node();
        world.KeyStore.BeforeUnwrap = static _ => throw new HttpRequestException("down");
        foreach (var tenant in tenants.Take(3))
            Assert.Equal(VaultError.KeyStoreUnavailable, await OpenAsync(node, tenant));
        var before = world.KeyStore.Unwraps;
        world.Time.Advance(KeyStoreGate.LongestPause);

        Assert.Equal(VaultError.RootKeyMissing, await OpenAsync(node, tenants[3]));

        // Still one probe, and no others behind it.
        foreach (var tenant in tenants.Take(3))
            Assert.Equal(VaultError.KeyStoreUnavailable, await OpenAsync(node, tenant));
        Assert.Equal(before + 1, world.KeyStore.Unwraps);
    }

    [Fact]
    public async Task Outage_OfOneKeyOnly_LetsTheOthersBeAskedFor()
    {
        var tenants = await SealForManyAsync(10);
        var node = world.Node();
        var asked = 0;
        // The service fails for one ciphertext, such as one that makes it crash.
        world.KeyStore.BeforeUnwrap = _ => Interlocked.Increment(ref asked) == 1 ? throw new HttpRequestException("500") : Task.CompletedTask;
        Assert.Equal(VaultError.KeyStoreUnavailable, await OpenAsync(node, tenants[0]));
        foreach (var tenant in tenants.Skip(1))
            Assert.Null(await OpenAsync(node, tenant));
    }

    [Fact]
    public async Task Probe_UnderWay_IsTheOnlyCall()
    {
        var tenants = await SealForManyAsync(6);
        var node = world.Node();
        world.KeyStore.BeforeUnwrap = static _ => throw new HttpRequestException("down");
        foreach (var tenant in tenants.Take(3))
            await OpenAsync(node, tenant);

        world.Time.Advance(KeyStoreGate.LongestPause);
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        world.KeyStore.BeforeUnwrap = _ =>
        {
            reached.TrySetResult();
            return release.Task;
        };
        var probe = OpenAsync(node, tenants[3]);
        await reached.Task.WaitAsync(World.Cancellation);
        var unwraps = world.KeyStore.Unwraps;
        foreach (var tenant in tenants.Where(tenant => tenant != tenants[3]))
            Assert.Equal(VaultError.KeyStoreUnavailable, await OpenAsync(node, tenant));
        Assert.Equal(unwraps, world.KeyStore.Unwraps);

        release.SetResult();
        Assert.Null(await probe);
        foreach (var tenant in tenants)
            Assert.Null(await OpenAsync(node, tenant));
    }

    private static RecordContext Context(TenantId tenant) => RecordContexts.Extension(tenant, "note", "notes", "1");

    private async Task<List<(TenantId Tenant, byte[] Record)>> SealForManyAsync(int count)
    {
        var sealedRecords = new List<(TenantId, byte[])>();
        for (var i = 0; i < count; i++)
        {
            var tenant = TenantId.Parse($"tenant-{i}");
            sealedRecords.Add((tenant, await world.Vault.SealAsync(Context(tenant), World.Token, World.Cancellation)));
        }
        return sealedRecords;
    }

    private static async Task<VaultError?> OpenAsync(TokenVault node, (TenantId Tenant, byte[] Record) tenant) =>
        World.ErrorOf(await node.OpenAsync(Context(tenant.Tenant), tenant.Record, World.Cancellation));
}
