using System.Runtime.Versioning;
using Postern.Model;

namespace Postern.Vault;

/// <summary>
/// The embedded key store: root keys in one private file on this machine. It protects records in a stolen or copied database, and
/// nothing on a stolen machine; a key management service does more.
/// </summary>
/// <remarks>
/// The directory has mode 0700, the file 0600, both belong to the process's user, neither is a symbolic link, and they do not lie
/// in a folder that is copied together with the records; anything else is refused with its remedy. Rotation is two steps, so that
/// every node knows a key before any wraps with it: <see cref="AddRootKey"/>, then <see cref="Promote"/>.
/// </remarks>
[UnsupportedOSPlatform("windows")]
public sealed class FileKeyring : IKeyStore, IRootKeyring, IDisposable
{
    private readonly Lock gate = new();
    private readonly KeyringFile file;
    private readonly IChance chance;
    private readonly TimeProvider time;
    private readonly KeyringProtection? protection;
    private KeyringDocument document;
    private bool outdated;
    private bool disposed;

    private FileKeyring(KeyringFile file, KeyringDocument document, KeyringProtection? protection, IChance chance, TimeProvider time)
    {
        this.protection = protection;
        this.file = file;
        this.document = document;
        this.chance = chance;
        this.time = time;
    }

    /// <inheritdoc/>
    public string Description => protection switch
    {
        KeyringProtection.Credential => $"the file keyring {file.Path} (sealed by a systemd credential)",
        KeyringProtection.Passphrase => $"the file keyring {file.Path} (sealed by a passphrase)",
        _ => $"the file keyring {file.Path} (root keys in clear on this machine's disk)",
    };

    /// <summary>The root keys' ids, oldest first, and which one wraps.</summary>
    public IReadOnlyList<RootKeyInfo> RootKeys
    {
        get
        {
            lock (gate)
                return [.. Latest().Keys.Select(key => new RootKeyInfo(key.Id.ToString("D"), key.Created, key.Id == document.Current))];
        }
    }

    /// <summary>Opens the keyring; makes it, with one root key, when there is none.</summary>
    /// <param name="options">Where.</param>
    /// <param name="deployment">The deployment it is for, from <see cref="VaultOptions.Deployment"/>.</param>
    /// <param name="chance">Where keys come from.</param>
    /// <param name="time">For the keys' creation times.</param>
    /// <exception cref="KeyringException">It is not safe or not usable; the message says what to do.</exception>
    public static FileKeyring OpenOrCreate(FileKeyringOptions options, string deployment, IChance chance, TimeProvider time) =>
        OpenOrCreate(options, deployment, chance, time, after: null);

    /// <summary>Opens a keyring that exists.</summary>
    /// <inheritdoc cref="OpenOrCreate(FileKeyringOptions, string, IChance, TimeProvider)"/>
    public static FileKeyring Open(FileKeyringOptions options, string deployment, IChance chance, TimeProvider time)
    {
        var file = FileOf(options, chance, after: null);
        return new(file, ReadFirst(file, deployment), options.Protection, chance, time);
    }

    internal static FileKeyring OpenOrCreate(
        FileKeyringOptions options, string deployment, IChance chance, TimeProvider time, Action<KeyringStep>? after)
    {
        var file = FileOf(options, chance, after);
        file.CreateDirectory();
        if (!file.Exists)
        {
            var first = NewRootKey(chance, time);
            using var fresh = new KeyringDocument(deployment, first.Id, [first]);
            file.TryCreate(fresh);
        }
        // Read back in every case: what counts is what the disk says, also when another process was first.
        return new(file, ReadFirst(file, deployment), options.Protection, chance, time);
    }

    /// <inheritdoc/>
    public ValueTask<Outcome<string>> CurrentRootKeyIdAsync(CancellationToken cancellation)
    {
        lock (gate)
            return new(Outcome<string>.Of(Latest().Current.ToString("D")));
    }

    /// <inheritdoc/>
    public bool Owns(string rootKeyId) => Guid.TryParseExact(rootKeyId, "D", out _);

