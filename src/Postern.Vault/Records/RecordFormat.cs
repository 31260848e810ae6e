using System.Buffers.Binary;

namespace Postern.Vault;

/// <summary>How a record is made. Chosen by configuration, never by the record that is read.</summary>
public enum VaultSuite : ushort
{
    /// <summary>HKDF-SHA-512 with a 32-byte salt for key and commitment, then AES-256-GCM with a 96-bit nonce and a 128-bit tag.</summary>
    HkdfSha512Aes256GcmCommit = 0x0001,
}

// A record, all sizes in bytes:
//
//   0        1        3                   19        51            83       95                 95+n      111+n
//   | ver=01 | suite  | key version UUID  | salt    | commitment  | nonce  | ciphertext       | tag     |
//   | 1      | 2 (BE) | 16 (RFC 9562)     | 32      | 32          | 12     | n = plaintext    | 16      |
//
//   prk        = HKDF-Extract(SHA-512, salt, tenant key)                                      RFC 5869 section 2.2
//   key        = HKDF-Expand (SHA-512, prk, suite || "DERIVEKEY" || SHA-512(AAD), 32)         RFC 5869 section 2.3
//   commitment = HKDF-Expand (SHA-512, prk, suite || "COMMITKEY" || SHA-512(AAD), 32)
//   ciphertext, tag = AES-256-GCM(key, nonce, plaintext, AAD)                                 NIST SP 800-38D
//
// The commitment is compared, in constant time, before GCM runs: AES-GCM alone commits to no key, one ciphertext can be made
// to open under two (CVE-2020-8897). Salt and nonce give 352 random bits, so 2^32 seals under one key is no limit here.
// docs/reference/vault-record-format.md is this page for people; tests/Postern.Vault.Tests/vectors holds the vectors.

/// <summary>The sizes and limits of a sealed record; <c>docs/reference/vault-record-format.md</c> describes every byte.</summary>
public static class RecordFormat
{
    /// <summary>The first byte of every record.</summary>
    public const byte Version = 0x01;

    /// <summary>Bytes before the ciphertext.</summary>
    public const int HeaderLength = NonceOffset + NonceLength;

    /// <summary>Bytes that sealing adds: 111.</summary>
    public const int Overhead = HeaderLength + TagLength;

    /// <summary>The longest plaintext, in bytes; nothing larger is allocated for a record that has not proven itself.</summary>
    public const int MaxPlaintextLength = 64 * 1024;

    /// <summary>The length of a tenant key and of a root key, in bytes.</summary>
    public const int KeyLength = 32;

    internal const int SuiteOffset = 1;
    internal const int KeyVersionOffset = SuiteOffset + 2;
    internal const int SaltOffset = KeyVersionOffset + KeyVersionLength;
    internal const int CommitmentOffset = SaltOffset + SaltLength;
    internal const int NonceOffset = CommitmentOffset + CommitmentLength;
    internal const int KeyVersionLength = 16;
    internal const int SaltLength = 32;
    internal const int CommitmentLength = 32;
    internal const int NonceLength = 12;
    internal const int TagLength = 16;

    /// <summary>The length of the record that a plaintext of this length becomes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative, or more than <see cref="MaxPlaintextLength"/>.</exception>
    public static int SealedLength(int plaintextLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(plaintextLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(plaintextLength, MaxPlaintextLength);
        return plaintextLength + Overhead;
    }

    /// <summary>The length of the plaintext in a record of this length.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No record has this length.</exception>
    public static int PlaintextLength(int recordLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(recordLength, Overhead);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(recordLength, Overhead + MaxPlaintextLength);
        return recordLength - Overhead;
    }

    /// <summary>
    /// Reads which key version a record names, without believing it: for inventories and rotation sweeps. Null when the bytes
    /// are no record of this version.
    /// </summary>
    public static Guid? KeyVersionOf(ReadOnlySpan<byte> record) =>
        LooksLikeRecord(record) ? ReadKeyVersion(record) : null;

    internal static bool LooksLikeRecord(ReadOnlySpan<byte> record) =>
        record.Length is >= Overhead and <= Overhead + MaxPlaintextLength && record[0] == Version;

    internal static VaultSuite ReadSuite(ReadOnlySpan<byte> record) =>
        (VaultSuite)BinaryPrimitives.ReadUInt16BigEndian(record[SuiteOffset..]);

    internal static Guid ReadKeyVersion(ReadOnlySpan<byte> record) =>
        new(record.Slice(KeyVersionOffset, KeyVersionLength), bigEndian: true);
}
