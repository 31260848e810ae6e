using System.Data.Common;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Postern.Store.Crash;

/// <summary>
/// Lets calls of the C library fail, through libfiu: its two preload libraries must be in LD_PRELOAD. For every n up to a count, twice:
/// only the n-th call fails, then every call from the n-th on. Between the rounds nothing fails.
/// </summary>
internal static partial class Faults
{
    private const int CommitsPerRound = 3;
    private const int InputOutputError = 5;

    private static int calls;
    private static int failFrom;
    private static int failTo;
    private static int failed;

    public static async Task RunAsync(string point, int count, Func<string, Task> commit)
    {
        // Everything is loaded before anything fails: it is the store's disk that breaks, not the runtime's.
        await commit("warm-up");
        Enable(point);
        for (var n = 1; n <= count; n++)
        {
            await RoundAsync($"once-{n}", n, n, commit);
            await RoundAsync($"on-{n}", n, int.MaxValue, commit);
        }
        // How often a call was made to fail, so that a test can tell that any did.
        Console.WriteLine($"failures {failed}");
    }

    private static unsafe void Enable(string point)
    {
        delegate* unmanaged[Cdecl]<byte*, int*, void**, uint*, int> decide = &Decide;
        if (EnableExternal(point, 1, InputOutputError, 0, (nint)decide) != 0)
            throw new InvalidOperationException($"libfiu does not take {point}.");
    }

    private static async Task RoundAsync(string name, int from, int to, Func<string, Task> commit)
    {
        Volatile.Write(ref calls, 0);
        Volatile.Write(ref failTo, to);
        Volatile.Write(ref failFrom, from);
        try
        {
            for (var i = 0; i < CommitsPerRound; i++)
            {
                try
                {
                    await commit($"{name}-{i}");
                }
                catch (DbException)
                {
                    // Not acknowledged, so not said.
                }
            }
        }
        finally
        {
            Volatile.Write(ref failFrom, 0);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe int Decide(byte* name, int* failnum, void** failinfo, uint* flags)
    {
        var from = Volatile.Read(ref failFrom);
        if (from == 0)
            return 0;
        var call = Interlocked.Increment(ref calls);
        if (call < from || call > Volatile.Read(ref failTo))
            return 0;
        Interlocked.Increment(ref failed);
        return 1;
    }

    [LibraryImport("libfiu.so.0", EntryPoint = "fiu_enable_external", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int EnableExternal(string name, int failnum, nint failinfo, uint flags, nint decide);
}
