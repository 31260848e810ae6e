namespace Postern.Vault;

/// <summary>What seals the keyring file on the disk. Without one, who reads the file has the root keys.</summary>
public abstract record KeyringProtection
{
    private KeyringProtection()
    {
    }

    /// <summary>
    /// A wrapping key that systemd hands to the service: <c>LoadCredentialEncrypted=NAME:…</c>, bound to the host or its TPM2, found
    /// as <c>$CREDENTIALS_DIRECTORY/NAME</c>. 32 bytes, or their base64 text.
    /// </summary>
    /// <param name="Name">The credential's name; no path.</param>
    public sealed record Credential(string Name) : KeyringProtection;

    /// <summary>
    /// A passphrase in a file, of at least <see cref="MinPassphraseBytes"/> bytes without its last line break; Argon2id makes the key
    /// of it (RFC 9106). The file is as private as the keyring's, or a credential of systemd, and does not lie beside the keyring.
    /// </summary>
    /// <param name="File">The file.</param>
    public sealed record Passphrase(string File) : KeyringProtection
    {
        /// <summary>What a new keyring asks of who guesses.</summary>
        /// <value><see cref="Argon2Cost.Default"/>.</value>
        public Argon2Cost Cost { get; init; } = Argon2Cost.Default;
    }

    /// <summary>The shortest passphrase, in bytes.</summary>
    public const int MinPassphraseBytes = 12;
}

/// <summary>What one guess of a passphrase costs, with Argon2id and one lane (RFC 9106 section 3.1).</summary>
/// <param name="MemoryKiB">Memory, in KiB.</param>
/// <param name="Passes">Passes over it.</param>
public sealed record Argon2Cost(int MemoryKiB, int Passes)
{
    /// <summary>64 MiB and 4 passes: above RFC 9106's second recommendation of 3.</summary>
    public static Argon2Cost Default { get; } = new(64 * 1024, 4);

    /// <summary>The least that is accepted, also of a file: 19 MiB and 2 passes (OWASP's minimum for one lane).</summary>
    public static Argon2Cost Minimum { get; } = new(19 * 1024, 2);

    /// <summary>The most that is accepted of a file, so that one put in its place cannot exhaust the machine: 1 GiB and 16 passes.</summary>
    public static Argon2Cost Maximum { get; } = new(1024 * 1024, 16);

    /// <summary>True within both bounds.</summary>
    public bool IsAcceptable =>
        MemoryKiB >= Minimum.MemoryKiB && MemoryKiB <= Maximum.MemoryKiB && Passes >= Minimum.Passes && Passes <= Maximum.Passes;
}
