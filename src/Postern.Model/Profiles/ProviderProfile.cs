using System.Collections.Immutable;

namespace Postern.Model;

/// <summary>What an authorization server does to the old refresh token when it gives a new pair.</summary>
public enum RefreshRotation
{
    /// <summary>The refresh token stays, or a new one leaves the old one alive; a lost answer is simply asked for again.</summary>
    None,
    /// <summary>A new one each time; the old one still works for a short grace period, so one retry is safe.</summary>
    RotatingWithGrace,
    /// <summary>A new one each time; using the old one again ends the whole family.</summary>
    SingleUse,
    /// <summary>As <see cref="SingleUse"/>, and the old access token dies at once.</summary>
    SingleUseKillsAccessTokens,
}

/// <summary>What a scope reaches, in plain words, for consent pages and the portal (R20).</summary>
public sealed record ScopeMeaning(string Scope, string Reaches);

/// <summary>How one kind of authorization server behaves; data, not code (architecture, decision 3).</summary>
/// <param name="Name">The name configurations use.</param>
/// <param name="Rotation">What renewal does to refresh tokens.</param>
/// <param name="CanRevoke">Whether it has an RFC 7009 endpoint.</param>
/// <param name="Scopes">The scopes it knows, with what they reach.</param>
/// <param name="QueryScopes">Any one of these is needed to run a query; empty when scopes do not decide.</param>
public sealed record ProviderProfile(
    string Name,
    RefreshRotation Rotation,
    bool CanRevoke,
    ImmutableArray<ScopeMeaning> Scopes,
    ImmutableArray<string> QueryScopes)
{
    /// <summary>The cap of a server whose own limit is not known.</summary>
    public const int DefaultTokenRequestsPerMinute = 1200;

    /// <summary>What people call the server.</summary>
    public string DisplayName { get; init; } = Name;

    /// <value>How long a rotated refresh token still works; only with <see cref="RefreshRotation.RotatingWithGrace"/>, and then at most an hour.</value>
    public TimeSpan Grace { get; init; }

    /// <value>The grant ends this long after the consent, whatever is renewed; null where the server has no such end, or it is not known.</value>
    public TimeSpan? AbsoluteSession { get; init; }

    /// <value>How long an access token lives that came without <c>expires_in</c>; null where nothing is known.</value>
    public TimeSpan? AssumedAccessToken { get; init; }

    /// <value>Token requests that all nodes together send to one authorization server in a minute; 1,200.</value>
    public int TokenRequestsPerMinute { get; init; } = DefaultTokenRequestsPerMinute;

    /// <summary>Where each value comes from: the name of the value, and the title and section of the documentation.</summary>
    public ImmutableSortedDictionary<string, string> Sources { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>What a scope reaches, or a sentence that says it is unknown here.</summary>
    public string Reaches(string scope)
    {
        foreach (var meaning in Scopes)
        {
            if (string.Equals(meaning.Scope, scope, StringComparison.Ordinal))
                return meaning.Reaches;
        }
        return "Defined by the data platform; ask its administrator what this reaches.";
    }

    /// <summary>True when the granted scopes suffice to run a query.</summary>
    public bool AllowsQueries(IReadOnlyCollection<string> granted)
    {
        if (QueryScopes.IsEmpty)
            return true;
        foreach (var scope in QueryScopes)
        {
            if (granted.Contains(scope))
                return true;
        }
        return false;
    }

    /// <summary>The profile with what a connection says differently.</summary>
    public ProviderProfile With(ProviderBehaviour? behaviour) => behaviour is null ? this : this with
    {
        Rotation = behaviour.Rotation ?? Rotation,
        Grace = behaviour.Grace ?? Grace,
        AbsoluteSession = behaviour.AbsoluteSession ?? AbsoluteSession,
        CanRevoke = behaviour.CanRevoke ?? CanRevoke,
        TokenRequestsPerMinute = behaviour.TokenRequestsPerMinute ?? TokenRequestsPerMinute,
    };

    /// <summary>The presets, by name.</summary>
    public static ImmutableArray<ProviderProfile> All { get; } = ProviderProfileReader.ReadPresets();

    /// <summary>The preset of that name, or null.</summary>
    public static ProviderProfile? Find(string name)
    {
        foreach (var profile in All)
        {
            if (string.Equals(profile.Name, name, StringComparison.Ordinal))
                return profile;
        }
        return null;
    }

    /// <summary>The profile of a registration: its preset with what it says differently; null when this version knows no such preset.</summary>
    public static ProviderProfile? Of(AuthorizationSettings settings) => Find(settings.Profile)?.With(settings.Behaviour);
}

/// <summary>What a connection says of its authorization server that differs from the preset; null leaves the preset's value.</summary>
public sealed record ProviderBehaviour
{
    /// <summary>What renewal does to refresh tokens.</summary>
    public RefreshRotation? Rotation { get; init; }

    /// <summary>How long a rotated refresh token still works.</summary>
    public TimeSpan? Grace { get; init; }

    /// <summary>The grant ends this long after the consent.</summary>
    public TimeSpan? AbsoluteSession { get; init; }

    /// <summary>Whether it has an RFC 7009 endpoint.</summary>
    public bool? CanRevoke { get; init; }

    /// <summary>Token requests that all nodes together send to it in a minute.</summary>
    public int? TokenRequestsPerMinute { get; init; }
}
