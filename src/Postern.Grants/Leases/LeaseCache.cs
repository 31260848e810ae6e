using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Postern.Grants.Renewal;
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
    private readonly ConcurrentDictionary<Place, KnownGrant> grants = new();
    private readonly ConcurrentDictionary<GrantId, Place> places = new();
    private long drops;

    /// <summary>To be read before the database is, and given back to <see cref="Keep"/>.</summary>
    public long Mark => Interlocked.Read(ref drops);

    public bool TryGet(SubjectKey subject, ConnectionId connection, [NotNullWhen(true)] out KnownGrant? known) =>
        grants.TryGetValue(new(subject, connection), out known);

    /// <summary>Keeps what was read, unless anything was dropped since the mark: the row may be older than the drop.</summary>
    public void Keep(KnownGrant known, long mark)
    {
        if (Interlocked.Read(ref drops) != mark)
            return;
        if (grants.Count >= Capacity)
            Clear();
        var place = new Place(known.Row.Subject, known.Row.Connection);
        // The row before its place: a drop that takes the place away has found the row too.
        grants[place] = known;
        places[known.Row.Id] = place;
        // A drop between the check and here did not find the entry; it must not stay.
        if (Interlocked.Read(ref drops) != mark)
            Drop(known.Row.Id);
    }

    public void Drop(GrantId id)
    {
        Interlocked.Increment(ref drops);
        if (places.TryRemove(id, out var place))
            grants.TryRemove(place, out _);
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
        grants.Clear();
        places.Clear();
    }

    /// <summary>Whose grant, on which connection. The person's id spreads well enough, and people have few connections; equality asks for all of it.</summary>
    private readonly struct Place(SubjectKey subject, ConnectionId connection) : IEquatable<Place>
    {
        private readonly SubjectKey subject = subject;
        private readonly ConnectionId connection = connection;

        public bool Equals(Place other) => connection == other.connection && subject == other.subject;

        public override bool Equals(object? obj) => obj is Place other && Equals(other);

        public override int GetHashCode() => subject.Id.GetHashCode(StringComparison.Ordinal) + connection.Value.Length;
    }
}

/// <summary>A grant's row with what the renewal protocol says of it, worked out once.</summary>
/// <param name="Row">The row as it was read.</param>
/// <param name="Until">When its access token stops serving.</param>
internal sealed record KnownGrant(GrantRow Row, DateTimeOffset Until)
{
    /// <summary>Whether its access token may be used at this time.</summary>
    public bool Serves(DateTimeOffset now) => now < Until && Row.State == GrantState.Active;
}
