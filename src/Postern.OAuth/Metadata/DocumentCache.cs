using System.Collections.Concurrent;
using Postern.Model;

namespace Postern.OAuth;

/// <summary>
/// Documents by key: one fetch at a time for each, fresh for a while, stale kept when a fetch fails, a pause after a failure, and
/// never more than a fixed number. A bad copy never replaces a good one.
/// </summary>
internal sealed class DocumentCache<T>(TimeProvider time, OAuthOptions options) where T : class
{
    private readonly ConcurrentDictionary<string, Entry> entries = new(StringComparer.Ordinal);

    /// <summary>The number of documents remembered, failures included.</summary>
    public int Count => entries.Count;

    /// <summary>The document, fetched when there is none fresh enough.</summary>
    /// <param name="key">Which document.</param>
    /// <param name="fetch">Gets a new copy.</param>
    /// <param name="refetch">Ask again although the copy is fresh; obeyed once in <see cref="OAuthOptions.RefetchPause"/>.</param>
    public async Task<Outcome<T>> GetAsync(
        string key, Func<CancellationToken, Task<Outcome<T>>> fetch, bool refetch, CancellationToken cancellation)
    {
        var entry = entries.GetOrAdd(key, static _ => new Entry());
        if (!refetch && entry.Fresh(time, options) is { } ready)
            return ready;
        Trim(key);
        await entry.Turn.WaitAsync(cancellation);
        try
        {
            if ((!refetch || entry.AskedWithin(options.RefetchPause, time)) && entry.Fresh(time, options) is { } ripe)
                return ripe;
            if (entry.AskedWithin(options.RefetchPause, time) && entry.Usable(time, options) is { } recent)
                return recent;
            var outcome = await fetch(cancellation);
            cancellation.ThrowIfCancellationRequested(); // a fetch that was called off says nothing about the server
            entry.Record(outcome, time);
            return entry.Usable(time, options) ?? outcome;
        }
        finally
        {
            entry.Turn.Release();
        }
    }

    private void Trim(string keep)
    {
        while (entries.Count > options.MaxDocuments)
        {
            string? oldest = null;
            var least = long.MaxValue;
            foreach (var (key, entry) in entries)
            {
                if (entry.LastAsked < least && !string.Equals(key, keep, StringComparison.Ordinal))
                    (oldest, least) = (key, entry.LastAsked);
            }
            if (oldest is null || !entries.TryRemove(oldest, out _))
                return;
        }
    }

    private sealed class Entry
    {
        private volatile State state = new(null, 0, null, 0);

        /// <summary>One fetch at a time. Never disposed: without a wait handle it holds nothing but memory.</summary>
        public SemaphoreSlim Turn { get; } = new(1, 1);

        public long LastAsked => state.AskedAt;

        public bool AskedWithin(TimeSpan pause, TimeProvider time) => state.AskedAt != 0 && time.GetElapsedTime(state.AskedAt) < pause;

        public Outcome<T>? Fresh(TimeProvider time, OAuthOptions options) =>
            state is { Document: { } document } now && time.GetElapsedTime(now.GotAt) < options.DocumentFreshness
                ? Outcome<T>.Of(document)
                : default(Outcome<T>?);

        /// <summary>The good copy if it is not too old, else the last failure, else nothing.</summary>
        public Outcome<T>? Usable(TimeProvider time, OAuthOptions options)
        {
            var now = state;
            if (now.Document is not null && time.GetElapsedTime(now.GotAt) < options.DocumentStaleness)
                return Outcome<T>.Of(now.Document);
            return now.Failure is { } failure ? failure : default(Outcome<T>?);
        }

        public void Record(Outcome<T> outcome, TimeProvider time)
        {
            var at = Math.Max(1, time.GetTimestamp());
            state = outcome.TryGet(out var document, out var failure)
                ? new(document, at, null, at)
                : state with { Failure = failure, AskedAt = at };
        }

        private sealed record State(T? Document, long GotAt, Refusal? Failure, long AskedAt);
    }
}
