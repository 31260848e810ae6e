using System.Collections.Immutable;

namespace Postern.Model;

/// <summary>What an authorization server does to the old refresh token when it gives a new pair.</summary>
public enum RefreshRotation
{
    /// <summary>The refresh token stays; a lost answer is simply asked for again.</summary>
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

    /// <value>Token requests that all nodes together send to one authorization server in a minute; 1,200.</value>
    public int TokenRequestsPerMinute { get; init; } = DefaultTokenRequestsPerMinute;

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

    /// <summary>The presets. Databricks: facts of its recorded metadata (no revocation endpoint, single-use optional).</summary>
    public static ImmutableArray<ProviderProfile> All { get; } =
    [
        new("databricks", RefreshRotation.SingleUse, CanRevoke: false,
        [
            new("sql", "Run SQL in the workspace's SQL warehouses with your own permissions. It reads the tables and rows that you may read, and nothing else."),
            new("all-apis", "Call every Databricks API as you. Far more than a dashboard needs."),
            new("offline_access", "Stay connected when you are away, so that you need not sign in for every dashboard. It ends when you revoke."),
            new("openid", "Know which Databricks account is yours."),
            new("email", "Read your e-mail address, to check that the connection is yours."),
            new("profile", "Read your display name."),
        ], ["sql", "all-apis"]),
        new("generic", RefreshRotation.SingleUse, CanRevoke: true,
        [
            new("sql", "Run SQL with your own permissions. It reads the tables and rows that you may read, and nothing else."),
            new("all-apis", "Call every interface of the platform as you. Far more than a dashboard needs."),
            new("offline_access", "Stay connected when you are away. It ends when you revoke."),
            new("openid", "Know which account at the platform is yours."),
            new("email", "Read your e-mail address, to check that the connection is yours."),
            new("profile", "Read your display name."),
        ], []),
    ];

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
}
