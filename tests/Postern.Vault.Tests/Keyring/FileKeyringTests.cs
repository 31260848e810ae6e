using System.Diagnostics;
using System.Text;
using Postern.Model;

namespace Postern.Vault.Tests;

public sealed class FileKeyringTests : IDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private static readonly KeyWrapContext Context =
        new(World.Deployment, World.Acme, new Guid("0199a1b2-0000-7000-8000-0000000000aa"), KeyWrapContext.TenantKeyPurpose);

    private readonly TempDirectory temp = new();
    private readonly SeededChance chance = new("keyring");

    private string Folder => Path.Combine(temp.Path, "keys");

    private string File => Path.Combine(Folder, "keyring.json");

    public void Dispose() => temp.Dispose();

    [Fact]
    public void Creation_InANewDirectory_IsPrivateAndLeavesNothingElse()
    {
        Create().Dispose();
        Assert.Equal(Private | UnixFileMode.UserExecute, System.IO.File.GetUnixFileMode(Folder));
        Assert.Equal(Private, System.IO.File.GetUnixFileMode(File));
        Assert.Equal([File], Directory.GetFiles(Folder));
    }

    [Fact]
    public async Task Keyring_OpenedAgain_UnwrapsWhatItWrapped()
    {
        using var key = new SecretBytes(Encoding.ASCII.GetBytes("0123456789abcdef0123456789abcdef"));
        RootWrapping wrapping;
        using (var first = Create())
            Assert.True((await first.WrapAsync(Context, key, World.Cancellation)).TryGet(out wrapping!, out _));
        using var second = Open();
        Assert.True((await second.UnwrapAsync(Context, wrapping.RootKeyId, wrapping.Wrapped, World.Cancellation)).TryGet(out var unwrapped, out _));
        Assert.Equal(key, unwrapped);
    }

    [Fact]
    public async Task WrappedKey_InAnotherContext_IsRefused()
    {
        using var keyring = Create();
        using var key = new SecretBytes(new byte[32]);
        Assert.True((await keyring.WrapAsync(Context, key, World.Cancellation)).TryGet(out var wrapping, out _));
        KeyWrapContext[] others =
        [
            Context with { Deployment = "another" },
            Context with { Tenant = World.Globex },
            Context with { KeyVersion = Guid.Empty },
            Context with { Purpose = "another" },
        ];
        foreach (var other in others)
            Assert.Equal(VaultError.Refused, World.ErrorOf(await keyring.UnwrapAsync(other, wrapping.RootKeyId, wrapping.Wrapped, World.Cancellation)));
        Assert.Null(World.ErrorOf(await keyring.UnwrapAsync(Context, wrapping.RootKeyId, wrapping.Wrapped, World.Cancellation)));
    }

    [Fact]
    public async Task Rotation_AddThenPromote_KeepsOldKeysOpeningEverywhere()
    {
        using var node = Create();
        using var other = Open();
        using var key = new SecretBytes(new byte[32]);
        Assert.True((await node.WrapAsync(Context, key, World.Cancellation)).TryGet(out var old, out _));

        var added = node.AddRootKey();
        Assert.True((await node.WrapAsync(Context, key, World.Cancellation)).TryGet(out var between, out _));
        Assert.Equal(old.RootKeyId, between.RootKeyId);

        node.Promote(added);
        Assert.True((await node.WrapAsync(Context, key, World.Cancellation)).TryGet(out var fresh, out _));
        Assert.Equal(added, fresh.RootKeyId);
        Assert.Equal([(old.RootKeyId, false), (added, true)], node.RootKeys.Select(root => (root.Id, root.Current)));

        // The other process reads the file again when it meets a root key that it does not know.
        Assert.Null(World.ErrorOf(await other.UnwrapAsync(Context, fresh.RootKeyId, fresh.Wrapped, World.Cancellation)));
        Assert.Null(World.ErrorOf(await other.UnwrapAsync(Context, old.RootKeyId, old.Wrapped, World.Cancellation)));
        Assert.Equal(Private, System.IO.File.GetUnixFileMode(File));
        Assert.Throws<ArgumentException>(() => node.Promote("0199a1b2-0000-7000-8000-00000000dead"));
    }

    [Fact]
    public async Task RootKey_NotInTheKeyring_IsNamedWithItsRemedy()
    {
        using var keyring = Create();
        using var key = new SecretBytes(new byte[32]);
        Assert.True((await keyring.WrapAsync(Context, key, World.Cancellation)).TryGet(out var wrapping, out _));
        System.IO.File.Delete(File);
        using var another = Create();
        var outcome = await another.UnwrapAsync(Context, wrapping.RootKeyId, wrapping.Wrapped, World.Cancellation);
        Assert.Equal(VaultError.RootKeyMissing, outcome.Refusal?.AsVaultError());
        Assert.Contains(wrapping.RootKeyId, outcome.Refusal!.Detail, StringComparison.Ordinal);
        Assert.Contains("Restore", outcome.Refusal.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(UnixFileMode.GroupRead)]
    [InlineData(UnixFileMode.GroupWrite)]
    [InlineData(UnixFileMode.GroupExecute)]
    [InlineData(UnixFileMode.OtherRead)]
    [InlineData(UnixFileMode.OtherWrite)]
    [InlineData(UnixFileMode.OtherExecute)]
    public void Keyring_OpenToOthers_IsRefused(UnixFileMode extra)
    {
        Create().Dispose();
        System.IO.File.SetUnixFileMode(File, Private | extra);
        AssertProblem(KeyringProblem.NotPrivate, "chmod 600");
        System.IO.File.SetUnixFileMode(File, Private);
        System.IO.File.SetUnixFileMode(Folder, Private | UnixFileMode.UserExecute | extra);
        AssertProblem(KeyringProblem.NotPrivate, "chmod 700");
    }

    [Fact]
    public void Directory_OpenToOthers_IsRefusedBeforeAKeyIsWrittenIntoIt()
    {
        Directory.CreateDirectory(Folder, Private | UnixFileMode.UserExecute | UnixFileMode.OtherRead);
        System.IO.File.SetUnixFileMode(Folder, Private | UnixFileMode.UserExecute | UnixFileMode.OtherRead);
        Assert.Equal(KeyringProblem.NotPrivate, Assert.Throws<KeyringException>(() => Create()).Problem);
        Assert.Empty(Directory.GetFileSystemEntries(Folder));
    }

    [Fact]
    public void Keyring_OfAnotherOwner_IsRefused()
    {
        if (Environment.UserName != "root")
            Assert.Skip("Only root can give a file to another user.");
        Create().Dispose();
        Run("chown", "65534", File);
        AssertProblem(KeyringProblem.OtherOwner, "chown 0");
        Run("chown", "0", File);
        Run("chown", "65534", Folder);
        AssertProblem(KeyringProblem.OtherOwner, "chown 0");
    }

    [Fact]
    public void Keyring_BehindASymbolicLink_IsRefused()
    {
        Create().Dispose();
        var real = Path.Combine(temp.Path, "real");
        Directory.Move(Folder, real);
        Directory.CreateSymbolicLink(Folder, real);
        AssertProblem(KeyringProblem.SymbolicLink, "symbolic link");

        Directory.Delete(Folder);
        Directory.Move(real, Folder);
        System.IO.File.Move(File, Path.Combine(Folder, "elsewhere.json"));
        System.IO.File.CreateSymbolicLink(File, Path.Combine(Folder, "elsewhere.json"));
        AssertProblem(KeyringProblem.SymbolicLink, "symbolic link");
        // Nor is a dangling link taken for "none yet", through which a key would be written somewhere else.
        System.IO.File.Delete(Path.Combine(Folder, "elsewhere.json"));
        Assert.Equal(KeyringProblem.SymbolicLink, Assert.Throws<KeyringException>(() => Create()).Problem);
    }

    [Fact]
    public void Keyring_ThatIsADirectoryOrMissing_IsRefused()
    {
        AssertProblem(KeyringProblem.Missing, "backup");
        Create().Dispose();
        System.IO.File.Delete(File);
        AssertProblem(KeyringProblem.Missing, "backup");
        Directory.CreateDirectory(File);
        AssertProblem(KeyringProblem.NotAFile, "something else");
    }

    [Fact]
    public void Keyring_InTheDatabaseFolder_IsRefusedHoweverThePathIsWritten()
    {
        var data = Directory.CreateDirectory(Path.Combine(temp.Path, "data")).FullName;
        Directory.CreateSymbolicLink(Path.Combine(temp.Path, "alias"), data);
        foreach (var inside in new[] { "data", "data/", "data/keys", "data/../data/keys", "alias/keys", "alias" })
        {
            var options = new FileKeyringOptions { Directory = Path.Combine(temp.Path, inside), ForbiddenDirectories = ["/nowhere", data] };
            var thrown = Assert.Throws<KeyringException>(() => FileKeyring.OpenOrCreate(options, World.Deployment, chance, TimeProvider.System));
            Assert.Equal(KeyringProblem.InsideDatabaseFolder, thrown.Problem);
        }
        var throughLink = new FileKeyringOptions { Directory = Path.Combine(data, "keys"), ForbiddenDirectories = [Path.Combine(temp.Path, "alias")] };
        Assert.Throws<KeyringException>(() => FileKeyring.OpenOrCreate(throughLink, World.Deployment, chance, TimeProvider.System));
        Assert.Empty(Directory.GetFileSystemEntries(data));
    }

    [Fact]
    public void Keyring_BesideTheDatabaseFolder_IsAccepted()
    {
        var options = new FileKeyringOptions { Directory = Path.Combine(temp.Path, "data-keys"), ForbiddenDirectories = [Path.Combine(temp.Path, "data")] };
        FileKeyring.OpenOrCreate(options, World.Deployment, chance, TimeProvider.System).Dispose();
    }

    [Fact]
    public void Keyring_OfAnotherDeployment_IsRefused()
    {
        Create().Dispose();
        var thrown = Assert.Throws<KeyringException>(() => FileKeyring.Open(new() { Directory = Folder }, "another", chance, TimeProvider.System));
        Assert.Equal(KeyringProblem.OtherDeployment, thrown.Problem);
    }

    [Fact]
    public void Creation_CutShortAtAnyStep_LeavesNoneOrAWholeKeyring()
    {
        var images = new List<(KeyringStep Step, string Image)>();
        FileKeyring.OpenOrCreate(new() { Directory = Folder }, World.Deployment, chance, TimeProvider.System, step => images.Add((step, Copy(step)))).Dispose();
        Assert.Equal([KeyringStep.Written, KeyringStep.Flushed, KeyringStep.Published, KeyringStep.Durable], images.Select(image => image.Step));

        foreach (var (step, image) in images)
        {
            Assert.Equal(step >= KeyringStep.Published, System.IO.File.Exists(Path.Combine(image, "keyring.json")));
            // The next start makes or finds a keyring, whatever lies about.
            using var next = FileKeyring.OpenOrCreate(new() { Directory = image }, World.Deployment, chance, TimeProvider.System);
            Assert.Single(next.RootKeys);
        }
    }

    [Fact]
    public void Rotation_CutShortAtAnyStep_LeavesTheOldKeyringOrTheNew()
    {
        var images = new List<(KeyringStep Step, string Image)>();
        var observe = false;
        using var keyring = FileKeyring.OpenOrCreate(new() { Directory = Folder }, World.Deployment, chance, TimeProvider.System, step =>
        {
            if (observe)
                images.Add((step, Copy(step)));
        });
        observe = true;
        keyring.AddRootKey();

        Assert.Equal(4, images.Count);
        foreach (var (step, image) in images)
        {
            using var next = FileKeyring.Open(new() { Directory = image }, World.Deployment, chance, TimeProvider.System);
            Assert.Equal(step >= KeyringStep.Published ? 2 : 1, next.RootKeys.Count);
            // What a dead writer left behind, keys in it, is gone with the next change.
            next.AddRootKey();
            Assert.DoesNotContain(Directory.GetFiles(image), left => Path.GetFileName(left).StartsWith('.'));
        }
    }

    [Fact]
    public void Creation_ByTwoProcessesAtOnce_KeepsTheFirstKey()
    {
        string? winner = null;
        using var late = FileKeyring.OpenOrCreate(new() { Directory = Folder }, World.Deployment, chance, TimeProvider.System, step =>
        {
            // Another process creates the keyring just before this one gives its own the name.
            if (step == KeyringStep.Flushed && winner is null)
            {
                winner = "";
                using var first = Create();
                winner = Assert.Single(first.RootKeys).Id;
            }
        });
        Assert.Equal(winner, Assert.Single(late.RootKeys).Id);
        Assert.Equal([File], Directory.GetFiles(Folder));
    }

    [Fact]
    public void Change_WhileAnotherProcessChanges_IsRefusedAsBusy()
    {
        using var keyring = Create();
        using (new FileStream(Path.Combine(Folder, "keyring.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None))
            Assert.Equal(KeyringProblem.Busy, Assert.Throws<KeyringException>(() => keyring.AddRootKey()).Problem);
        keyring.AddRootKey();
        Assert.Equal(2, keyring.RootKeys.Count);
    }

    [Fact]
    public async Task Keyring_Disposed_WrapsNothingMore()
    {
        var keyring = Create();
        keyring.Dispose();
        using var key = new SecretBytes(new byte[32]);
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await keyring.WrapAsync(Context, key, World.Cancellation));
    }

    private FileKeyring Create() => FileKeyring.OpenOrCreate(new() { Directory = Folder }, World.Deployment, chance, TimeProvider.System);

    private FileKeyring Open() => FileKeyring.Open(new() { Directory = Folder }, World.Deployment, chance, TimeProvider.System);

    private void AssertProblem(KeyringProblem problem, string remedy)
    {
        var thrown = Assert.Throws<KeyringException>(() => Open());
        Assert.Equal(problem, thrown.Problem);
        Assert.Contains(remedy, thrown.Message, StringComparison.Ordinal);
        Assert.Contains(Folder, thrown.Message, StringComparison.Ordinal);
    }

    /// <summary>What a disk could hold if the machine died now: what was written and not flushed is there by half.</summary>
    private string Copy(KeyringStep step)
    {
        var image = Path.Combine(temp.Path, $"image-{step}");
        Run("cp", "-pr", Folder, image);
        foreach (var unflushed in Directory.GetFiles(image, ".keyring.json.*").Where(_ => step == KeyringStep.Written))
        {
            using var file = new FileStream(unflushed, FileMode.Open, FileAccess.Write);
            file.SetLength(file.Length / 2);
        }
        return image;
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
