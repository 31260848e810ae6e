using System.Collections.Immutable;
using Postern.Grants.Leases;
using Postern.Model;
using Postern.OAuth;
using Postern.Store;

namespace Postern.Grants.Connects;

/// <summary>A connect that began. The handle stays in the window that asked; the popup takes it from there.</summary>
public sealed record BegunConnect(Guid Id, SecretText Handle);

/// <summary>What the popup shows before anybody goes on.</summary>
/// <param name="Connection">What is connected.</param>
/// <param name="Subject">Who connects.</param>
/// <param name="HostDisplay">The host application that asked; null in the portal.</param>
/// <param name="HostOrigin">Its origin.</param>
public sealed record ConnectIntroduction(Connection Connection, Subject Subject, string? HostDisplay, string? HostOrigin);

/// <summary>Where the browser goes, and the secret that binds this browser to the answer.</summary>
/// <param name="Url">The authorization request.</param>
/// <param name="Binding">For a cookie of its own.</param>
/// <param name="BindingName">Tells several connects of one browser apart; the callback finds it again by <c>state</c>.</param>
public sealed record ConnectRedirect(string Url, SecretText Binding, string BindingName);

/// <summary>
/// The ticket from the code exchange to the keeping of the grant: fresh tokens that nobody may use yet, except to ask the platform
/// who owns them. Kept or discarded, never dropped.
/// </summary>
public sealed class FreshTokens : IDisposable
{
    internal FreshTokens(PendingConnectRow pending, Connection connection, Subject subject, GrantId grant, TokenSet tokens, IdentityToken? identity)
    {
        Pending = pending;
        Connection = connection;
        Subject = subject;
        Grant = grant;
        Tokens = tokens;
        Bearer = new Bearer(new SecretBytes(tokens.Access.Reveal()), generation: 1, connection.Endpoint);
        Scopes = tokens.GrantedScopes(connection.Authorization.Scopes);
        // An address that the issuer says it did not verify proves nothing (OIDC Core section 5.1).
        FromIdToken = identity is { Email: { } email, EmailVerified: not false }
            ? new PlatformPrincipal(identity.Issuer, identity.Subject, identity.Name ?? email, email)
            : null;
    }

    /// <summary>The connection, at the revision that was judged.</summary>
    public Connection Connection { get; }

    /// <summary>Who asked to connect.</summary>
    public Subject Subject { get; }

    /// <summary>The granted scopes: they decide, not the requested ones.</summary>
    public ImmutableArray<string> Scopes { get; }

    /// <summary>The principal, when a validated ID token names it; otherwise ask the platform.</summary>
    public PlatformPrincipal? FromIdToken { get; }

    /// <summary>For the platform's who-am-I only.</summary>
    public IBearer WhoAmI => Bearer;

    /// <summary>The connect they belong to.</summary>
    public Guid Connect => Pending.Id;

    internal PendingConnectRow Pending { get; }
    internal GrantId Grant { get; }
    internal TokenSet Tokens { get; }
    private Bearer Bearer { get; }

    /// <summary>Wipes the tokens.</summary>
    public void Dispose()
    {
        Bearer.Dispose();
        Tokens.Dispose();
    }
}

/// <summary>An unconfirmed grant, with the secret that only the page that asked can give back.</summary>
public sealed record KeptGrant(Guid Connect, GrantId Grant, SecretText Confirmation);
