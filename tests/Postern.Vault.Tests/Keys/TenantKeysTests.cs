using Postern.Model;

namespace Postern.Vault.Tests;

/// <summary>Tenant keys: made once, unwrapped seldom and one at a time, gone from memory soon.</summary>
public sealed class TenantKeysTests : IDisposable
{
    private readonly World world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public async Task FirstSeal_OfATenant_CreatesOneWrappedActiveKey()
    {
        var record = await world.SealAsync();
        await world.SealAsync();

        var row = Assert.Single(world.WrappedKeys.Rows);
        Assert.Equal((World.Acme, true, Assert.Single(world.Keyring.RootKeys).Id), (row.Tenant, row.Active, row.RootKeyId));
        Assert.Equal(row.Version, RecordFormat.KeyVersionOf(record));
        Assert.Equal((1, 0), (world.KeyStore.Wraps, world.KeyStore.Unwraps));
    }

    [Fact]
    public async Task Open_OfATenantWithoutKeys_CreatesNone()
    {
        var record = await world.SealAsync();
        world.WrappedKeys.Edit(static _ => null);
        world.Vault.Forget(World.Acme);
        Assert.Equal(VaultError.UnknownKeyVersion, await world.OpenErrorAsync(World.Refresh, record));
        Assert.Empty(world.WrappedKeys.Rows);
    }

    [Fact]
    public async Task FirstSeal_ByTwoNodesAtOnce_AgreesOnOneKey()
    {
        // Both nodes have seen "no key" and made one before either adds it.
        var bothMade = new Barrier2();
        world.WrappedKeys.BeforeAdd = _ => bothMade.ArriveAsync();
        var other = world.Node();
        var records = await Task.WhenAll(
            world.SealAsync(), other.SealAsync(World.Refresh, World.Token, World.Cancellation).AsTask());

        var version = Assert.Single(world.WrappedKeys.Rows).Version;
        Assert.Equal(2, world.KeyStore.Wraps);
        foreach (var record in records)
        {
            Assert.Equal(version, RecordFormat.KeyVersionOf(record));
            Assert.Null(await world.OpenErrorAsync(World.Refresh, record));
            Assert.Null(World.ErrorOf(await other.OpenAsync(World.Refresh, record, World.Cancellation)));
        }
    }

    [Fact]
    public async Task Tenant_WhoseKeysWereAllRetired_GetsNoNewOneBySealing()
    {
        await world.SealAsync();
        world.WrappedKeys.Edit(static row => row with { Active = false });
        world.Vault.Forget(World.Acme);
        var thrown = await Assert.ThrowsAsync<VaultException>(async () => await world.SealAsync());
        Assert.Equal(VaultError.UnknownKeyVersion, thrown.Refusal.AsVaultError());
        Assert.Single(world.WrappedKeys.Rows);
    }

    [Fact]
    public async Task Key_InUse_IsUnwrappedOnceInItsLifetime()
    {
        var record = await world.SealAsync();
        var node = world.Node();
        // Every 50 s: never idle for 60 s, so only the lifetime of 15 minutes ends it.
        for (var elapsed = TimeSpan.Zero; elapsed < TimeSpan.FromMinutes(15); elapsed += TimeSpan.FromSeconds(50))
        {
            Assert.Null(World.ErrorOf(await node.OpenAsync(World.Refresh, record, World.Cancellation)));
            Assert.Equal(1, world.KeyStore.Unwraps);
            world.Time.Advance(TimeSpan.FromSeconds(50));
        }
        Assert.Null(World.ErrorOf(await node.OpenAsync(World.Refresh, record, World.Cancellation)));
        Assert.Equal(2, world.KeyStore.Unwraps);
    }

    [Fact]
    public async Task Key_Idle_IsUnwrappedAgainAfterItsTime()
    {
        var record = await world.SealAsync();
        world.Time.Advance(TimeSpan.FromSeconds(59));
        Assert.Null(await world.OpenErrorAsync(World.Refresh, record));
        Assert.Equal(0, world.KeyStore.Unwraps);

        world.Time.Advance(TimeSpan.FromSeconds(60));
        Assert.Null(await world.OpenErrorAsync(World.Refresh, record));
        Assert.Equal(1, world.KeyStore.Unwraps);
    }

