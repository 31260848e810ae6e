using System.Buffers.Binary;
using System.Security.Cryptography;
using Postern.Model;

namespace Postern.Vault;

/// <summary>
/// The construction of <see cref="RecordFormat"/> on spans: no I/O, no cache, one allocation inside <see cref="AesGcm"/>.
/// Callers have chosen the key, the associated data and the suite; nothing here is read from the record but what it proves.
/// </summary>
internal static class RecordCipher
{
    // Tokens fit; what is longer gets a buffer of its own, and only once the commitment fits.
    private const int OnStack = 4096;
    private const int PrkLength = SHA512.HashSizeInBytes;
    private const int LabelLength = 9;
    private const int InfoLength = 2 + LabelLength + SHA512.HashSizeInBytes;

    private static ReadOnlySpan<byte> KeyLabel => "DERIVEKEY"u8;

    private static ReadOnlySpan<byte> CommitmentLabel => "COMMITKEY"u8;

    /// <summary>Seals into <paramref name="destination"/>, whose length is exactly <see cref="RecordFormat.SealedLength"/>.</summary>
    public static void Seal(
        ReadOnlySpan<byte> key, VaultSuite suite, Guid keyVersion, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> plaintext,
        IChance chance, Span<byte> destination)
    {
        if (destination.Length != RecordFormat.SealedLength(plaintext.Length))
            throw new ArgumentException("The destination must be exactly as long as the record.", nameof(destination));

        destination[0] = RecordFormat.Version;
        BinaryPrimitives.WriteUInt16BigEndian(destination[RecordFormat.SuiteOffset..], (ushort)suite);
        keyVersion.TryWriteBytes(destination.Slice(RecordFormat.KeyVersionOffset, RecordFormat.KeyVersionLength), bigEndian: true, out _);
        var salt = destination.Slice(RecordFormat.SaltOffset, RecordFormat.SaltLength);
        var commitment = destination.Slice(RecordFormat.CommitmentOffset, RecordFormat.CommitmentLength);
        var nonce = destination.Slice(RecordFormat.NonceOffset, RecordFormat.NonceLength);
        Span<byte> random = stackalloc byte[RecordFormat.SaltLength + RecordFormat.NonceLength];
        chance.Fill(random);
        random[..RecordFormat.SaltLength].CopyTo(salt);
        random[RecordFormat.SaltLength..].CopyTo(nonce);

        Span<byte> recordKey = stackalloc byte[RecordFormat.KeyLength];
        try
        {
            Derive(key, suite, salt, associatedData, recordKey, commitment);
            // One AesGcm per operation: an instance is not safe to share between threads, and every record has its own key.
            using var gcm = new AesGcm(recordKey, RecordFormat.TagLength);
            gcm.Encrypt(
                nonce,
                plaintext,
                destination.Slice(RecordFormat.HeaderLength, plaintext.Length),
                destination[^RecordFormat.TagLength..],
                associatedData);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(recordKey);
        }
    }

    /// <summary>
    /// Opens a record whose shape and suite were checked. Null when the commitment or the tag does not fit, and which of the two
    /// it was stays inside: both mean "not sealed by this key for this context".
    /// </summary>
    public static SecretBytes? TryOpen(ReadOnlySpan<byte> key, VaultSuite suite, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> record)
    {
        var length = record.Length - RecordFormat.Overhead;
        Span<byte> recordKey = stackalloc byte[RecordFormat.KeyLength];
        Span<byte> plaintext = length <= OnStack ? stackalloc byte[length] : [];
        try
        {
            if (!TryDerive(key, suite, associatedData, record, recordKey))
                return null;
            if (length > OnStack)
                plaintext = GC.AllocateUninitializedArray<byte>(length, pinned: true);
            return TryDecrypt(recordKey, associatedData, record, plaintext) ? new SecretBytes(plaintext) : null;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(recordKey);
            CryptographicOperations.ZeroMemory(plaintext);
        }
    }

    /// <summary>
    /// As the other, into <paramref name="plaintext"/>, exactly as long as the record's plaintext; it holds zeros when the answer is
    /// false.
    /// </summary>
    public static bool TryOpen(
        ReadOnlySpan<byte> key, VaultSuite suite, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> record, Span<byte> plaintext)
    {
        Span<byte> recordKey = stackalloc byte[RecordFormat.KeyLength];
        var opened = false;
        try
        {
            return opened = TryDerive(key, suite, associatedData, record, recordKey)
                && TryDecrypt(recordKey, associatedData, record, plaintext);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(recordKey);
            if (!opened)
                CryptographicOperations.ZeroMemory(plaintext);
        }
    }

    /// <summary>The record's key, if the record commits to it.</summary>
    private static bool TryDerive(
        ReadOnlySpan<byte> key, VaultSuite suite, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> record, Span<byte> recordKey)
    {
        Span<byte> commitment = stackalloc byte[RecordFormat.CommitmentLength];
        Derive(key, suite, record.Slice(RecordFormat.SaltOffset, RecordFormat.SaltLength), associatedData, recordKey, commitment);
        return CryptographicOperations.FixedTimeEquals(
            commitment, record.Slice(RecordFormat.CommitmentOffset, RecordFormat.CommitmentLength));
    }

    private static bool TryDecrypt(
        ReadOnlySpan<byte> recordKey, ReadOnlySpan<byte> associatedData, ReadOnlySpan<byte> record, Span<byte> plaintext)
    {
        using var gcm = new AesGcm(recordKey, RecordFormat.TagLength);
        try
        {
            gcm.Decrypt(
                record.Slice(RecordFormat.NonceOffset, RecordFormat.NonceLength),
                record[RecordFormat.HeaderLength..^RecordFormat.TagLength],
                record[^RecordFormat.TagLength..],
                plaintext,
                associatedData);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
    }

    private static void Derive(
        ReadOnlySpan<byte> key, VaultSuite suite, ReadOnlySpan<byte> salt, ReadOnlySpan<byte> associatedData,
        Span<byte> recordKey, Span<byte> commitment)
    {
        if (key.Length != RecordFormat.KeyLength)
            throw new ArgumentException($"A key has {RecordFormat.KeyLength} bytes.", nameof(key));

        // HKDF-Expand of one block is HMAC(prk, info || 01) cut to length: the same bytes as HKDF.Expand, at half its cost.
        Span<byte> prk = stackalloc byte[PrkLength];
        Span<byte> info = stackalloc byte[InfoLength + 1];
        Span<byte> block = stackalloc byte[SHA512.HashSizeInBytes];
        try
        {
            FastHmac.Sha512(salt, key, prk);
            BinaryPrimitives.WriteUInt16BigEndian(info, (ushort)suite);
            SHA512.HashData(associatedData, info.Slice(2 + LabelLength, SHA512.HashSizeInBytes));
            info[^1] = 1;
            KeyLabel.CopyTo(info[2..]);
            FastHmac.Sha512(prk, info, block);
            block[..RecordFormat.KeyLength].CopyTo(recordKey);
            CommitmentLabel.CopyTo(info[2..]);
            FastHmac.Sha512(prk, info, block);
            block[..RecordFormat.CommitmentLength].CopyTo(commitment);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(prk);
            CryptographicOperations.ZeroMemory(block);
        }
    }
}
