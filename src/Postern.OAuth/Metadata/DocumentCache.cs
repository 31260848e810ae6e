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
            var known = refetch ? entry.Usable(time, options) : entry.Fresh(time, options) ?? entry.Resting(time, options);
            if (known is { } answer && (!refetch || !entry.MayRefetch(time, options)))
                return answer;
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
        private long refetchedAt; // touched by whoever has the turn

        /// <summary>One fetch at a time. Never disposed: without a wait handle it holds nothing but memory.</summary>
        public SemaphoreSlim Turn { get; } = new(1, 1);

        public long LastAsked => state.AskedAt;

        /// <summary>What is known, while a fetch of late forbids another.</summary>
        public Outcome<T>? Resting(TimeProvider time, OAuthOptions options) =>
            state.AskedAt != 0 && time.GetElapsedTime(state.AskedAt) < options.RefetchPause ? Usable(time, options) : null;

        /// <summary>
        /// Takes the one refetch of this pause. It is counted apart from the ordinary fetches, so that a key rotated just after
        /// one of those is still found, while a flood of invented key ids is not passed on.
        /// </summary>
        public bool MayRefetch(TimeProvider time, OAuthOptions options)
        {
            if (refetchedAt != 0 && time.GetElapsedTime(refetchedAt) < options.RefetchPause)
                return false;
            refetchedAt = Math.Max(1, time.GetTimestamp());
            return true;
        }

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