    /// <inheritdoc/>
    public void Refresh()
    {
        lock (gate)
            outdated = true;
    }

    /// <inheritdoc/>
    public ValueTask<Outcome<IReadOnlyList<RootKeyInfo>>> RootKeysAsync(CancellationToken cancellation) =>
        new(Outcome<IReadOnlyList<RootKeyInfo>>.Of(RootKeys));

    /// <inheritdoc/>
    public ValueTask<Outcome<RootWrapping>> WrapAsync(KeyWrapContext context, SecretBytes key, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            var root = Latest().Current;
            var wrapped = new byte[RecordFormat.SealedLength(key.Length)];
            using var associatedData = AssociatedData.OfKeyWrap(VaultSuite.HkdfSha512Aes256GcmCommit, root, context);
            RecordCipher.Seal(
                document.Find(root)!.Reveal(),
                VaultSuite.HkdfSha512Aes256GcmCommit,
                root,
                associatedData.Bytes,
                key.Reveal(),
                chance,
                wrapped);
            return new(new RootWrapping(root.ToString("D"), wrapped));
        }
    }

    /// <inheritdoc/>
    public ValueTask<Outcome<SecretBytes>> UnwrapAsync(
        KeyWrapContext context, string rootKeyId, ReadOnlyMemory<byte> wrapped, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            return new(Unwrap(context, rootKeyId, wrapped.Span));
        }
    }

    /// <summary>Adds a root key that is known but does not wrap yet.</summary>
    /// <returns>Its id, for <see cref="Promote"/> once every node has read it.</returns>
    /// <exception cref="KeyringException">The keyring is not safe, or another process is changing it.</exception>
    public string AddRootKey()
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            var added = NewRootKey(chance, time);
            using var wipe = added.Key;
            Replace(file.Change(now => new(now.Deployment, now.Current, [.. now.Keys, added])));
            return added.Id.ToString("D");
        }
    }

    /// <summary>Lets a known root key wrap from now on; the others only unwrap.</summary>
    /// <exception cref="KeyringException">The keyring is not safe, or another process is changing it.</exception>
    /// <exception cref="ArgumentException">No key has this id.</exception>
    public void Promote(string rootKeyId)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            Replace(file.Change(now => Guid.TryParseExact(rootKeyId, "D", out var id) && now.Find(id) is not null
                ? new(now.Deployment, id, now.Keys)
                : throw new ArgumentException("The keyring has no root key of this id.", nameof(rootKeyId))));
        }
    }

    /// <summary>
    /// Destroys a root key that no longer wraps. Whatever it alone had wrapped can never be unwrapped again, once the keyring's
    /// backups that hold it are gone too: wrap every tenant key under the current one first.
    /// </summary>
    /// <exception cref="KeyringException">The keyring is not safe, or another process is changing it.</exception>
    /// <exception cref="ArgumentException">No key has this id, or it is the one that wraps.</exception>
    public void Destroy(string rootKeyId)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            Replace(file.Change(now => Guid.TryParseExact(rootKeyId, "D", out var id) && now.Find(id) is not null && id != now.Current
                ? new(now.Deployment, now.Current, [.. now.Keys.Where(key => key.Id != id)])
                : throw new ArgumentException("The keyring has no root key of this id that does not wrap.", nameof(rootKeyId))));
        }
    }

    /// <summary>Reads the file again, after another process changed it.</summary>
    /// <exception cref="KeyringException">It is not safe or not usable any more; what was read before stays in use.</exception>
    public void Reload()
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            Replace(Read(file, document.Deployment));
        }
    }

    /// <summary>Wipes the root keys from memory.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            disposed = true;
            document.Dispose();
            file.Dispose();
        }
    }

    private Outcome<SecretBytes> Unwrap(KeyWrapContext context, string rootKeyId, ReadOnlySpan<byte> wrapped)
    {
        if (!RecordFormat.LooksLikeRecord(wrapped))
            return VaultErrors.Refuse(VaultError.NotARecord, "A wrapped key is not in the form of the file keyring.");
        if (RecordFormat.ReadSuite(wrapped) != VaultSuite.HkdfSha512Aes256GcmCommit)
            return VaultErrors.Refuse(VaultError.UnsupportedSuite);
        // The id beside the wrapped key and the one inside must agree; both come from the database.
        if (!Guid.TryParseExact(rootKeyId, "D", out var root) || RecordFormat.ReadKeyVersion(wrapped) != root)
            return VaultErrors.Refuse(VaultError.Refused, "A wrapped key does not name the root key that it is stored with.");

        if (Latest().Find(root) is null)
            Replace(Read(file, document.Deployment));
        if (document.Find(root) is not { } key)
            return VaultErrors.Refuse(
                VaultError.RootKeyMissing, $"Root key {root:D} is not in the keyring. Restore the keyring's backup that has it.");

        using var associatedData = AssociatedData.OfKeyWrap(VaultSuite.HkdfSha512Aes256GcmCommit, root, context);
        var opened = RecordCipher.TryOpen(key.Reveal(), VaultSuite.HkdfSha512Aes256GcmCommit, associatedData.Bytes, wrapped);
        return opened is null
            ? VaultErrors.Refuse(VaultError.Refused, "A wrapped key does not belong where it was found, or was edited.")
            : opened;
    }

    private void Replace(KeyringDocument fresh)
    {
        document.Dispose();
        document = fresh;
        outdated = false;
    }

    /// <summary>The root keys, read again where another process may have changed them. Under the lock.</summary>
    private KeyringDocument Latest()
    {
        if (outdated)
            Replace(Read(file, document.Deployment));
        return document;
    }

    private static KeyringFile FileOf(FileKeyringOptions options, IChance chance, Action<KeyringStep>? after)
    {
        if (OperatingSystem.IsWindows())
            throw KeyringException.UnsupportedPlatform();
        var directory = Path.TrimEndingDirectorySeparator(Path.GetFullPath(options.Directory));
        foreach (var forbidden in options.ForbiddenDirectories)
        {
            if (PrivateFiles.IsWithin(directory, forbidden))
                throw new KeyringException(
                    KeyringProblem.InsideDatabaseFolder,
                    $"The keyring directory {directory} lies in {forbidden}, whose copies would carry records and keys together. "
                    + "Move it beside that folder, and back it up separately.");
        }
        var file = Path.Combine(directory, "keyring.json");
        if (options.Protection is KeyringProtection.Passphrase passphrase && PrivateFiles.IsWithin(Path.GetFullPath(passphrase.File), directory))
            throw new KeyringException(
                KeyringProblem.WeakSecret,
                $"The passphrase file {passphrase.File} lies in the keyring's directory: one copy would carry both. Keep it elsewhere.");
        return new(directory, chance, options.Protection is { } protection ? new KeyringSealer(protection, file, chance) : null, after);
    }

    /// <summary>Reads, and seals a file that is older than the settings that want it sealed.</summary>
    private static KeyringDocument ReadFirst(KeyringFile file, string deployment)
    {
        var document = Read(file, deployment);
        if (!file.IsPlainAgainstSettings)
            return document;
        document.Dispose();
        file.Change(static now => new(now.Deployment, now.Current, now.Keys)).Dispose();
        return Read(file, deployment);
    }

    private static KeyringDocument Read(KeyringFile file, string deployment)
    {
        var document = file.Read();
        if (string.Equals(document.Deployment, deployment, StringComparison.Ordinal))
            return document;
        document.Dispose();
        throw new KeyringException(
            KeyringProblem.OtherDeployment,
            $"The keyring {file.Path} belongs to deployment '{document.Deployment}', this is '{deployment}'. "
            + "Name the right directory, or set the deployment back.");
    }

    private static KeyringDocument.RootKey NewRootKey(IChance chance, TimeProvider time)
    {
        Span<byte> bytes = stackalloc byte[RecordFormat.KeyLength];
        try
        {
            chance.Fill(bytes);
            return new(chance.NewId(), time.GetUtcNow(), new SecretBytes(bytes));
        }
        finally
        {
            System.Security.Cryptography.CryptographicOperations.ZeroMemory(bytes);
        }
    }
}
