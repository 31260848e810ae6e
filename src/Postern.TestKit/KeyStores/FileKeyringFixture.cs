using System.Runtime.Versioning;
using Postern.Model;
using Postern.Vault;

namespace Postern.TestKit;

/// <summary>The file keyring, in the clear or sealed by a passphrase.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class FileKeyringFixture : KeyStoreFixture
{
    private const string Deployment = "testkit";
    private readonly string folder = Directory.CreateTempSubdirectory("postern-keyring-").FullName;
    private readonly List<FileKeyring> opened = [];
    private readonly FileKeyringOptions options;

    /// <summary>Makes a keyring in a folder of its own.</summary>
    /// <param name="withPassphrase">Seals it.</param>
    public FileKeyringFixture(bool withPassphrase)
    {
        KeyringProtection.Passphrase? passphrase = null;
        if (withPassphrase)
        {
            var file = Path.Combine(folder, "passphrase");
            using (new FileStream(file, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
            {
            }
            File.WriteAllText(file, "six random words of a person\n");
            passphrase = new(file) { Cost = Argon2Cost.Minimum };
        }
        options = new() { Directory = Path.Combine(folder, "keys"), Protection = passphrase };
    }

    /// <inheritdoc/>
    public override bool CanRotate => true;

    /// <inheritdoc/>
    public override IKeyStore Open()
    {
        var keyring = FileKeyring.OpenOrCreate(options, Deployment, new SystemChance(), TimeProvider.System);
        opened.Add(keyring);
        return keyring;
    }

    /// <inheritdoc/>
    public override Task RotateAsync(CancellationToken cancellation)
    {
        using var keyring = FileKeyring.Open(options, Deployment, new SystemChance(), TimeProvider.System);
        keyring.Promote(keyring.AddRootKey());
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override ValueTask DisposeAsync()
    {
        opened.ForEach(keyring => keyring.Dispose());
        Directory.Delete(folder, recursive: true);
        return ValueTask.CompletedTask;
    }
}
