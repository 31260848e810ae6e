using System.Collections.Immutable;

namespace Postern.Model;

/// <summary>A customer: known by the host name of the request alone, so that it has its own origin and cookies.</summary>
/// <param name="Id">The tenant.</param>
/// <param name="DisplayName">What people read.</param>
/// <param name="Hosts">Host names without port, lower case.</param>
/// <param name="EmbedOrigins">Origins that may frame this tenant's workbooks, byte for byte, such as <c>https://portal.example</c>.</param>
/// <param name="SignIn">How people sign in to the portal.</param>
/// <param name="Connections">The tenant's connections.</param>
public sealed record Tenant(
    TenantId Id,
    string DisplayName,
    ImmutableArray<string> Hosts,
    ImmutableArray<string> EmbedOrigins,
    SignInSettings SignIn,
    ImmutableArray<ConnectionId> Connections)
{
    /// <summary>The revision of the row this was read from; events name it.</summary>
    public long Revision { get; init; }
}

/// <summary>The OpenID Connect client that signs people in to the portal.</summary>
/// <param name="Client">The registration; its profile name is not used.</param>
/// <param name="Attributes">Which ID token claims become subject attributes, by claim name.</param>
public sealed record SignInSettings(AuthorizationSettings Client, ImmutableArray<string> Attributes);

/// <summary>
/// The key of a host application's back end: it may speak for people, within these bounds.
/// </summary>
/// <param name="Tenant">The tenant it belongs to.</param>
/// <param name="Id">Its public id, the user name of HTTP Basic.</param>
/// <param name="DisplayName">The host application, as people read it before they consent.</param>
/// <param name="SecretHash">SHA-256 of its secret, which has at least 256 bits of chance or 24 characters.</param>
/// <param name="Workbooks">The workbooks it may open.</param>
/// <param name="Attributes">The attributes it may assert.</param>
/// <param name="Origins">The origins it may name; each also an embed origin of the tenant.</param>
public sealed record EmbedKey(
    TenantId Tenant,
    string Id,
    string DisplayName,
    ImmutableArray<byte> SecretHash,
    ImmutableArray<WorkbookId> Workbooks,
    ImmutableArray<string> Attributes,
    ImmutableArray<string> Origins)
{
    /// <summary>The shortest secret that is accepted, in characters.</summary>
    public const int MinSecretLength = 24;

    /// <summary>The authority of subjects that this key speaks for.</summary>
    public string Authority => "embed:" + Id;
}
