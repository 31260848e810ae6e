using System.Security.Cryptography;
using System.Text.Json;
using Postern.Model;

namespace Postern.Grants.Keys;

// Who vouches for a receipt. Two things do, and neither needs a key of its own to be kept safe:
//
//   - the log: the event ShredReceiptIssued holds the SHA-256 of the receipt's content, so whoever has an export of the tenant's log and
//     a position of it that was noted elsewhere verifies a receipt without any key;
//   - a MAC under the key of the deployment's own log (tenant "postern"), which no rotation replaces and every rotation of the root key
//     wraps anew: this deployment wrote it, says this deployment.
//
// A signing key beside these would have to be kept, rotated and published, and would prove no more than the log does.

/// <summary>What a shredding did. Holds ids and counts; never a secret.</summary>
/// <param name="Tenant">Whose data.</param>
/// <param name="At">When the receipt was issued.</param>
/// <param name="By">Who shredded.</param>
/// <param name="Records">How many sealed values and row MACs are left in the database, by kind; none of them opens.</param>
/// <param name="Readable">How many still open: 0.</param>
/// <param name="KeyVersions">The versions of the tenant's key that were destroyed.</param>
/// <param name="RootKeys">
/// The root keys that had wrapped them. A copy of the database from before opens while one of these can still be had: rotate the root
/// key, and destroy its backups.
/// </param>
/// <param name="Revocations">The tenant's provider revocations, by how they ended.</param>
/// <param name="LogPosition">The tenant's log up to and with <see cref="EventKind.TenantShredded"/>: how many events, and the hash of the chain.</param>
public sealed record ShredReceipt(
    string Tenant, DateTimeOffset At, string By, IReadOnlyDictionary<string, long> Records, long Readable, IReadOnlyList<Guid> KeyVersions,
    IReadOnlyList<string> RootKeys, IReadOnlyDictionary<string, long> Revocations, string LogPosition)
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web);

    /// <summary>The form of the content.</summary>
    public string Format { get; init; } = "postern/shred-receipt/1";

    /// <summary>The content as it is hashed and authenticated.</summary>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, Options);

    /// <summary>The SHA-256 of the content in lower-case hex, as <see cref="EventKind.ShredReceiptIssued"/> tells it.</summary>
    public string ToDigest() => Convert.ToHexStringLower(SHA256.HashData(ToBytes()));
}

/// <summary>A receipt with its MAC, as it is written to a file.</summary>
/// <param name="Receipt">The content.</param>
/// <param name="Mac">The MAC over <see cref="ShredReceipt.ToBytes"/>.</param>
public sealed record SignedReceipt(ShredReceipt Receipt, byte[] Mac);
