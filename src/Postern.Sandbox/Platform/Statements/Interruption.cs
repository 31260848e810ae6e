using DuckDB.NET.Data;
using DuckDB.NET.Native;

namespace Postern.Sandbox.Platform.Statements;

/// <summary>
/// Interrupts the engine while a token is cancelled, again and again until disposed: an interruption that arrives before the
/// statement starts is forgotten by the engine. (The cancellation token of the Arrow reader is looked at between batches only, so
/// a statement that works long on its first batch would run on.)
/// </summary>
internal sealed class Interruption : IDisposable
{
    private static readonly TimeSpan Again = TimeSpan.FromMilliseconds(50);
    private readonly DuckDBConnection connection;
    private readonly Lock gate = new();
    private readonly CancellationTokenRegistration registration;
    private ITimer? timer;
    private bool over;

    /// <summary>Watches the token for the connection's statement.</summary>
    public Interruption(DuckDBConnection connection, TimeProvider time, CancellationToken cancellation)
    {
        this.connection = connection;
        registration = cancellation.Register(() =>
        {
            Interrupt();
            lock (gate)
                timer = over ? null : time.CreateTimer(_ => Interrupt(), null, Again, Again);
        });
    }

    /// <summary>After this the connection is never touched again.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            over = true;
            timer?.Dispose();
        }

        registration.Dispose();
    }

    private void Interrupt()
    {
        lock (gate)
        {
            if (!over)
                NativeMethods.Startup.DuckDBInterrupt(connection.NativeConnection);
        }
    }
}
