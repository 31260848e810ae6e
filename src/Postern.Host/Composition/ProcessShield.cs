using System.Runtime.InteropServices;

namespace Postern.Host.Composition;

/// <summary>
/// Keeps what a process has in memory out of files and of other processes of the same user: unwrapped keys and tokens were taken from
/// dumps and running processes before. Linux only; elsewhere it does nothing.
/// </summary>
internal static partial class ProcessShield
{
    /// <summary>The runtime's own switch. Set by whoever wants to look into the process; then it is left alone.</summary>
    private const string Diagnostics = "DOTNET_EnableDiagnostics";

    private const int SetDumpable = 4;
    private const int GetDumpable = 3;
    private const int CoreFileSize = 4;

    /// <summary>Whether this process may be dumped, and looked into by its own user.</summary>
    internal static bool IsDumpable => Prctl(GetDumpable, 0) != 0;

    /// <summary>
    /// No core file, no dump, no debugger of the same user. With <paramref name="diagnostics"/> also none of the runtime's own ways in
    /// (socket, debugger, profiler): the runtime decides that before any code of ours, so this process begins once more with them off.
    /// </summary>
    public static void Raise(bool diagnostics)
    {
        if (!OperatingSystem.IsLinux())
            return;
        if (diagnostics && Environment.GetEnvironmentVariable(Diagnostics) is null && SetEnvironment(Diagnostics, "0", 1) == 0)
            BeginAgain();
        _ = Prctl(SetDumpable, 0);
        _ = SetLimit(CoreFileSize, default);
    }

    private static void BeginAgain()
    {
        // The same process, and so the same number: its socket would stay behind, with nobody at it.
        foreach (var socket in Directory.EnumerateFiles(Path.GetTempPath(), $"dotnet-diagnostic-{Environment.ProcessId}-*-socket"))
            File.Delete(socket);
        // Answers only when it failed; then the process goes on as it is.
        _ = Execute("/proc/self/exe", [.. File.ReadAllText("/proc/self/cmdline")[..^1].Split('\0'), null]);
    }

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int Prctl(int option, nuint value);

    [LibraryImport("libc", EntryPoint = "setrlimit")]
    private static partial int SetLimit(int resource, in Limit limit);

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "execv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Execute(string path, string?[] arguments);

    private readonly struct Limit
    {
        public readonly nuint Soft;
        public readonly nuint Hard;
    }
}
