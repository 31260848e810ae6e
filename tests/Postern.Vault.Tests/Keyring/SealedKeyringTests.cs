using System.Text;
using Konscious.Security.Cryptography;
using Postern.Model;

namespace Postern.Vault.Tests;

/// <summary>A keyring sealed by a passphrase or a systemd credential: what its file shows, and who opens it.</summary>
public sealed class SealedKeyringTests : IDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private readonly TempDirectory temp = new();
    private readonly SeededChance chance = new("sealed keyring");

    private string Folder => Path.Combine(temp.Path, "keys");

    private string KeyringFile => Path.Combine(Folder, "keyring.json");

    public void Dispose() => temp.Dispose();

    [Fact]
    public void Keyring_SealedByPassphrase_OpensWithItAloneAndShowsNoKey()
    {
        var options = WithPassphrase("correct horse battery staple");
        string id;
        using (var made = Create(options))
            id = Assert.Single(made.RootKeys).Id;

        var file = File.ReadAllText(KeyringFile);
        Assert.DoesNotContain(id, file, StringComparison.Ordinal);
        Assert.DoesNotContain("\"key\"", file, StringComparison.Ordinal);
        using (var opened = Open(options))
        {
            Assert.Equal(id, Assert.Single(opened.RootKeys).Id);
            Assert.Contains("passphrase", opened.Description, StringComparison.Ordinal);
        }
        AssertProblem(KeyringProblem.Locked, WithPassphrase("correct horse battery stable"), "does not open");
        AssertProblem(KeyringProblem.Locked, new() { Directory = Folder }, "settings name none");
    }

    [Fact]
    public void Keyring_Rotated_StaysSealed()
    {
        var options = WithPassphrase("correct horse battery staple");
        using (var keyring = Create(options))
            keyring.Promote(keyring.AddRootKey());
        Assert.DoesNotContain("\"key\"", File.ReadAllText(KeyringFile), StringComparison.Ordinal);
        using var again = Open(options);
        Assert.Equal([false, true], again.RootKeys.Select(key => key.Current));
    }

    [Fact]
    public void Keyring_OlderThanItsProtection_IsSealedWhenItIsOpened()
    {
        Create(new() { Directory = Folder }).Dispose();
        Assert.Contains("\"key\"", File.ReadAllText(KeyringFile), StringComparison.Ordinal);
        Open(WithPassphrase("correct horse battery staple")).Dispose();
        Assert.DoesNotContain("\"key\"", File.ReadAllText(KeyringFile), StringComparison.Ordinal);
        Assert.Equal(Private, File.GetUnixFileMode(KeyringFile));
    }

    [Theory]
    [InlineData("raw")]
    [InlineData("base64")]
    public void Keyring_SealedByACredential_OpensWithItAlone(string form)
    {
        using var credentials = new Credentials(temp.Path);
        var key = new byte[32];
        chance.Fill(key);
        credentials.Write("root", form == "raw" ? key : Encoding.ASCII.GetBytes(Convert.ToBase64String(key) + "\n"));
        var options = new FileKeyringOptions { Directory = Folder, Protection = new KeyringProtection.Credential("root") };
        Create(options).Dispose();
        Open(options).Dispose();

        key[5] ^= 1;
        credentials.Write("root", key);
        AssertProblem(KeyringProblem.Locked, options, "does not open");
        credentials.Write("root", key[..31]);
        AssertProblem(KeyringProblem.WeakSecret, options, "systemd-creds encrypt");
        credentials.Delete("root");
        AssertProblem(KeyringProblem.Locked, options, "cannot be read");
        AssertProblem(KeyringProblem.Locked, WithPassphrase("correct horse battery staple"), "settings name a passphrase");
    }

    [Fact]
    public void Credential_WithoutSystemd_IsExplained()
    {
        var options = new FileKeyringOptions { Directory = Folder, Protection = new KeyringProtection.Credential("root") };
        var thrown = Assert.Throws<KeyringException>(() => Create(options));
        Assert.Equal(KeyringProblem.Locked, thrown.Problem);
        Assert.Contains("LoadCredentialEncrypted=root", thrown.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(KeyringFile));
    }

    [Fact]
    public void Passphrase_ThatProtectsNothing_IsRefused()
    {
        AssertCreateFails(KeyringProblem.WeakSecret, WithPassphrase("short"));
        AssertCreateFails(KeyringProblem.WeakSecret, WithPassphrase(new string('x', 5000)));
        var open = WithPassphrase("correct horse battery staple");
        File.SetUnixFileMode(((KeyringProtection.Passphrase)open.Protection!).File, Private | UnixFileMode.GroupRead);
        AssertCreateFails(KeyringProblem.NotPrivate, open);
        Directory.CreateDirectory(Folder, Private | UnixFileMode.UserExecute);
        AssertCreateFails(KeyringProblem.WeakSecret, new() { Directory = Folder, Protection = Passphrase(Path.Combine(Folder, "passphrase"), "correct horse battery staple") });
    }

    [Theory]
    [InlineData("\"memory\": 19456", "\"memory\": 19455")]
    [InlineData("\"memory\": 19456", "\"memory\": 1048577")]
    [InlineData("\"passes\": 2", "\"passes\": 1")]
    [InlineData("\"passes\": 2", "\"passes\": 17")]
    [InlineData("\"passes\": 2", "\"passes\": 99999999999")]
    [InlineData("\"argon2id\"", "\"argon2i\"")]
    [InlineData("\"protection\": \"passphrase\"", "\"protection\": \"none\"")]
    [InlineData("postern-keyring-sealed/1", "postern-keyring-sealed/2")]
    [InlineData("\"sealed\": \"AQAB", "\"sealed\": \"AQAC")]
    [InlineData("\"sealed\": \"AQAB", "\"sealed\": \"*QAB")]
    public void File_WithCostsOrFormsThatAreNotSafe_IsRefusedBeforeAnythingIsComputed(string found, string replacement)
    {
        var options = WithPassphrase("correct horse battery staple");
        Create(options).Dispose();
        var text = File.ReadAllText(KeyringFile);
        Assert.Contains(found, text, StringComparison.Ordinal);
        File.WriteAllText(KeyringFile, text.Replace(found, replacement, StringComparison.Ordinal));
        AssertProblem(KeyringProblem.Malformed, options, KeyringFile);
    }

    [Fact]
    public void File_EditedAnywhere_DoesNotOpen()
    {
        var options = WithPassphrase("correct horse battery staple");
        Create(options).Dispose();
        var text = File.ReadAllText(KeyringFile);
        // Cost and deployment are bound to the record; a cheaper cost does not make the key another one's.
        foreach (var (found, replacement) in new[] { ("\"passes\": 2", "\"passes\": 3"), ("\"memory\": 19456", "\"memory\": 19457") })
        {
            File.WriteAllText(KeyringFile, text.Replace(found, replacement, StringComparison.Ordinal));
            AssertProblem(KeyringProblem.Locked, options, "does not open");
        }
        var at = text.IndexOf("\"sealed\"", StringComparison.Ordinal) + 100;
        File.WriteAllText(KeyringFile, text[..at] + (text[at] == 'A' ? 'B' : 'A') + text[(at + 1)..]);
        AssertProblem(KeyringProblem.Locked, options, "does not open");
    }

    [Fact]
    public void Argon2id_BySecondImplementation_MakesTheSameKey()
    {
        var options = WithPassphrase("correct horse battery staple");
        Create(options).Dispose();
        var envelope = KeyringEnvelope.TryParse(File.ReadAllBytes(KeyringFile))!;
        using var argon = new Argon2id("correct horse battery staple"u8.ToArray())
        {
            Salt = envelope.Argon2id!.Salt,
            MemorySize = envelope.Argon2id.Cost.MemoryKiB,
            Iterations = envelope.Argon2id.Cost.Passes,
            DegreeOfParallelism = 1,
        };
        var associatedData = KeyringEnvelope.AssociatedData(World.Deployment, "passphrase", envelope.Argon2id);
        using var content = RecordCipher.TryOpen(argon.GetBytes(32), VaultSuite.HkdfSha512Aes256GcmCommit, associatedData, envelope.Sealed);
        Assert.NotNull(content);
        KeyringDocument.Parse(content.Reveal()).Dispose();
    }

    [Fact]
    public void RootKey_Destroyed_IsGoneAndTheOneThatWrapsCannotBe()
    {
        using var keyring = Create(new() { Directory = Folder });
        var first = Assert.Single(keyring.RootKeys).Id;
        Assert.Throws<ArgumentException>(() => keyring.Destroy(first));
        keyring.Promote(keyring.AddRootKey());
        keyring.Destroy(first);
        Assert.DoesNotContain(keyring.RootKeys, key => key.Id == first);
        Assert.DoesNotContain(first, File.ReadAllText(KeyringFile), StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => keyring.Destroy(first));
    }

    private FileKeyringOptions WithPassphrase(string text) =>
        new() { Directory = Folder, Protection = Passphrase(Path.Combine(temp.Path, "passphrase"), text) };

    private static KeyringProtection.Passphrase Passphrase(string file, string text)
    {
        File.WriteAllText(file, text + "\n");
        File.SetUnixFileMode(file, Private);
        return new(file) { Cost = Argon2Cost.Minimum };
    }

    private FileKeyring Create(FileKeyringOptions options) => FileKeyring.OpenOrCreate(options, World.Deployment, chance, TimeProvider.System);

    private FileKeyring Open(FileKeyringOptions options) => FileKeyring.Open(options, World.Deployment, chance, TimeProvider.System);

    private void AssertProblem(KeyringProblem problem, FileKeyringOptions options, string says)
    {
        var thrown = Assert.Throws<KeyringException>(() => Open(options));
        Assert.Equal(problem, thrown.Problem);
        Assert.Contains(says, thrown.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("horse", thrown.ToString(), StringComparison.Ordinal);
    }

    private void AssertCreateFails(KeyringProblem problem, FileKeyringOptions options)
    {
        Assert.Equal(problem, Assert.Throws<KeyringException>(() => Create(options)).Problem);
        Assert.False(File.Exists(KeyringFile));
    }

    /// <summary>What systemd gives a service, for the time of one test; the tests of this class run one after another.</summary>
    private sealed class Credentials : IDisposable
    {
        private readonly string folder;

        public Credentials(string parent)
        {
            folder = Directory.CreateDirectory(Path.Combine(parent, "credentials")).FullName;
            Environment.SetEnvironmentVariable("CREDENTIALS_DIRECTORY", folder);
        }

        public void Write(string name, byte[] content) => File.WriteAllBytes(Path.Combine(folder, name), content);

        public void Delete(string name) => File.Delete(Path.Combine(folder, name));

        public void Dispose() => Environment.SetEnvironmentVariable("CREDENTIALS_DIRECTORY", null);
    }
}
