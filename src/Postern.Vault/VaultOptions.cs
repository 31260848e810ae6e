using System.Collections.Immutable;
using Postern.Model;

namespace Postern.Vault;

/// <summary>The vault's settings. All errors are reported at once, by <see cref="Validate"/>.</summary>
public sealed record VaultOptions
{
    /// <summary>
    /// The name of this installation, a slug. It is part of what every record and wrapped key is bound to: two installations never
    /// open each other's, and changing it later makes everything stored unreadable.
    /// </summary>
    public required string Deployment { get; init; }

    /// <summary>The suite that seals.</summary>
    /// <value><see cref="VaultSuite.HkdfSha512Aes256GcmCommit"/>.</value>
    public VaultSuite SealSuite { get; init; } = VaultSuite.HkdfSha512Aes256GcmCommit;

    /// <summary>The suites that open. A record cannot choose one that is not here.</summary>
    /// <value>Only <see cref="VaultSuite.HkdfSha512Aes256GcmCommit"/>.</value>
    public ImmutableArray<VaultSuite> OpenSuites { get; init; } = [VaultSuite.HkdfSha512Aes256GcmCommit];

    /// <summary>An unwrapped tenant key that nobody used for this long is wiped from memory.</summary>
    /// <value>60 seconds.</value>
    public TimeSpan KeyIdle { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>An unwrapped tenant key is wiped after this long however busy it is, and unwrapped again; at most 15 minutes.</summary>
    /// <value>15 minutes.</value>
    public TimeSpan KeyLifetime { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>
    /// How long one answer of the key store is waited for, its retries included. A key store that hangs is noticed to be back after
    /// this and the longest pause (4 seconds) together, so less than ten seconds.
    /// </summary>
    /// <value>5 seconds.</value>
    public TimeSpan KeyStoreTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The file keyring; null when the program registers another <see cref="IKeyStore"/>.</summary>
    public FileKeyringOptions? FileKeyring { get; init; }

    /// <summary>The key store of another machine; null when the program registers another <see cref="IKeyStore"/> or uses the file keyring.</summary>
    public RemoteKeyStoreOptions? RemoteKeyStore { get; init; }

    /// <summary>
    /// The key store that was used before, of another kind than the one that is used now: it unwraps what it wrapped, and wraps nothing. It can
    /// go once a rotation of the root key has wrapped every tenant key anew.
    /// </summary>
    /// <value>None.</value>
    public FormerKeyStoreOptions? Former { get; init; }

    /// <summary>The longest <see cref="KeyLifetime"/>.</summary>
    public static TimeSpan MaxKeyLifetime { get; } = TimeSpan.FromMinutes(15);

    /// <summary>Every error of these settings, each with what to write instead; empty when there is none.</summary>
    public IReadOnlyList<string> Validate()
    {
        var errors = new List<string>();
        if (!Slug.IsValid(Deployment))
            errors.Add($"{nameof(Deployment)}: {Slug.Remedy("deployment", Deployment)}");
        if (!Enum.IsDefined(SealSuite))
            errors.Add($"{nameof(SealSuite)}: 0x{(ushort)SealSuite:x4} is no suite of this version.");
        if (OpenSuites.IsDefaultOrEmpty || !OpenSuites.Contains(SealSuite))
            errors.Add($"{nameof(OpenSuites)}: must contain {nameof(SealSuite)}, or nothing sealed could be opened.");
        if (!OpenSuites.IsDefault && OpenSuites.Any(suite => !Enum.IsDefined(suite)))
            errors.Add($"{nameof(OpenSuites)}: contains a suite that this version does not know.");
        if (KeyIdle <= TimeSpan.Zero || KeyIdle > KeyLifetime)
            errors.Add($"{nameof(KeyIdle)}: must be more than zero and at most {nameof(KeyLifetime)} ({KeyLifetime}).");
        if (KeyLifetime <= TimeSpan.Zero || KeyLifetime > MaxKeyLifetime)
            errors.Add($"{nameof(KeyLifetime)}: must be more than zero and at most {MaxKeyLifetime}.");
        if (KeyStoreTimeout <= TimeSpan.Zero || KeyStoreTimeout > TimeSpan.FromMinutes(2))
            errors.Add($"{nameof(KeyStoreTimeout)}: must be more than zero and at most two minutes.");
        if (FileKeyring is not null && RemoteKeyStore is not null)
            errors.Add($"{nameof(RemoteKeyStore)}: {nameof(FileKeyring)} is set, too. Choose one.");
        errors.AddRange(FileKeyring?.Validate(nameof(FileKeyring)) ?? []);
        errors.AddRange(RemoteKeyStore?.Validate() ?? []);
        if (Former is { } former)
            errors.AddRange(former.Validate(FileKeyring, RemoteKeyStore).Select(error => $"{nameof(Former)}.{error}"));
        return errors;
    }

    /// <summary>Throws with all errors of <see cref="Validate"/>.</summary>
    /// <exception cref="ArgumentException">There is an error; the message lists every one.</exception>
    public VaultOptions Checked()
    {
        Check("The vault", Validate());
        return this;
    }

    /// <summary>Throws with all errors.</summary>
    internal static void Check(string what, IEnumerable<string> errors)
    {
        var all = errors.ToList();
        if (all.Count > 0)
            throw new ArgumentException($"{what}'s settings are wrong:\n- " + string.Join("\n- ", all));
    }
}

/// <summary>Where the file keyring is.</summary>
public sealed record FileKeyringOptions
{
    /// <summary>A directory that holds the keyring and nothing else; created with mode 0700 when missing.</summary>
    public required string Directory { get; init; }

    /// <summary>
    /// The folders of databases and of other things that are copied away. The keyring is refused inside any of them: a backup that
    /// carries records and keys together protects nothing.
    /// </summary>
    /// <value>None.</value>
    public ImmutableArray<string> ForbiddenDirectories { get; init; } = [];

    /// <summary>
    /// What seals the file. A keyring that is not sealed yet is sealed when it is opened with one; its older backups still hold the
    /// keys in clear, so the root key is rotated then.
    /// </summary>
    /// <value>None: who reads the file has the root keys.</value>
    public KeyringProtection? Protection { get; init; }

    /// <summary>Every error of these settings, each behind <paramref name="name"/>.</summary>
    internal IEnumerable<string> Validate(string name)
    {
        if (string.IsNullOrWhiteSpace(Directory))
            yield return $"{name}.{nameof(Directory)}: name a directory of its own, such as /var/lib/postern/keys.";
        if (Protection is KeyringProtection.Credential { Name: var credential } && (credential.Length == 0 || credential != Path.GetFileName(credential)))
            yield return $"{name}.{nameof(Protection)}: name the credential as LoadCredentialEncrypted= does, without a path.";
        if (Protection is KeyringProtection.Passphrase passphrase)
        {
            if (string.IsNullOrWhiteSpace(passphrase.File))
                yield return $"{name}.{nameof(Protection)}: name the file that holds the passphrase.";
            if (!passphrase.Cost.IsAcceptable)
                yield return $"{name}.{nameof(Protection)}: {Argon2Cost.Minimum} is the least and {Argon2Cost.Maximum} the most.";
        }
    }
}

/// <summary>The key store that was used before; one of the two.</summary>
public sealed record FormerKeyStoreOptions
{
    /// <summary>The file keyring, which must be there: none is made.</summary>
    public FileKeyringOptions? FileKeyring { get; init; }

    /// <summary>The service.</summary>
    public RemoteKeyStoreOptions? RemoteKeyStore { get; init; }

    /// <summary>Every error of these settings.</summary>
    internal IEnumerable<string> Validate(FileKeyringOptions? currentFile, RemoteKeyStoreOptions? currentRemote)
    {
        if ((FileKeyring is null) == (RemoteKeyStore is null))
            yield return $"{nameof(RemoteKeyStore)}: set this or {nameof(FileKeyring)}.";
        // Two stores of one kind may have root keys of one name, and nothing beside a wrapped key would say which is meant.
        if ((FileKeyring is not null && currentFile is not null) || (RemoteKeyStore is not null && RemoteKeyStore.GetType() == currentRemote?.GetType()))
            yield return $"{(FileKeyring is null ? nameof(RemoteKeyStore) : nameof(FileKeyring))}: is of the same kind as the one that is used now. Move by way of another kind.";
        foreach (var error in (FileKeyring?.Validate(nameof(FileKeyring)) ?? []).Concat(RemoteKeyStore?.Validate() ?? []))
            yield return error;
    }
}
