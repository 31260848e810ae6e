using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Postern.Vault;

/// <summary>
/// What the class library does not offer for a file that only this process may see: its owner, and the real place
/// of a path.
/// </summary>
[UnsupportedOSPlatform("windows")]
internal static partial class PrivateFiles
{
    public const UnixFileMode FileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    public const UnixFileMode DirectoryMode = FileMode | UnixFileMode.UserExecute;

    private const UnixFileMode NotTheOwner =
        UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    private const int MaxLinks = 40;

    /// <summary>Refuses a directory or file that is a link, not what it should be, somebody else's, or open to others.</summary>
    /// <exception cref="KeyringException">It is; the message says what to do.</exception>
    public static void Check(string path, bool directory) => Check(path, directory, directory ? "keyring directory" : "keyring file");

    /// <summary>The same, for something that the messages call <paramref name="what"/>.</summary>
    /// <exception cref="KeyringException">It is; the message says what to do.</exception>
    public static void Check(string path, bool directory, string what)
    {
        FileSystemInfo info = directory ? new DirectoryInfo(path) : new FileInfo(path);
        if (info.LinkTarget is not null)
            throw new KeyringException(
                KeyringProblem.SymbolicLink,
                $"The {what} {path} is a symbolic link. Name the real place in the settings, so that nobody can point it elsewhere.");
        if (!info.Exists)
            throw Path.Exists(path)
                ? new KeyringException(
                    KeyringProblem.NotAFile, $"The {what} {path} is something else. Move it away or name another place.")
                : new KeyringException(
                    KeyringProblem.Missing,
                    $"The {what} {path} is missing. Restore it from its backup; without it nothing stored can be opened.");
        if ((info.UnixFileMode & NotTheOwner) != 0)
            throw new KeyringException(
                KeyringProblem.NotPrivate,
                $"The {what} {path} is open to others (mode {Octal(info.UnixFileMode)}). Run: chmod {(directory ? "700" : "600")} '{path}'"
                + " — and if others had accounts on this machine, rotate the root key.");
        if (!IsOwnedByProcess(path, info.UnixFileMode))
            throw new KeyringException(
                KeyringProblem.OtherOwner,
                $"The {what} {path} belongs to another user than this process. Run: chown {GetEffectiveUserId()} '{path}'");
    }

    /// <summary>True when <paramref name="path"/> is <paramref name="folder"/> or lies in it, symbolic links resolved in both.</summary>
    public static bool IsWithin(string path, string folder)
    {
        var comparison = OperatingSystem.IsLinux() ? StringComparison.Ordinal : StringComparison.OrdinalIgnoreCase;
        var inner = Path.TrimEndingDirectorySeparator(RealPath(path, 0)) + Path.DirectorySeparatorChar;
        var outer = Path.TrimEndingDirectorySeparator(RealPath(folder, 0)) + Path.DirectorySeparatorChar;
        return inner.StartsWith(outer, comparison);
    }

    private static string RealPath(string path, int links)
    {
        if (links > MaxLinks)
            throw new KeyringException(KeyringProblem.SymbolicLink, $"The path {path} is a circle of symbolic links.");
        var full = Path.GetFullPath(path);
        var real = Path.GetPathRoot(full)!;
        foreach (var part in full[real.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            real = Path.Combine(real, part);
            if (new FileInfo(real).LinkTarget is { } target)
                real = RealPath(Path.Combine(Path.GetDirectoryName(real)!, target), links + 1);
        }
        return real;
    }

    private static bool IsOwnedByProcess(string path, UnixFileMode mode)
    {
        if (OperatingSystem.IsLinux())
        {
            // struct statx has one layout on all architectures: stx_uid is 4 bytes at offset 20 (linux/stat.h).
            const int CurrentDirectory = -100, NoFollow = 0x100;
            const uint Uid = 0x8;
            Span<byte> answer = stackalloc byte[256];
            if (StatX(CurrentDirectory, path, NoFollow, Uid, ref MemoryMarshal.GetReference(answer)) != 0)
                throw new IOException($"Could not ask who owns {path}: {Marshal.GetLastPInvokeErrorMessage()}");
            var owner = BitConverter.IsLittleEndian
                ? BinaryPrimitives.ReadUInt32LittleEndian(answer[20..])
                : BinaryPrimitives.ReadUInt32BigEndian(answer[20..]);
            return owner == GetEffectiveUserId();
        }
        try
        {
            // Elsewhere the layout differs by architecture. Only the owner (or root) may set a mode, even the one it has.
            File.SetUnixFileMode(path, mode);
            return true;
        }
        catch (UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static string Octal(UnixFileMode mode) => Convert.ToString((int)mode, 8).PadLeft(4, '0');

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int StatX(int directory, string path, int flags, uint mask, ref byte answer);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial uint GetEffectiveUserId();
}
