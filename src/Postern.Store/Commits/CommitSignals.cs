using System.Threading.Channels;

namespace Postern.Store;

/// <summary>Wakes this node's feed and sequencer when something was committed here, so that they need not wait for their next turn.</summary>
internal sealed class CommitSignals
{
    /// <summary>Wakes the feed.</summary>
    public Wake Feed { get; } = new();

    /// <summary>Wakes the sequencer.</summary>
    public Wake Sequencer { get; } = new();

    public void Committed(bool hasNotices, bool hasEvents)
    {
        if (hasNotices)
            Feed.Set();
        if (hasEvents)
            Sequencer.Set();
    }
}

/// <summary>A bell: any number of rings before it is heard are one.</summary>
internal sealed class Wake
{
    private readonly Channel<bool> rung = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public void Set() => rung.Writer.TryWrite(true);

    /// <summary>Waits for the next ring, by whomever: a commit or a timer.</summary>
    public async Task WaitAsync(CancellationToken cancellation) => await rung.Reader.ReadAsync(cancellation);
}
