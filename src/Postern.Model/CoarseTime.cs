namespace Postern.Model;

/// <summary>
/// The system's time with timestamps in milliseconds, as exact as the kernel's tick (1 to 16 ms) and a quarter of the price of exact ones:
/// for freshness that is judged on each query and is a matter of seconds. Everything else is the system's own.
/// </summary>
public sealed class CoarseTime : TimeProvider
{
    private static readonly CoarseTime Instance = new();

    private CoarseTime()
    {
    }

    /// <inheritdoc/>
    public override long TimestampFrequency => 1000;

    /// <summary>The coarse form of a provider: of the system's, this; a virtual clock, which costs nothing, stays what it is.</summary>
    public static TimeProvider Of(TimeProvider time) => ReferenceEquals(time, System) ? Instance : time;

    /// <inheritdoc/>
#pragma warning disable RS0030 // This is the provider that others are given instead.
    public override long GetTimestamp() => Environment.TickCount64;
#pragma warning restore RS0030
}
