using System.Collections.Concurrent;
using Postern.Model;

namespace Postern.Gateway.Query;

/// <summary>Bounds the statements that one person has under way on one connection of this node.</summary>
internal sealed class QuerySlots
{
    private readonly ConcurrentDictionary<(SubjectKey, ConnectionId), int> taken = new();

    /// <summary>A slot, or null when all are taken.</summary>
    public IDisposable? TryTake(SubjectKey subject, Connection connection)
    {
        var place = (subject, connection.Id);
        if (taken.AddOrUpdate(place, 1, static (_, count) => count + 1) <= connection.Execution.MaxConcurrency)
            return new Slot(this, place);
        Release(place);
        return null;
    }

    private void Release((SubjectKey, ConnectionId) place)
    {
        if (taken.AddOrUpdate(place, 0, static (_, count) => count - 1) == 0)
            taken.TryRemove(new(place, 0));
    }

    private sealed class Slot(QuerySlots slots, (SubjectKey, ConnectionId) place) : IDisposable
    {
        private int released;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref released, 1) == 0)
                slots.Release(place);
        }
    }
}
