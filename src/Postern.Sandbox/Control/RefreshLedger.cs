using System.Runtime.InteropServices;

namespace Postern.Sandbox.Control;

/// <summary>What <c>GET /__sandbox/refreshes</c> answers.</summary>
/// <param name="Presented">How often a refresh token was presented at a token endpoint, whatever came of it.</param>
/// <param name="Redeemed">How often one was exchanged for new tokens, also where the answer was lost.</param>
/// <param name="Reused">How many tokens were presented again after they were spent. Each of them ended its family.</param>
/// <param name="Repeated">The tokens that were presented more than once.</param>
public sealed record RefreshCount(long Presented, long Redeemed, int Reused, IReadOnlyList<RepeatedRefresh> Repeated);

/// <summary>A refresh token that was presented more than once.</summary>
public sealed record RepeatedRefresh(string Issuer, string Fingerprint, int Presented, int Redeemed);

/// <summary>
/// Counts what is done with each refresh token. It holds a short entry for each token and not for each request, so that a test of hours
/// still sees a token come back; the oldest go when there are very many. Its owner locks.
/// </summary>
internal sealed class RefreshLedger
{
    private const int Capacity = 500_000;
    private readonly Dictionary<(string Issuer, string Fingerprint), Entry> _tokens = [];
    private readonly Queue<(string Issuer, string Fingerprint)> _oldest = new();
    private long _presented;
    private long _redeemed;

    /// <summary>A token came to a token endpoint.</summary>
    public void Presented(string issuer, string fingerprint, bool redeemed)
    {
        var key = (issuer, fingerprint);
        ref var entry = ref CollectionsMarshal.GetValueRefOrAddDefault(_tokens, key, out var known);
        entry = new Entry(
            entry.Presented + 1, entry.Redeemed + (redeemed ? 1 : 0), entry.Reused || entry.Redeemed > 0);
        _presented++;
        _redeemed += redeemed ? 1 : 0;
        if (known)
        {
            return;
        }

        _oldest.Enqueue(key);
        if (_oldest.Count > Capacity)
        {
            _tokens.Remove(_oldest.Dequeue());
        }
    }

    /// <summary>The sums, and what came back.</summary>
    public RefreshCount Count()
    {
        var repeated = _tokens.Where(token => token.Value.Presented > 1)
            .Select(token => new RepeatedRefresh(token.Key.Issuer, token.Key.Fingerprint, token.Value.Presented, token.Value.Redeemed))
            .ToList();
        return new RefreshCount(_presented, _redeemed, _tokens.Values.Count(entry => entry.Reused), repeated);
    }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        _tokens.Clear();
        _oldest.Clear();
        (_presented, _redeemed) = (0, 0);
    }

    private readonly record struct Entry(int Presented, int Redeemed, bool Reused);
}
