using Postern.Model;

namespace Postern.Grants.Renewal;

/// <summary>
/// The store's time without asking it each time: a sample, carried on by this node's monotonic clock. A step of this node's wall
/// clock changes nothing; drift is bounded by how often the sample is renewed.
/// </summary>
internal sealed class SteadyClock(IStoreClock store, TimeProvider time)
{
    private static readonly TimeSpan SampleLife = TimeSpan.FromSeconds(5);

    private readonly CoarseTime time = new(time);

    // Written as one reference, read without a lock; an older sample than the latest is only a little less exact.
    private volatile Sample? last;

    public async ValueTask<DateTimeOffset> NowAsync(CancellationToken cancellation)
    {
        var before = time.Timestamp;
        if (TryNow(before, out var known))
            return known;
        var now = await store.NowAsync(cancellation);
        last = new Sample(now, before);
        return now;
    }

    /// <summary>The store's time at a timestamp of <see cref="CoarseTime"/>, if the sample is young enough to say.</summary>
    public bool TryNow(long timestamp, out DateTimeOffset now)
    {
        if (last is { } sample && time.Between(sample.Taken, timestamp) is var age && age < SampleLife)
        {
            now = sample.StoreNow + age;
            return true;
        }
        now = default;
        return false;
    }

    private sealed record Sample(DateTimeOffset StoreNow, long Taken);
}
