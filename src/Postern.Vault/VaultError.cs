using Postern.Model;

namespace Postern.Vault;

/// <summary>Everything that can be wrong with a record, a MAC or the keys; nothing else is ever reported.</summary>
public enum VaultError
{
    /// <summary>The bytes are not a record of this version: never taken for plaintext.</summary>
    NotARecord,
    /// <summary>The record names a suite that the configuration does not allow.</summary>
    UnsupportedSuite,
    /// <summary>The record names a key version that this tenant does not have (any more).</summary>
    UnknownKeyVersion,
    /// <summary>Commitment, tag or MAC does not fit: sealed by another key, for another place, or edited.</summary>
    Refused,
    /// <summary>The key store does not answer; nothing is lost, try again.</summary>
    KeyStoreUnavailable,
    /// <summary>
    /// The tenant's key was wrapped by a root key that the key store does not have: it was deleted too early, or an older backup was put back.
    /// Nothing is lost while it can be restored.
    /// </summary>
    RootKeyMissing,
}

/// <summary>The vault's errors as refusals, and back.</summary>
public static class VaultErrors
{
    /// <summary>Which vault error a refusal is; null when another room refused.</summary>
    public static VaultError? AsVaultError(this Refusal refusal) => refusal.Code switch
    {
        "vault-not-a-record" => VaultError.NotARecord,
        "vault-unsupported-suite" => VaultError.UnsupportedSuite,
        "vault-unknown-key-version" => VaultError.UnknownKeyVersion,
        "vault-refused" => VaultError.Refused,
        "vault-key-store-unavailable" => VaultError.KeyStoreUnavailable,
        "vault-root-key-missing" => VaultError.RootKeyMissing,
        _ => null,
    };

    /// <summary>True when the key cannot be had now and may be again, which says nothing about what it seals.</summary>
    public static bool IsKeyUnavailable(this Refusal refusal) =>
        refusal.AsVaultError() is VaultError.KeyStoreUnavailable or VaultError.RootKeyMissing;

    /// <summary>The refusal for an error, for implementations of <see cref="IKeyStore"/>.</summary>
    /// <param name="error">Which error.</param>
    /// <param name="detail">What to tell the operator instead of the usual words; never key bytes.</param>
    public static Refusal Refuse(VaultError error, string? detail = null) => error switch
    {
        VaultError.NotARecord => new(RefusalKind.Untrusted, detail ?? "A stored value is not a sealed record.")
        {
            Code = "vault-not-a-record",
        },
        VaultError.UnsupportedSuite => new(RefusalKind.Untrusted, detail ?? "A stored value was sealed in a way that is not allowed here.")
        {
            Code = "vault-unsupported-suite",
        },
        VaultError.UnknownKeyVersion => new(RefusalKind.Untrusted, detail ?? "A stored value names a key that does not exist (any more).")
        {
            Code = "vault-unknown-key-version",
        },
        VaultError.Refused => new(RefusalKind.Untrusted, detail ?? "A stored value does not belong where it was found, or was edited.")
        {
            Code = "vault-refused",
        },
        VaultError.KeyStoreUnavailable => new(RefusalKind.Unavailable, detail ?? "The key store does not answer.")
        {
            Code = "vault-key-store-unavailable",
            RetryAfter = TimeSpan.FromSeconds(5),
        },
        VaultError.RootKeyMissing => new(RefusalKind.Unavailable, detail ?? "The key store does not have the root key that wrapped this tenant's key. Restore it.")
        {
            Code = "vault-root-key-missing",
            RetryAfter = TimeSpan.FromSeconds(5),
        },
        _ => throw new ArgumentOutOfRangeException(nameof(error), error, null),
    };
}

/// <summary>Something could not be sealed or authenticated because its key could not be had. Nothing was written.</summary>
/// <param name="refusal">Why.</param>
public sealed class VaultException(Refusal refusal) : RefusedException(refusal);
