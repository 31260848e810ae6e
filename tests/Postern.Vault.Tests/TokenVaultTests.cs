using System.Security.Cryptography;
using Postern.Model;

namespace Postern.Vault.Tests;

public sealed class TokenVaultTests : IDisposable
{
    private readonly World world = new();

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(2048)]
    [InlineData(RecordFormat.MaxPlaintextLength)]
    public async Task Seal_ThenOpen_GivesTheSameBytes(int length)
    {
        var plaintext = RandomNumberGenerator.GetBytes(length);
        using var secret = new SecretBytes(plaintext);
        var buffer = new byte[TokenVault.SealedLength(length) + 5];

        await AssertOpens(await world.Vault.SealAsync(World.Refresh, secret, World.Cancellation));
        await AssertOpens(await world.Vault.SealAsync(World.Refresh, plaintext, World.Cancellation));
        var written = await world.Vault.SealAsync(World.Refresh, plaintext, buffer, World.Cancellation);
        await AssertOpens(buffer[..written]);
        Assert.Equal(new byte[5], buffer[written..]);

        async Task AssertOpens(byte[] record)
        {
            Assert.Equal(length + 111, record.Length);
            Assert.True((await world.Vault.OpenAsync(World.Refresh, record, World.Cancellation)).TryGet(out var opened, out _));
            using (opened)
                Assert.Equal(plaintext, opened.Reveal());
        }
    }

    [Fact]
    public async Task Seal_OfALongerPlaintext_IsAnError()
    {
        var tooLong = new byte[RecordFormat.MaxPlaintextLength + 1];
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await world.Vault.SealAsync(World.Refresh, tooLong, World.Cancellation));
        await Assert.ThrowsAsync<ArgumentException>(
            async () => await world.Vault.SealAsync(World.Refresh, new byte[10], new byte[120], World.Cancellation));
    }

    [Fact]
    public async Task Seal_TheSameTwice_SharesNoSaltNonceCommitmentOrCiphertext()
    {
        var records = new List<byte[]>();
        for (var i = 0; i < 64; i++)
            records.Add(await world.SealAsync());
        foreach (var (offset, length) in new[] { (19, 32), (51, 32), (83, 12), (95, World.Token.Length) })
            Assert.Equal(64, records.Select(record => Convert.ToHexString(record, offset, length)).Distinct().Count());
    }

    [Fact]
    public async Task Record_SealedByOneNode_OpensOnAnother()
    {
        var record = await world.SealAsync();
        var other = world.Node();
        Assert.Null(World.ErrorOf(await other.OpenAsync(World.Refresh, record, World.Cancellation)));
    }

    [Fact]
    public async Task Record_OfAnotherDeployment_IsRefused()
    {
        var record = await world.SealAsync();
        var other = world.Node(World.Options with { Deployment = "another-deployment" });
        Assert.Equal(VaultError.Refused, World.ErrorOf(await other.OpenAsync(World.Refresh, record, World.Cancellation)));
    }

    [Fact]
    public async Task Open_ByFourThreadsAtOnce_NeverFails()
    {
        // An AesGcm shared between threads fails for half of its callers; none is shared here.
        const int PerThread = 5_000;
        var records = new List<byte[]>();
        for (var i = 0; i < 8; i++)
            records.Add(await world.SealAsync());
        var failures = 0;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(async () =>
        {
            for (var i = 0; i < PerThread; i++)
            {
                var opened = await world.Vault.OpenAsync(World.Refresh, records[(thread + i) % records.Count], World.Cancellation);
                if (!opened.TryGet(out var secret, out _) || !secret.Reveal().SequenceEqual(World.Token))
                    Interlocked.Increment(ref failures);
                else
                    secret.Dispose();
            }
        })));
        Assert.Equal(0, failures);
    }

    [Fact]
    public async Task Seal_WithoutKeyStore_ThrowsAndOpenRefuses()
    {
        var record = await world.SealAsync();
        var node = world.Node();
        world.KeyStore.BeforeUnwrap = static _ => throw new HttpRequestException("connection refused");

        Assert.Equal(VaultError.KeyStoreUnavailable, World.ErrorOf(await node.OpenAsync(World.Refresh, record, World.Cancellation)));
        var thrown = await Assert.ThrowsAsync<VaultException>(async () => await node.SealAsync(World.Refresh, World.Token, World.Cancellation));
        Assert.Equal(VaultError.KeyStoreUnavailable, thrown.Refusal.AsVaultError());
        Assert.Equal(RefusalKind.Unavailable, thrown.Refusal.Kind);

        world.KeyStore.BeforeUnwrap = static _ => Task.CompletedTask;
        world.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(World.ErrorOf(await node.OpenAsync(World.Refresh, record, World.Cancellation)));
    }

    [Fact]
    public async Task Open_IntoABuffer_GivesTheSameAndLeavesZerosWhenRefused()
    {
        var record = await world.SealAsync();
        var buffer = new byte[World.Token.Length + 3];
        Assert.True((await world.Vault.OpenAsync(World.Refresh, record, buffer, World.Cancellation)).TryGet(out var length, out _));
        Assert.Equal(World.Token, buffer[..length]);

        record[^1] ^= 1;
        Assert.Equal(VaultError.Refused, (await world.Vault.OpenAsync(World.Refresh, record, buffer, World.Cancellation)).Refusal?.AsVaultError());
        Assert.Equal(new byte[buffer.Length], buffer);
        await Assert.ThrowsAsync<ArgumentException>(async () => await world.Vault.OpenAsync(World.Refresh, record, new byte[3], World.Cancellation));
    }

    [Fact]
    public async Task Key_RewrappedAndNewVersion_ServeRotation()
    {
        var record = await world.SealAsync();
        var stored = Assert.Single(world.WrappedKeys.Rows);
        world.Keyring.Promote(world.Keyring.AddRootKey());

        // The root key: the same tenant key, wrapped anew; the record opens unchanged.
        Assert.True((await world.Vault.RewrapAsync(stored, World.Cancellation)).TryGet(out var rewrapped, out _));
        Assert.Equal((stored.Version, world.Keyring.RootKeys[1].Id), (rewrapped.Version, rewrapped.RootKeyId));
        world.WrappedKeys.Edit(_ => rewrapped);
        world.Vault.Forget(World.Acme);
        world.Keyring.Destroy(stored.RootKeyId);
        Assert.Null(await world.OpenErrorAsync(World.Refresh, record));

        // The tenant key: a new version seals, the old one opens until the record was sealed anew.
        Assert.True((await world.Vault.NewKeyVersionAsync(World.Acme, World.Cancellation)).TryGet(out var fresh, out _));
        world.WrappedKeys.Replace(World.Acme, [fresh, rewrapped with { Active = false }]);
        world.Vault.Forget(World.Acme);
        Assert.True((await world.Vault.ResealAsync(World.Refresh, record, World.Cancellation)).TryGet(out var moved, out _));
        Assert.Equal(fresh.Version, RecordFormat.KeyVersionOf(moved));
        world.WrappedKeys.Replace(World.Acme, [fresh]);
        world.Vault.Forget(World.Acme);
        Assert.Null(await world.OpenErrorAsync(World.Refresh, moved));
        Assert.Equal(VaultError.UnknownKeyVersion, await world.OpenErrorAsync(World.Refresh, record));
    }

    [Fact]
    public async Task Vault_Disposed_AnswersNothingMore()
    {
        var record = await world.SealAsync();
        world.Vault.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await world.Vault.OpenAsync(World.Refresh, record, World.Cancellation));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await world.SealAsync());
    }

    [Fact]
    public async Task Open_InSteadyState_AllocatesThePlaintextOnceAndLittleElse()
    {
        const int Length = 4000;
        var record = await world.Vault.SealAsync(World.Refresh, new byte[Length], World.Cancellation);
        var cancellation = World.Cancellation;
        async ValueTask OpenOnce()
        {
            (await world.Vault.OpenAsync(World.Refresh, record, cancellation)).TryGet(out var secret, out _);
            secret!.Dispose();
        }
        for (var i = 0; i < 200; i++)
            await OpenOnce();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1_000; i++)
            await OpenOnce();
        var each = (GC.GetAllocatedBytesForCurrentThread() - before) / 1_000;
        // The secret, AesGcm with its handles, the state machines of a debug build; no array for derivation or decryption.
        Assert.InRange(each, Length, Length + 800);
    }
}
