namespace Postern.Store.Tests;

/// <summary>Remembers what the feed told.</summary>
internal sealed class FeedListener : IChangeListener
{
    public List<ChangeRow> Rows { get; } = [];

    public IEnumerable<long> Ids => Rows.Select(r => r.Id);

    public int Missed { get; private set; }

    public TaskCompletionSource First { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void OnChanges(IReadOnlyList<ChangeRow> changes)
    {
        Rows.AddRange(changes);
        First.TrySetResult();
    }

    public void OnMissed() => Missed++;
}
