using System.Runtime.InteropServices;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Postern.Sandbox.Control;

/// <summary>What <c>GET /__sandbox/refreshes</c> answers.</summary>
/// <param name="Presented">How often a refresh token was presented at a token endpoint, whatever came of it.</param>
/// <param name="Redeemed">How often one was exchanged for new tokens, also where the answer was lost.</param>
/// <param name="Reused">How many tokens were presented again after they were spent.</param>
/// <param name="Ended">How many of those were refused, which ended their families; all of them where there is no grace.</param>
/// <param name="Repeated">The tokens that were presented more than once.</param>
public sealed record RefreshCount(long Presented, long Redeemed, int Reused, int Ended, IReadOnlyList<RepeatedRefresh> Repeated);

/// <summary>A refresh token that was presented more than once.</summary>
/// <param name="Issuer">The id of its issuer.</param>
/// <param name="Fingerprint">What tells it from others.</param>
/// <param name="Subject">Whose it is, where it was ever taken.</param>
/// <param name="Presented">How often it was presented.</param>
/// <param name="Redeemed">How often it was exchanged: more than once within a grace only.</param>
public sealed record RepeatedRefresh(string Issuer, string Fingerprint, string? Subject, int Presented, int Redeemed);

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
    /// <param name="issuer">The id of the issuer.</param>
    /// <param name="fingerprint">The token's.</param>
    /// <param name="subject">Whose it is; <see langword="null"/> where the issuer did not come to read it.</param>
    /// <param name="outcome">As <see cref="IssuerRequest.Outcome"/>.</param>
    public void Presented(string issuer, string fingerprint, string? subject, string outcome)
    {
        var key = (issuer, fingerprint);
        var redeemed = outcome == "ok";
        ref var entry = ref CollectionsMarshal.GetValueRefOrAddDefault(_tokens, key, out var known);
        entry = new Entry(
            entry.Subject ?? subject,
            entry.Presented + 1,
            entry.Redeemed + (redeemed ? 1 : 0),
            entry.Reused || entry.Redeemed > 0,
            entry.Ended || (entry.Redeemed > 0 && outcome == Errors.InvalidGrant));
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
            .Select(token => new RepeatedRefresh(
                token.Key.Issuer, token.Key.Fingerprint, token.Value.Subject, token.Value.Presented, token.Value.Redeemed))
            .ToList();
        var (reused, ended) = (_tokens.Values.Count(entry => entry.Reused), _tokens.Values.Count(entry => entry.Ended));
        return new RefreshCount(_presented, _redeemed, reused, ended, repeated);
    }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        _tokens.Clear();
        _oldest.Clear();
        (_presented, _redeemed) = (0, 0);
    }

    private readonly record struct Entry(string? Subject, int Presented, int Redeemed, bool Reused, bool Ended);
}
