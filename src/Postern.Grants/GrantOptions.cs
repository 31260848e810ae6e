using Postern.Model;

namespace Postern.Grants;

/// <summary>Times and bounds of the token lifecycle. The defaults are made for each other; <see cref="Check"/> says how.</summary>
public sealed record GrantOptions
{
    /// <value>This node's name in claims and events; <c>node</c>.</value>
    public string Node { get; init; } = "node";

    /// <value>How long a claim holds before anyone may take it over; 30 s.</value>
    public TimeSpan ClaimFor { get; init; } = TimeSpan.FromSeconds(30);

    /// <value>How long the answer of a token endpoint may take before its outcome counts as uncertain; 30 s. At least twice the HTTP timeout.</value>
    public TimeSpan SendFor { get; init; } = TimeSpan.FromSeconds(30);

    /// <value>How long a query waits for somebody else's renewal before it is refused with <c>Retry-After</c>; 15 s.</value>
    public TimeSpan WaitAtMost { get; init; } = TimeSpan.FromSeconds(15);

    /// <value>A node that could not read the feed of changes for this long stops serving from its cache; 5 s.</value>
    public TimeSpan FeedSilence { get; init; } = TimeSpan.FromSeconds(5);

    /// <value>How often the background looks for work; 1 s.</value>
    public TimeSpan WorkPeriod { get; init; } = TimeSpan.FromSeconds(1);

    /// <value>Renewals at once in the background; 8.</value>
    public int BackgroundRenewals { get; init; } = 8;

    /// <value>How long a connect may take from beginning to callback; 10 minutes.</value>
    public TimeSpan ConnectWithin { get; init; } = TimeSpan.FromMinutes(10);

    /// <value>A portal session ends after this long without use; 30 minutes.</value>
    public TimeSpan PortalIdle { get; init; } = TimeSpan.FromMinutes(30);

    /// <value>A portal session ends after this in any case; 12 hours.</value>
    public TimeSpan PortalAbsolute { get; init; } = TimeSpan.FromHours(12);

    /// <value>A frame's session ends after this long without use; 15 minutes.</value>
    public TimeSpan FrameIdle { get; init; } = TimeSpan.FromMinutes(15);

    /// <value>A frame's session ends after this in any case; 1 hour. The frame then asks its host for a new code.</value>
    public TimeSpan FrameAbsolute { get; init; } = TimeSpan.FromHours(1);

    /// <value>How long an embed code may be redeemed; 60 s.</value>
    public TimeSpan EmbedCode { get; init; } = TimeSpan.FromSeconds(60);

    /// <value>A node that was silent for this long is dead, and its query runs are closed as lost; 30 s.</value>
    public TimeSpan NodeSilence { get; init; } = TimeSpan.FromSeconds(30);

    /// <value>Where provider profiles come from; the presets.</value>
    internal Func<string, ProviderProfile?> Profiles { get; init; } = ProviderProfile.Find;

    /// <summary>Throws when the times contradict one another.</summary>
    /// <param name="requestTimeout">The HTTP timeout of token requests, <see cref="Postern.OAuth.OAuthOptions.RequestTimeout"/>.</param>
    /// <exception cref="ArgumentException">A claim or a sending would end before the HTTP timeout.</exception>
    public GrantOptions Check(TimeSpan requestTimeout)
    {
        if (SendFor < requestTimeout + requestTimeout)
            throw new ArgumentException("SendFor must be at least twice the HTTP timeout of token requests: a live request must never count as uncertain.");
        if (ClaimFor < requestTimeout)
            throw new ArgumentException("ClaimFor must be at least the HTTP timeout of token requests.");
        return this;
    }
}
