using Postern.Model;

namespace Postern.Grants.Tests.Support;

/// <summary>The tokens that came of one consent, as the authorization server knows them.</summary>
internal sealed class Family
{
    private readonly int number;
    private readonly TimeProvider clock;
    private readonly Dictionary<string, int> redeemed = [];
    private readonly Dictionary<string, DateTimeOffset> issued = [];
    private int refreshes = 1;
    private int accesses = 1;
    private bool graceUsed;

    public Family(int number, RefreshRotation rotation, TimeProvider clock)
    {
        (this.number, Rotation, this.clock) = (number, rotation, clock);
        issued[Access] = clock.GetUtcNow();
    }

    public RefreshRotation Rotation { get; }

    public string Refresh => $"refresh-{number}-{refreshes}";

    public string Access => $"access-{number}-{accesses}";

    /// <summary>The person's session at the server ends then, whatever is renewed; null: never.</summary>
    public DateTimeOffset? EndsAt { get; set; }

    /// <summary>How long after a redemption the same token may come once more, where there is grace.</summary>
    public TimeSpan Grace { get; set; } = TimeSpan.FromMinutes(5);

    public int Redemptions => redeemed.Values.Sum();

    /// <summary>How often the most redeemed refresh token was redeemed.</summary>
    public int MostOfOneToken => redeemed.Values.DefaultIfEmpty().Max();

    /// <summary>When each access token was issued, the first one included.</summary>
    public IReadOnlyList<DateTimeOffset> IssuedAt => [.. issued.Values];

    public bool Reused { get; private set; }

    public bool TryRedeem(string token)
    {
        if (Reused || clock.GetUtcNow() >= EndsAt)
            return false;
        var graced = Rotation == RefreshRotation.RotatingWithGrace && !graceUsed
            && clock.GetUtcNow() <= issued[Access] + Grace && token == $"refresh-{number}-{refreshes - 1}";
        if (token != Refresh && !graced)
        {
            Reused = true;
            return false;
        }
        // One repetition for each token: the next one has its own.
        graceUsed = graced;
        if (Rotation != RefreshRotation.None && !graced)
            refreshes++;
        accesses++;
        redeemed[token] = redeemed.GetValueOrDefault(token) + 1;
        issued[Access] = clock.GetUtcNow();
        return true;
    }

    public bool Accepts(string access, TimeSpan life)
    {
        var now = clock.GetUtcNow();
        return !Reused && !(now >= EndsAt) && issued.TryGetValue(access, out var at) && now < at + life
            && (Rotation != RefreshRotation.SingleUseKillsAccessTokens || access == Access);
    }
}
