using Postern.Model;

namespace Postern.Grants.Renewal;

/// <summary>What the grant row says, as far as renewal is concerned.</summary>
/// <param name="State">Where the grant stands.</param>
/// <param name="Generation">The current token pair; 0 when there was none yet (service connections).</param>
/// <param name="AccessExpiresAt">When the access token ends, or null when there is none.</param>
/// <param name="DueAt">When background renewal is due; between here and the end lies the spread.</param>
/// <param name="CanRenew">A refresh token is stored and not marked uncertain, or the connection uses client credentials.</param>
/// <param name="Renewal">Where the renewal stands.</param>
/// <param name="Deadline">Until when the claim holds, by the store's clock.</param>
/// <param name="NotBefore">No attempt before this (backoff, Retry-After).</param>
public sealed record RenewalFacts(
    GrantState State,
    int Generation,
    DateTimeOffset? AccessExpiresAt,
    DateTimeOffset DueAt,
    bool CanRenew,
    RenewalState Renewal,
    DateTimeOffset Deadline,
    DateTimeOffset NotBefore)
{
    /// <summary>How often an uncertain renewal was taken over since the last success; a grace period covers one.</summary>
    public int TakeOvers { get; init; }

    /// <summary>Until when a lost sending may be taken over, so that the same token arrives again within the server's grace.</summary>
    public DateTimeOffset TakeOverBefore { get; init; } = DateTimeOffset.MaxValue;

    /// <summary>When the grant ends whatever is renewed; null for never.</summary>
    public DateTimeOffset? AbsoluteEndAt { get; init; }

    /// <summary>True while a renewal gives more time than the pair has.</summary>
    internal bool IsWorthRenewing => CanRenew && !(AccessExpiresAt >= AbsoluteEndAt);
}

/// <summary>Why somebody asks.</summary>
/// <param name="RefusedGeneration">The generation that the platform refused, or null.</param>
/// <param name="Early">True for the background renewer, which renews a token that still works.</param>
public readonly record struct RenewalNeed(int? RefusedGeneration, bool Early)
{
    /// <summary>A query that wants a working token.</summary>
    public static RenewalNeed ToUse => default;

    /// <summary>The background renewer.</summary>
    public static RenewalNeed InTime => new(null, true);

    /// <summary>The platform refused a token before its time.</summary>
    public static RenewalNeed After(int refusedGeneration) => new(refusedGeneration, false);
}

/// <summary>What to do next.</summary>
public enum RenewalStep
{
    /// <summary>The current pair serves.</summary>
    UseCurrent,
    /// <summary>Claim the renewal of the current generation.</summary>
    Claim,
    /// <summary>Somebody else renews: read the row again soon.</summary>
    Wait,
    /// <summary>The authorization server failed lately and nothing serves: refuse for now.</summary>
    RefuseForNow,
    /// <summary>No token and no way to a new one: the person must connect again.</summary>
    End,
    /// <summary>A renewal was under way when its node died, and the same token must not be tried again: use the access token to its end.</summary>
    MarkUncertain,
    /// <summary>As <see cref="MarkUncertain"/>, and the access token is of no use either: the person must connect again.</summary>
    EndUncertain,
    /// <summary>A renewal was under way when its node died, and the profile allows the same token once more.</summary>
    TakeOver,
    /// <summary>The grant does not stand.</summary>
    NotActive,
}

/// <summary>
/// The renewal protocol, "claim before spend", as one pure function of the row, the need, the profile and the store's time.
/// <code>
///   idle ──claim──▶ claimed ──mark──▶ sending ──store──▶ idle (next generation)
///                     │ deadline        │ deadline
///                     ▼                 ▼
///               anyone may claim   uncertain: the profile decides; the access token serves meanwhile
/// </code>
/// A refresh token leaves the process only in <c>sending</c>, and a row is in <c>sending</c> only under one fence.
/// </summary>
public static class RenewalProtocol
{
    /// <summary>A token this close to its end is not used; platforms refuse some of them early (Databricks: 30 s).</summary>
    public static readonly TimeSpan Margin = TimeSpan.FromSeconds(30);

