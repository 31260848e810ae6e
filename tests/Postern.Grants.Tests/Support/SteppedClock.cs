using Microsoft.Extensions.Time.Testing;

namespace Postern.Grants.Tests.Support;

/// <summary>
/// A machine's clock: its time of day can be set forward and back, as administrators and time services do, while what it measures goes
/// on with the time that passes.
/// </summary>
internal sealed class SteppedClock(FakeTimeProvider passing) : TimeProvider
{
    /// <summary>How far its time of day is from the right one.</summary>
    public TimeSpan Step { get; set; }

    public override long TimestampFrequency => passing.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => passing.GetUtcNow() + Step;

    public override long GetTimestamp() => passing.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        passing.CreateTimer(callback, state, dueTime, period);
}
