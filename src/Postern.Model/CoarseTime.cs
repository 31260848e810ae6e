namespace Postern.Model;

/// <summary>
/// Monotonic time in steps of the kernel's tick (1 to 16 ms) at a quarter of the price of exact time: for freshness that is judged on
/// each query and is a matter of seconds. Over a virtual clock, which costs nothing, it is exact.
/// </summary>
public sealed class CoarseTime
{
    private const long Milliseconds = 1000;
    private readonly TimeProvider? other;
    private readonly double ticks;

    /// <summary>Of the system's time, whose tick is read instead, or of another.</summary>
    public CoarseTime(TimeProvider time)
    {
        other = ReferenceEquals(time, TimeProvider.System) ? null : time;
        ticks = (double)TimeSpan.TicksPerSecond / (other?.TimestampFrequency ?? Milliseconds);
    }

    /// <summary>Now, as a timestamp that only <see cref="Between"/> understands.</summary>
#pragma warning disable RS0030 // This is what others ask instead.
    public long Timestamp => other is null ? Environment.TickCount64 : other.GetTimestamp();
#pragma warning restore RS0030

    /// <summary>The time from one timestamp to a later one.</summary>
    public TimeSpan Between(long from, long to) => new((long)((to - from) * ticks));
}