    [Fact]
    public void Key_NobodyAsksForAnyMore_IsWipedFromMemory()
    {
        using var cache = new KeyCache(TimeSpan.FromSeconds(60), TimeSpan.FromMinutes(15), world.Time);
        var key = NewKey();
        Assert.True(cache.TryPut(World.Acme, key, cache.Epoch));

        world.Time.Advance(TimeSpan.FromSeconds(59));
        Assert.False(key.IsWiped);
        world.Time.Advance(TimeSpan.FromSeconds(16));
        Assert.True(key.IsWiped);
        Assert.Throws<ObjectDisposedException>(() => key.RecordKey.Length);
        Assert.Throws<ObjectDisposedException>(() => key.MacKey.Length);
    }

    [Fact]
    public void Key_ForgottenUnderAnOperation_IsWipedWhenTheOperationEnds()
    {
        using var cache = new KeyCache(TimeSpan.FromSeconds(60), TimeSpan.FromMinutes(15), world.Time);
        var key = NewKey();
        cache.TryPut(World.Acme, key, cache.Epoch);
        Assert.True(cache.TryGet(World.Acme, key.Version, out var lease));

        cache.Forget(World.Acme);
        Assert.False(cache.TryGet(World.Acme, key.Version, out _));
        Assert.Equal(32, lease.Key.RecordKey.Length);
        lease.Dispose();
        Assert.True(key.IsWiped);
        Assert.False(key.TryAcquire());
    }

    [Fact]
    public void Key_ReadBeforeAnythingWasForgotten_IsNotPutInAfterwards()
    {
        using var cache = new KeyCache(TimeSpan.FromSeconds(60), TimeSpan.FromMinutes(15), world.Time);
        var seen = cache.Epoch;
        cache.Forget(World.Acme);
        var key = NewKey();
        Assert.False(cache.TryPut(World.Acme, key, seen));
        cache.NoteActive(World.Acme, key.Version, seen);
        Assert.False(cache.TryGetActive(World.Acme, out _));
        key.Release();
    }

    [Fact]
    public async Task Key_DestroyedWhileItWasBeingUnwrapped_DoesNotComeBack()
    {
        var record = await world.SealAsync();
        var node = world.Node();
        var (reached, release) = HoldUnwraps();
        var opening = node.OpenAsync(World.Refresh, record, World.Cancellation).AsTask();
        await reached.Task.WaitAsync(World.Cancellation);

        world.WrappedKeys.Edit(static _ => null);
        node.Forget(World.Acme);
        release.SetResult();

        Assert.Equal(VaultError.UnknownKeyVersion, World.ErrorOf(await opening));
    }

    [Fact]
    public async Task Unwrap_AskedForByMany_RunsOnceAndSurvivesACallerThatGivesUp()
    {
        var record = await world.SealAsync();
        var node = world.Node();
        var (reached, release) = HoldUnwraps();

        using var impatient = new CancellationTokenSource();
        var first = node.OpenAsync(World.Refresh, record, impatient.Token).AsTask();
        await reached.Task.WaitAsync(World.Cancellation);
        var others = Enumerable.Range(0, 16).Select(_ => node.OpenAsync(World.Refresh, record, World.Cancellation).AsTask()).ToList();
        var sealing = node.SealAsync(World.Refresh, World.Token, World.Cancellation).AsTask();

        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        release.SetResult();

        foreach (var other in others)
            Assert.Null(World.ErrorOf(await other));
        Assert.Null(World.ErrorOf(await node.OpenAsync(World.Refresh, await sealing, World.Cancellation)));
        Assert.Equal(1, world.KeyStore.Unwraps);
    }

    [Fact]
    public async Task KeyStore_ThatNeverAnswers_IsGivenUpAfterItsTimeout()
    {
        var record = await world.SealAsync();
        var node = world.Node();
        var (reached, _) = HoldUnwraps();
        var opening = node.OpenAsync(World.Refresh, record, World.Cancellation).AsTask();
        await reached.Task.WaitAsync(World.Cancellation);
        world.Time.Advance(World.Options.KeyStoreTimeout);
        Assert.Equal(VaultError.KeyStoreUnavailable, World.ErrorOf(await opening));

        // After a moment it is asked again, not waited for.
        world.KeyStore.BeforeUnwrap = static _ => Task.CompletedTask;
        world.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(World.ErrorOf(await node.OpenAsync(World.Refresh, record, World.Cancellation)));
    }

