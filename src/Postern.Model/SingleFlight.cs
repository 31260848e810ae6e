using System.Collections.Concurrent;

namespace Postern.Model;

/// <summary>
/// One piece of work at a time per key; whoever asks meanwhile waits for the same answer. The work belongs to nobody: a caller
/// that gives up stops waiting, the others still get their answer. Nothing is remembered once the work has ended.
/// </summary>
public sealed class SingleFlight<TKey, TResult>(TimeSpan timeout, TimeProvider time) where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, Lazy<Task<TResult>>> flights = new();

    /// <summary>Joins the flight of this key, or starts it.</summary>
    /// <param name="key">What it is about.</param>
    /// <param name="work">The work; its token ends it after the timeout, not with any caller.</param>
    /// <param name="cancellation">Ends this caller's waiting only.</param>
    /// <exception cref="TimeoutException">The work took longer than the timeout.</exception>
    public Task<TResult> RunAsync(TKey key, Func<CancellationToken, Task<TResult>> work, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        Lazy<Task<TResult>>? mine = null;
        // Task.Run: the work must not run inside the first caller's stack, where its synchronous part would hold up the others.
        mine = new(() => Task.Run(() => FlyAsync(key, mine!, work), CancellationToken.None));
        return flights.GetOrAdd(key, mine).Value.WaitAsync(cancellation);
    }

    private async Task<TResult> FlyAsync(TKey key, Lazy<Task<TResult>> flight, Func<CancellationToken, Task<TResult>> work)
    {
        using var deadline = new CancellationTokenSource(timeout, time);
        try
        {
            return await work(deadline.Token);
        }
        catch (OperationCanceledException cancelled) when (deadline.IsCancellationRequested)
        {
            throw new TimeoutException($"No answer within {timeout}.", cancelled);
        }
        finally
        {
            flights.TryRemove(new(key, flight));
        }
    }
}