    /// <summary>The next step.</summary>
    /// <param name="facts">The row.</param>
    /// <param name="need">Why somebody asks.</param>
    /// <param name="rotation">What the authorization server does to a refresh token that was used.</param>
    /// <param name="now">The store's time.</param>
    public static RenewalStep Next(RenewalFacts facts, RenewalNeed need, RefreshRotation rotation, DateTimeOffset now)
    {
        if (facts.State != GrantState.Active)
            return RenewalStep.NotActive;

        var serves = Serves(facts, need, now);
        var expired = now >= facts.Deadline;

        // An expired sending may have been spent. Whoever sees it first says so, whether or not a token is wanted now.
        if (facts.Renewal == RenewalState.Sending && expired)
        {
            return rotation switch
            {
                // Nothing is spent where nothing rotates, so it may be lost any number of times.
                RefreshRotation.None => serves && !need.Early ? RenewalStep.UseCurrent : RenewalStep.TakeOver,
                // The same token once more, not twice: what is uncertain again after that ends.
                RefreshRotation.RotatingWithGrace when facts.TakeOvers == 0 && now < facts.TakeOverBefore =>
                    serves && !need.Early ? RenewalStep.UseCurrent : RenewalStep.TakeOver,
                _ => serves ? RenewalStep.MarkUncertain : RenewalStep.EndUncertain,
            };
        }
        if (serves && !(need.Early && now >= facts.DueAt && facts.IsWorthRenewing))
            return RenewalStep.UseCurrent;
        if (facts.Renewal != RenewalState.Idle && !expired)
            return serves ? RenewalStep.UseCurrent : RenewalStep.Wait;
        if (!facts.CanRenew || now >= facts.AbsoluteEndAt)
            return RenewalStep.End;
        if (now < facts.NotBefore)
            return serves ? RenewalStep.UseCurrent : RenewalStep.RefuseForNow;
        // Idle, or a claim that was never sent: anyone may have it.
        return RenewalStep.Claim;
    }

    /// <summary>True when the current access token may be used: not refused, and not too close to its end.</summary>
    public static bool Serves(RenewalFacts facts, RenewalNeed need, DateTimeOffset now) =>
        !(need.RefusedGeneration >= facts.Generation) && now < ServesUntil(facts);

    /// <summary>Until when an access token that is not refused may be used; the beginning of time when there is none.</summary>
    public static DateTimeOffset ServesUntil(RenewalFacts facts)
    {
        if (facts.AccessExpiresAt is not { } end)
            return DateTimeOffset.MinValue;
        // Short-lived tokens keep a margin in proportion: half of the time between "due" and the end.
        var margin = TimeSpan.FromTicks(Math.Min(Margin.Ticks, Math.Max(0, (end - facts.DueAt).Ticks / 2)));
        return facts.AbsoluteEndAt is { } last && last < end - margin ? last : end - margin;
    }

    /// <summary>
    /// True while a renewal that kills the old access token can still wait for statements under way: for half of the time between "due"
    /// and the end. After that they go on with the new token, as their drivers can.
    /// </summary>
    public static bool MayWaitForRuns(RenewalFacts facts, DateTimeOffset now) =>
        facts.AccessExpiresAt is { } end && now < facts.DueAt + (end - facts.DueAt) / 2;

    /// <summary>
    /// When background renewal is due: with 5 to 10 minutes left by default, spread by chance so that grants given in the same
    /// minute are not renewed in the same second; never before half of the token's life.
    /// </summary>
    /// <param name="issued">When the token was issued, by the store's clock.</param>
    /// <param name="expires">When it ends.</param>
    /// <param name="lifetimes">The connection's lifetimes.</param>
    /// <param name="fraction">Chance, in [0, 1).</param>
    public static DateTimeOffset DueAt(DateTimeOffset issued, DateTimeOffset expires, Lifetimes lifetimes, double fraction)
    {
        var spread = lifetimes.RenewBeforeEarliest - lifetimes.RenewBeforeLatest;
        var left = lifetimes.RenewBeforeLatest + fraction * spread;
        var half = (expires - issued) / 2;
        if (left > half)
            left = half * (1 - fraction / 4);
        return expires - left;
    }

    /// <summary>
    /// How long to wait after the n-th failure in a row: exponential from one second to one minute, with full jitter in its upper
    /// half; the server's Retry-After when that is longer.
    /// </summary>
    public static TimeSpan Backoff(int failures, TimeSpan? retryAfter, double fraction)
    {
        var ceiling = TimeSpan.FromSeconds(Math.Min(60, Math.Pow(2, Math.Clamp(failures, 0, 10))));
        var wait = ceiling / 2 + ceiling / 2 * fraction;
        return retryAfter is { } told && told > wait ? told : wait;
    }
}
