using System.Buffers;
using System.Buffers.Text;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using NSec.Cryptography;
using Postern.Model;

namespace Postern.Vault;

/// <summary>
/// Seals and opens the keyring's content with the wrapping key of a <see cref="KeyringProtection"/>. The key is made once for each
/// salt and kept, because Argon2id is slow on purpose.
/// </summary>
[UnsupportedOSPlatform("windows")]
internal sealed class KeyringSealer(KeyringProtection protection, string path, IChance chance) : IDisposable
{
    private const int MaxSecretFile = 4096;
    private (KeyringEnvelope.Derivation? Derivation, SecretBytes Key)? made;

    /// <summary>The file's bytes for this content, which the caller wipes.</summary>
    public byte[] Seal(string deployment, ReadOnlySpan<byte> content)
    {
        var derivation = made?.Derivation ?? NewDerivation();
        var associatedData = KeyringEnvelope.AssociatedData(deployment, Kind, derivation);
        var sealedContent = new byte[RecordFormat.SealedLength(content.Length)];
        RecordCipher.Seal(
            Key(derivation).Reveal(), VaultSuite.HkdfSha512Aes256GcmCommit, Guid.Empty, associatedData, content, chance, sealedContent);
        return new KeyringEnvelope(deployment, Kind, derivation, sealedContent).ToUtf8();
    }

    /// <summary>The content, which the caller wipes.</summary>
    /// <exception cref="KeyringException">It was sealed with another key, or for other settings.</exception>
    public SecretBytes Open(KeyringEnvelope envelope)
    {
        if (envelope.Protection != Kind)
            throw new KeyringException(
                KeyringProblem.Locked,
                $"The keyring {path} is sealed by a {envelope.Protection}, the settings name a {Kind}. Set them back.");
        var associatedData = KeyringEnvelope.AssociatedData(envelope.Deployment, Kind, envelope.Argon2id);
        return RecordCipher.TryOpen(
                Key(envelope.Argon2id).Reveal(), VaultSuite.HkdfSha512Aes256GcmCommit, associatedData, envelope.Sealed)
            ?? throw new KeyringException(
                KeyringProblem.Locked, $"The {Kind} does not open the keyring {path}. Give the one it was sealed with, or restore both from backup.");
    }

    public void Dispose() => made?.Key.Dispose();

    private string Kind => protection is KeyringProtection.Passphrase ? KeyringEnvelope.ByPassphrase : KeyringEnvelope.ByCredential;

    private KeyringEnvelope.Derivation? NewDerivation()
    {
        if (protection is not KeyringProtection.Passphrase passphrase)
            return null;
        var salt = new byte[KeyringEnvelope.SaltLength];
        chance.Fill(salt);
        return new(passphrase.Cost, salt);
    }

    private SecretBytes Key(KeyringEnvelope.Derivation? derivation)
    {
        if (made is { } have && Equals(have.Derivation, derivation))
            return have.Key;
        var key = protection switch
        {
            KeyringProtection.Passphrase passphrase => Stretch(passphrase, derivation!),
            KeyringProtection.Credential credential => ReadCredential(credential),
            _ => throw new InvalidOperationException($"{protection.GetType().Name} is no protection of this version."),
        };
        made?.Key.Dispose();
        made = (derivation, key);
        return key;
    }

    private static SecretBytes Stretch(KeyringProtection.Passphrase passphrase, KeyringEnvelope.Derivation derivation)
    {
        PrivateFiles.Check(passphrase.File, directory: false, "passphrase file");
        return ReadSecret(passphrase.File, "passphrase file", text =>
        {
            text = text.TrimEnd("\r\n"u8);
            if (text.Length < KeyringProtection.MinPassphraseBytes)
                throw new KeyringException(
                    KeyringProblem.WeakSecret,
                    $"The passphrase in {passphrase.File} is shorter than {KeyringProtection.MinPassphraseBytes} bytes. Take six random words or more.");
            Span<byte> key = stackalloc byte[RecordFormat.KeyLength];
            try
            {
                new Argon2id(new Argon2Parameters
                {
                    DegreeOfParallelism = 1,
                    MemorySize = derivation.Cost.MemoryKiB,
                    NumberOfPasses = derivation.Cost.Passes,
                }).DeriveBytes(text, derivation.Salt, key);
                return new SecretBytes(key);
            }
            finally
            {
                CryptographicOperations.ZeroMemory(key);
            }
        });
    }

    private static SecretBytes ReadCredential(KeyringProtection.Credential credential)
    {
        var folder = Environment.GetEnvironmentVariable("CREDENTIALS_DIRECTORY");
        if (string.IsNullOrEmpty(folder))
            throw new KeyringException(
                KeyringProblem.Locked,
                "The keyring's wrapping key is a systemd credential, and $CREDENTIALS_DIRECTORY is not set. Start Postern as a systemd "
                + $"service with LoadCredentialEncrypted={credential.Name}:…");
        // Who may read there is systemd's doing (tmpfs, access list for this service), so no mode is judged.
        var file = Path.Combine(folder, credential.Name);
        return ReadSecret(file, "credential", bytes =>
        {
            if (bytes.Length == RecordFormat.KeyLength)
                return new SecretBytes(bytes);
            Span<byte> key = stackalloc byte[RecordFormat.KeyLength + 1];
            try
            {
                return Base64.DecodeFromUtf8(bytes.TrimEnd("\r\n"u8), key, out _, out var written) == OperationStatus.Done
                    && written == RecordFormat.KeyLength
                        ? new SecretBytes(key[..written])
                        : throw new KeyringException(
                            KeyringProblem.WeakSecret,
                            $"The credential {file} is neither {RecordFormat.KeyLength} bytes nor their base64 text. Make one with: "
                            + $"openssl rand -base64 {RecordFormat.KeyLength} | systemd-creds encrypt --name={credential.Name} - {credential.Name}.cred");
            }
            finally
            {
                CryptographicOperations.ZeroMemory(key);
            }
        });
    }

    private delegate SecretBytes SecretReader(ReadOnlySpan<byte> content);

    private static SecretBytes ReadSecret(string file, string what, SecretReader read)
    {
        byte[] content = GC.AllocateUninitializedArray<byte>(MaxSecretFile + 1, pinned: true);
        try
        {
            using var handle = File.OpenHandle(file);
            var length = 0;
            while (length < content.Length && RandomAccess.Read(handle, content.AsSpan(length), length) is > 0 and var some)
                length += some;
            if (length > MaxSecretFile)
                throw new KeyringException(KeyringProblem.WeakSecret, $"The {what} {file} is longer than {MaxSecretFile} bytes: that is another file.");
            return read(content.AsSpan(0, length));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new KeyringException(
                KeyringProblem.Locked, $"The {what} {file} cannot be read ({failure.GetType().Name}). Check its path and permissions.", failure);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(content);
        }
    }
}
