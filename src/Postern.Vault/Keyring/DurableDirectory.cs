using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Postern.Vault;

/// <summary>
/// The flush of a directory, which the class library does not offer. A file that was flushed and renamed is whole after a power cut,
/// but may be missing under its name until its directory was flushed too (fsync(2)).
/// </summary>
[UnsupportedOSPlatform("windows")]
public static partial class DurableDirectory
{
    /// <summary>Makes the entries of a directory durable.</summary>
    /// <exception cref="IOException">There is no such directory, or the system refused.</exception>
    public static void Flush(string path)
    {
        var descriptor = Open(path, 0);
        if (descriptor < 0)
            throw new IOException($"Could not open the directory {path}: {Marshal.GetLastPInvokeErrorMessage()}");
        try
        {
            if (Synchronise(descriptor) != 0)
                throw new IOException($"Could not flush the directory {path}: {Marshal.GetLastPInvokeErrorMessage()}");
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Synchronise(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Close(int descriptor);
}
