using Postern.Model;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Keys;

/// <summary>How a row is moved under the newest key version: by compare-and-set on the bytes that were read.</summary>
/// <param name="Change">All sealed values of the row, in one statement.</param>
/// <param name="Told">What the log must know of it; null for most.</param>
internal sealed record Move(Upkeep Change, AuditEvent? Told = null);

/// <summary>One sealed value of a row: a record or a MAC.</summary>
/// <param name="Kind">What it is, such as <c>token.refresh</c> or <c>mac.session</c>.</param>
/// <param name="Version">The key version that it names; null when it is none of the vault's values.</param>
/// <param name="OpenAsync">Opens it or checks it, and keeps nothing.</param>
internal sealed record SealedPart(string Kind, Guid? Version, Func<CancellationToken, ValueTask<Outcome<Done>>> OpenAsync);

/// <summary>A row with what it holds under the tenant's key.</summary>
/// <param name="Parts">Its sealed values.</param>
/// <param name="SealAnewAsync">
/// Seals all of them under the newest key version, and answers how the row is moved, or null when it does not open where it lies: edited,
/// moved, or its key is gone. Itself null for rows that live minutes.
/// </param>
internal sealed record VaultRow(IReadOnlyList<SealedPart> Parts, Func<CancellationToken, Task<Move?>>? SealAnewAsync);

/// <summary>An outcome of the vault as this room's sweeps judge it.</summary>
internal static class VaultAnswers
{
    /// <summary>True when it opened; a key store that does not answer ends the whole sweep, because then nothing is known of the row.</summary>
    /// <exception cref="VaultException">The key store does not answer.</exception>
    public static bool Opened<T>(this Outcome<T> outcome) where T : notnull =>
        outcome.Refusal is not { } refusal
        || (refusal.AsVaultError() == VaultError.KeyStoreUnavailable ? throw new VaultException(refusal) : false);
}