    [Fact]
    public async Task Failure_OfTheKeyStore_IsRememberedForAMomentOnly()
    {
        var record = await world.SealAsync();
        var node = world.Node();
        world.KeyStore.BeforeUnwrap = static _ => throw new IOException("down");
        for (var i = 0; i < 100; i++)
            Assert.Equal(VaultError.KeyStoreUnavailable, World.ErrorOf(await node.OpenAsync(World.Refresh, record, World.Cancellation)));
        Assert.Equal(1, world.KeyStore.Unwraps);
        world.KeyStore.BeforeUnwrap = static _ => Task.CompletedTask;
        world.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(World.ErrorOf(await node.OpenAsync(World.Refresh, record, World.Cancellation)));
    }

    [Fact]
    public async Task FirstKey_ThatTheKeyStoreWouldNotWrap_IsNotStored()
    {
        world.KeyStore.BeforeWrap = static _ => throw new IOException("down");
        await Assert.ThrowsAsync<VaultException>(async () => await world.SealAsync());
        Assert.Empty(world.WrappedKeys.Rows);
    }

    [Fact]
    public async Task WrappedKey_EditedOrMovedInTheDatabase_IsRefused()
    {
        var record = await world.SealAsync();
        var stored = Assert.Single(world.WrappedKeys.Rows);
        for (var offset = 0; offset < stored.Wrapped.Length; offset++)
        {
            var wrapped = stored.Wrapped.ToArray();
            wrapped[offset] ^= 0x10;
            await AssertRefused(stored with { Wrapped = wrapped });
        }
        await AssertRefused(stored with { Wrapped = stored.Wrapped[..40] });
        await AssertRefused(stored with { RootKeyId = "no-uuid" });
        await AssertRefused(stored with { RootKeyId = "0199a1b2-0000-7000-8000-00000000000f" });

        async Task AssertRefused(WrappedKey edited)
        {
            world.WrappedKeys.Edit(_ => edited);
            world.Vault.Forget(World.Acme);
            Assert.NotNull(await world.OpenErrorAsync(World.Refresh, record));
        }
    }

    [Fact]
    public async Task KeyStore_ThatGivesAKeyOfTheWrongLength_IsRefused()
    {
        var record = await world.SealAsync();
        var node = world.Node(keyStore: new ShortKeyStore());
        Assert.Equal(VaultError.Refused, World.ErrorOf(await node.OpenAsync(World.Refresh, record, World.Cancellation)));
    }

    private static TenantKey NewKey() => new(Guid.Empty, new SecretBytes(new byte[32]));

    private (TaskCompletionSource Reached, TaskCompletionSource Release) HoldUnwraps()
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        // Deaf to its token, as a library may be.
        world.KeyStore.BeforeUnwrap = _ =>
        {
            reached.TrySetResult();
            return release.Task;
        };
        return (reached, release);
    }

    /// <summary>Lets two pass when both are there; later ones pass at once.</summary>
    private sealed class Barrier2
    {
        private readonly TaskCompletionSource both = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int arrived;

        public Task ArriveAsync()
        {
            if (Interlocked.Increment(ref arrived) == 2)
                both.SetResult();
            return both.Task;
        }
    }

    private sealed class ShortKeyStore : IKeyStore
    {
        public string Description => "a broken key store";

        public ValueTask<Outcome<string>> CurrentRootKeyIdAsync(CancellationToken cancellation) => new(Outcome<string>.Of("root"));

        public ValueTask<Outcome<IReadOnlyList<RootKeyInfo>>> RootKeysAsync(CancellationToken cancellation) =>
            new(Outcome<IReadOnlyList<RootKeyInfo>>.Of([new("root", default, true)]));

        public ValueTask<Outcome<RootWrapping>> WrapAsync(KeyWrapContext context, SecretBytes key, CancellationToken cancellation) =>
            new(new RootWrapping("root", new byte[16]));

        public ValueTask<Outcome<SecretBytes>> UnwrapAsync(
            KeyWrapContext context, string rootKeyId, ReadOnlyMemory<byte> wrapped, CancellationToken cancellation) =>
            new(new SecretBytes(new byte[16]));
    }
}
