using System.Security.Cryptography;
using Postern.Model;

namespace Postern.Vault.Tests;

/// <summary>What somebody with write access to the database can do to a record, and what it gets them.</summary>
public sealed class RecordTamperingTests : IDisposable
{
    private readonly World world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public async Task Record_AnySingleBitFlipped_IsRefusedWithTheErrorOfItsPart()
    {
        for (var i = 0; i < 100; i++)
            await AssertEveryFlipRefused(await world.SealAsync());
    }

    private async Task AssertEveryFlipRefused(byte[] record)
    {
        for (var bit = 0; bit < record.Length * 8; bit++)
        {
            var flipped = record.ToArray();
            flipped[bit / 8] ^= (byte)(0x80 >> (bit % 8));
            Assert.Equal(ExpectedAt(bit / 8), await world.OpenErrorAsync(World.Refresh, flipped));
        }

        static VaultError ExpectedAt(int offset) => offset switch
        {
            0 => VaultError.NotARecord,
            < 3 => VaultError.UnsupportedSuite,
            < 19 => VaultError.UnknownKeyVersion,
            _ => VaultError.Refused,
        };
    }

    [Fact]
    public async Task Header_VersionOrSuiteChanged_IsRefusedBeforeAnyKeyIsAskedFor()
    {
        var record = await world.SealAsync();
        using var fresh = world.Node();
        var reads = world.WrappedKeys.Reads;
        for (var bit = 0; bit < 24; bit++)
        {
            var flipped = record.ToArray();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.NotNull(World.ErrorOf(await fresh.OpenAsync(World.Refresh, flipped, World.Cancellation)));
        }
        Assert.Equal(reads, world.WrappedKeys.Reads);
        Assert.Equal(0, world.KeyStore.Unwraps);
    }

    [Fact]
    public async Task Record_CutOrExtendedAnywhere_IsRefused()
    {
        var record = await world.SealAsync();
        for (var length = 0; length < record.Length; length++)
        {
            var expected = length < RecordFormat.Overhead ? VaultError.NotARecord : VaultError.Refused;
            Assert.Equal(expected, await world.OpenErrorAsync(World.Refresh, record[..length]));
        }
        Assert.Equal(VaultError.Refused, await world.OpenErrorAsync(World.Refresh, [.. record, 0]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("plaintext-token-somebody-wrote-into-the-column")]
    [InlineData("\u0001plaintext that begins with the version byte, and goes on for as long as the overhead of a true record would, which is 111 bytes")]
    public async Task Value_WithoutHeader_IsAnErrorAndNeverPlaintext(string value)
    {
        await world.SealAsync();
        Assert.NotNull(await world.OpenErrorAsync(World.Refresh, System.Text.Encoding.UTF8.GetBytes(value)));
    }

    [Fact]
    public async Task Value_LargerThanAnyRecord_IsRefusedBeforeAnythingIsAllocatedForIt()
    {
        var record = new byte[RecordFormat.Overhead + RecordFormat.MaxPlaintextLength + 1];
        record[0] = RecordFormat.Version;
        Assert.Equal(VaultError.NotARecord, await world.OpenErrorAsync(World.Refresh, record));
    }

    [Fact]
    public void Open_CommitmentDoesNotFit_NothingIsDecrypted()
    {
        var key = RandomNumberGenerator.GetBytes(32);
        var plaintext = new byte[RecordFormat.MaxPlaintextLength];
        var record = new byte[RecordFormat.SealedLength(plaintext.Length)];
        RecordCipher.Seal(key, VaultSuite.HkdfSha512Aes256GcmCommit, Guid.Empty, "aad"u8, plaintext, world.Chance, record);

        // The buffer for the plaintext is only made once the commitment fits, so its absence shows that GCM never ran.
        record[^1] ^= 1;
        Assert.True(AllocatedByOpen(record) > plaintext.Length);
        record[^1] ^= 1;
        record[RecordFormat.CommitmentOffset] ^= 1;
        Assert.True(AllocatedByOpen(record) < plaintext.Length / 8);

        long AllocatedByOpen(byte[] bytes)
        {
            Assert.Null(RecordCipher.TryOpen(key, VaultSuite.HkdfSha512Aes256GcmCommit, "aad"u8, bytes));
            var before = GC.GetAllocatedBytesForCurrentThread();
            Assert.Null(RecordCipher.TryOpen(key, VaultSuite.HkdfSha512Aes256GcmCommit, "aad"u8, bytes));
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    [Fact]
    public void Ciphertext_MadeToOpenUnderTwoKeys_OpensUnderNeitherButTheOneCommittedTo()
    {
        for (var i = 0; i < 1000; i++)
            AssertCommitment();
    }

    private static void AssertCommitment()
    {
        byte[] first = RandomNumberGenerator.GetBytes(32), second = RandomNumberGenerator.GetBytes(32);
        byte[] salt = RandomNumberGenerator.GetBytes(32), nonce = RandomNumberGenerator.GetBytes(12);
        var associatedData = "the same place under both keys"u8.ToArray();
        var (firstKey, firstCommitment) = Independent.Derive(first, salt, associatedData);
        var (secondKey, secondCommitment) = Independent.Derive(second, salt, associatedData);
        var (ciphertext, tag) = Independent.OpensUnderTwoKeys(firstKey, secondKey, nonce, associatedData);

        // The attack is real: plain AES-GCM opens these bytes under both keys, to two plaintexts.
        Assert.NotEqual(PlainGcm(firstKey), PlainGcm(secondKey));
        // And one record cannot commit to both.
        Assert.Equal((true, false), (Opens(first, firstCommitment), Opens(second, firstCommitment)));
        Assert.Equal((false, true), (Opens(first, secondCommitment), Opens(second, secondCommitment)));

        byte[] PlainGcm(byte[] key)
        {
            using var gcm = new AesGcm(key, 16);
            var plaintext = new byte[ciphertext.Length];
            gcm.Decrypt(nonce, ciphertext, tag, plaintext, associatedData);
            return plaintext;
        }

        bool Opens(byte[] key, byte[] commitment)
        {
            byte[] record = [1, 0, 1, .. new byte[16], .. salt, .. commitment, .. nonce, .. ciphertext, .. tag];
            using var opened = RecordCipher.TryOpen(key, VaultSuite.HkdfSha512Aes256GcmCommit, associatedData, record);
            return opened is not null;
        }
    }

    [Fact]
    public async Task Record_WithTheCommitmentOfAnotherRecord_IsRefused()
    {
        var (mine, other) = (await world.SealAsync(), await world.SealAsync());
        other.AsSpan(RecordFormat.CommitmentOffset, RecordFormat.CommitmentLength).CopyTo(mine.AsSpan(RecordFormat.CommitmentOffset));
        Assert.Equal(VaultError.Refused, await world.OpenErrorAsync(World.Refresh, mine));
    }

    [Fact]
    public async Task Suite_NotAllowedByConfiguration_IsRefusedWhateverTheRecordSays()
    {
        var record = await world.SealAsync();
        record[2] = 0x02;
        Assert.Equal(VaultError.UnsupportedSuite, await world.OpenErrorAsync(World.Refresh, record));
    }
}
