namespace Postern.Store;

/// <summary>
/// Which ids of the feed were seen. Ids are given before commits, so a row may become visible after one with a higher id; every id
/// that was passed over stays open for a while and is looked for again at each read.
/// </summary>
/// <param name="highest">The highest id that counts as seen.</param>
internal sealed class FeedPosition(long highest)
{
    private readonly List<Gap> gaps = [];

    /// <summary>The highest id seen.</summary>
    public long Highest { get; private set; } = highest;

    /// <summary>Rows after this id have to be read again.</summary>
    public long ReadAfter => gaps.Count == 0 ? Highest : gaps[0].From - 1;

    /// <summary>True when the id was not seen before; it is now.</summary>
    /// <param name="id">The id of a row.</param>
    /// <param name="now">A timestamp, for <see cref="Forget"/>.</param>
    public bool TryAdd(long id, long now)
    {
        if (id > Highest)
        {
            if (id > Highest + 1)
                gaps.Add(new(Highest + 1, id - 1, now));
            Highest = id;
            return true;
        }
        var at = gaps.FindIndex(gap => gap.From <= id && id <= gap.To);
        if (at < 0)
            return false;

        var gap = gaps[at];
        gaps.RemoveAt(at);
        if (id < gap.To)
            gaps.Insert(at, gap with { From = id + 1 });
        if (id > gap.From)
            gaps.Insert(at, gap with { To = id - 1 });
        return true;
    }

    /// <summary>Gives up on gaps noticed before the timestamp: whoever had those ids rolled back.</summary>
    public void Forget(long noticedBefore) => gaps.RemoveAll(gap => gap.NoticedAt < noticedBefore);

    private readonly record struct Gap(long From, long To, long NoticedAt);
}
