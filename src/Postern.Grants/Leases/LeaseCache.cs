using System.Collections.Concurrent;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Leases;

/// <summary>
/// What this node last read of the grants in use. It saves a read, never a decision: the statement that starts a query run asks the
/// database again whether session, grant, generation and connection stand.
/// </summary>
internal sealed class LeaseCache : IChangeListener
{
    private const int Capacity = 50_000;
    private readonly ConcurrentDictionary<(SubjectKey, ConnectionId), GrantRow> rows = new();
    private readonly ConcurrentDictionary<GrantId, (SubjectKey, ConnectionId)> places = new();
    private long drops;

    /// <summary>To be read before the database is, and given back to <see cref="Keep"/>.</summary>
    public long Mark => Interlocked.Read(ref drops);

    public bool TryGet(SubjectKey subject, ConnectionId connection, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out GrantRow? row) =>
        rows.TryGetValue((subject, connection), out row);

    /// <summary>Keeps what was read, unless anything was dropped since the mark: the row may be older than the drop.</summary>
    public void Keep(GrantRow row, long mark)
    {
        if (Interlocked.Read(ref drops) != mark)
            return;
        if (rows.Count >= Capacity)
            Clear();
        var place = (row.Subject, row.Connection);
        // The row before its place: a drop that takes the place away has found the row too.
        rows[place] = row;
        places[row.Id] = place;
        // A drop between the check and here did not find the entry; it must not stay.
        if (Interlocked.Read(ref drops) != mark)
            Drop(row.Id);
    }

    public void Drop(GrantId id)
    {
        Interlocked.Increment(ref drops);
        if (places.TryRemove(id, out var place))
            rows.TryRemove(place, out _);
    }

    public void OnChanges(IReadOnlyList<ChangeRow> changes)
    {
        foreach (var change in changes)
        {
            if (change.Kind == ChangeKind.Grant && Guid.TryParse(change.Key, out var id))
                Drop(new GrantId(id));
        }
    }

    public void OnMissed() => Clear();

    private void Clear()
    {
        Interlocked.Increment(ref drops);
        rows.Clear();
        places.Clear();
    }
}
