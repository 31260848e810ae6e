using System.Runtime.Versioning;
using System.Security.Cryptography;
using Postern.Model;

namespace Postern.Vault;

/// <summary>The moments at which a keyring file's writer can be cut short; each must leave the old content or the new.</summary>
internal enum KeyringStep
{
    /// <summary>The new content is in a file of its own, perhaps not yet on the disk.</summary>
    Written,
    /// <summary>It is on the disk.</summary>
    Flushed,
    /// <summary>It has the keyring's name.</summary>
    Published,
    /// <summary>So says the disk, too.</summary>
    Durable,
}

/// <summary>
/// Reads and writes the keyring file: private, created exclusively, replaced atomically, durable before anybody uses a key in it.
/// </summary>
[UnsupportedOSPlatform("windows")]
internal sealed class KeyringFile(string directory, IChance chance, KeyringSealer? sealer, Action<KeyringStep>? after = null) : IDisposable
{
    private const string FileName = "keyring.json";
    private const string LockName = "keyring.lock";

    public string Path { get; } = System.IO.Path.Combine(directory, FileName);

    /// <summary>True for anything of this name, also a link to nowhere.</summary>
    public bool Exists => System.IO.Path.Exists(Path);

    /// <summary>Makes the directory with mode 0700, durably. One that exists keeps its mode, which <see cref="Read"/> judges.</summary>
    public void CreateDirectory()
    {
        if (System.IO.Path.Exists(directory))
            return;
        Directory.CreateDirectory(directory, PrivateFiles.DirectoryMode);
        DurableDirectory.Flush(System.IO.Path.GetDirectoryName(directory)!);
    }

    /// <summary>Checks and reads.</summary>
    /// <exception cref="KeyringException">It is not safe or not a keyring.</exception>
    public KeyringDocument Read()
    {
        PrivateFiles.Check(directory, directory: true);
        PrivateFiles.Check(Path, directory: false);
        byte[] content = [];
        try
        {
            using var file = File.OpenHandle(Path);
            var length = RandomAccess.GetLength(file);
            if (length > KeyringDocument.MaxLength)
                throw new FormatException($"it is larger than {KeyringDocument.MaxLength} bytes");
            content = GC.AllocateUninitializedArray<byte>((int)length, pinned: true);
            var read = 0;
            while (read < content.Length && RandomAccess.Read(file, content.AsSpan(read), read) is > 0 and var some)
                read += some;
            return Parse(content.AsSpan(0, read));
        }
        catch (FormatException format)
        {
            throw new KeyringException(
                KeyringProblem.Malformed, $"The keyring {Path} cannot be read: {format.Message}. Restore it from its backup.");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(content);
        }
    }

    /// <summary>True when the settings want the file sealed and it is not, because they are newer than it.</summary>
    public bool IsPlainAgainstSettings { get; private set; }

    /// <summary>Writes the first keyring; false when another process was first, whose keyring then counts.</summary>
    public bool TryCreate(KeyringDocument document)
    {
        PrivateFiles.Check(directory, directory: true);
        return Publish(document, replace: false);
    }

    /// <summary>Replaces the keyring by what <paramref name="change"/> makes of it; one process at a time.</summary>
    /// <exception cref="KeyringException">Another process changes it now, or it is not safe.</exception>
    public KeyringDocument Change(Func<KeyringDocument, KeyringDocument> change)
    {
        using var held = TakeLock();
        using var before = Read();
        using var changed = change(before);
        DeleteLeftovers();
        Publish(changed, replace: true);
        return Read();
    }

    /// <summary>Wipes the wrapping key.</summary>
    public void Dispose() => sealer?.Dispose();

    private KeyringDocument Parse(ReadOnlySpan<byte> content)
    {
        var envelope = KeyringEnvelope.TryParse(content);
        IsPlainAgainstSettings = envelope is null && sealer is not null;
        if (envelope is null)
            return KeyringDocument.Parse(content);
        if (sealer is null)
            throw new KeyringException(
                KeyringProblem.Locked, $"The keyring {Path} is sealed by a {envelope.Protection}, and the settings name none. Set it back.");
        using var opened = sealer.Open(envelope);
        var document = KeyringDocument.Parse(opened.Reveal());
        if (string.Equals(document.Deployment, envelope.Deployment, StringComparison.Ordinal))
            return document;
        document.Dispose();
        throw new FormatException("it names two deployments");
    }

    private FileStream TakeLock()
    {
        PrivateFiles.Check(directory, directory: true);
        try
        {
            return new(System.IO.Path.Combine(directory, LockName), new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
                UnixCreateMode = PrivateFiles.FileMode,
            });
        }
        catch (IOException busy)
        {
            throw new KeyringException(
                KeyringProblem.Busy, $"Another process is changing the keyring {Path}. Try again when it is done.", busy);
        }
    }

    /// <summary>
    /// A process that died while writing left its file, with keys in it. A creator that is alive and late loses nothing: it was not
    /// first.
    /// </summary>
    private void DeleteLeftovers()
    {
        foreach (var leftover in Directory.EnumerateFiles(directory, $".{FileName}.*"))
            File.Delete(leftover);
    }

    private bool Publish(KeyringDocument document, bool replace)
    {
        var fresh = System.IO.Path.Combine(directory, $".{FileName}.{chance.NewId():N}");
        var content = document.ToUtf8();
        if (sealer is not null)
        {
            var plain = content;
            content = sealer.Seal(document.Deployment, plain);
            CryptographicOperations.ZeroMemory(plain);
        }
        try
        {
            using (var file = new FileStream(fresh, new FileStreamOptions
            {
                Mode = FileMode.CreateNew, // O_EXCL: follows no link and takes no file that somebody put there
                Access = FileAccess.Write,
                Share = FileShare.None,
                BufferSize = 0,
                UnixCreateMode = PrivateFiles.FileMode,
            }))
            {
                file.Write(content);
                after?.Invoke(KeyringStep.Written);
                file.Flush(flushToDisk: true);
                after?.Invoke(KeyringStep.Flushed);
            }
            try
            {
                // Without overwrite this is link and unlink: of two creators, the second fails instead of replacing a key in use.
                File.Move(fresh, Path, replace);
            }
            catch (IOException) when (!replace && Exists)
            {
                return false;
            }
            after?.Invoke(KeyringStep.Published);
            DurableDirectory.Flush(directory);
            after?.Invoke(KeyringStep.Durable);
            return true;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(content);
            File.Delete(fresh);
        }
    }
}
