using System.Security.Claims;
using OpenIddict.Abstractions;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Postern.Sandbox.Issuers;

/// <summary>Makes the principals that codes and tokens are issued for.</summary>
internal sealed class IssuedPrincipal(IssuerProfile profile, IssuerDirectory directory, LiveLifetimes lifetimes, IssuerAddress address)
{
    /// <summary>A person who signed in and consented to these scopes.</summary>
    public ClaimsPrincipal ForUser(DemoUser user, IEnumerable<string> scopes, DateTimeOffset signedInAt)
    {
        var identity = NewIdentity(directory.SubjectOf(user), scopes);
        identity.SetClaim(Claims.AuthenticationTime, signedInAt.ToUnixTimeSeconds());
        return Finish(identity, user);
    }

    /// <summary>The person of a code or refresh token with today's name and address; <see langword="null"/> if unknown by now.</summary>
    /// <param name="narrower">Fewer scopes, where the client asked for fewer; none to keep what was granted.</param>
    public ClaimsPrincipal? Renew(ClaimsPrincipal granted, IReadOnlyCollection<string> narrower)
    {
        if (directory.FindBySubject(granted.GetClaim(Claims.Subject)) is not { } user)
        {
            return null;
        }

        var identity = new ClaimsIdentity(granted.Claims, granted.Identity!.AuthenticationType, Claims.Name, Claims.Role);
        if (narrower.Count > 0)
        {
            identity.SetScopes(narrower);
        }

        return Finish(identity, user);
    }

    /// <summary>A client that acts for itself.</summary>
    public ClaimsPrincipal ForClient(string client, IEnumerable<string> scopes) => Finish(NewIdentity(client, scopes), user: null);

    private ClaimsIdentity NewIdentity(string subject, IEnumerable<string> scopes)
    {
        var identity = new ClaimsIdentity("sandbox", Claims.Name, Claims.Role);
        identity.SetClaim(Claims.Subject, subject).SetScopes(scopes);
        if (profile.OpensPlatform)
        {
            identity.SetResources(address.Origin + "/api");
        }

        return identity;
    }

    private ClaimsPrincipal Finish(ClaimsIdentity identity, DemoUser? user)
    {
        if (user is not null)
        {
            identity.SetClaim(Claims.Name, user.Name).SetClaim(Claims.Email, user.Email);
        }

        identity.SetDestinations(claim => claim.Type switch
        {
            Claims.Name when identity.HasScope(Scopes.Profile) => [Destinations.AccessToken, Destinations.IdentityToken],
            Claims.Email when identity.HasScope(Scopes.Email) => [Destinations.AccessToken, Destinations.IdentityToken],
            Claims.AuthenticationTime => [Destinations.IdentityToken],
            _ => [],
        });
        var principal = new ClaimsPrincipal(identity);
        var current = lifetimes.Current;
        principal.SetAuthorizationCodeLifetime(TimeSpan.FromSeconds(current.AuthorizationCodeSeconds));
        principal.SetAccessTokenLifetime(TimeSpan.FromSeconds(current.AccessTokenSeconds));
        principal.SetRefreshTokenLifetime(TimeSpan.FromSeconds(current.RefreshTokenSeconds));
        return principal;
    }
}

/// <summary>Where the server answers.</summary>
/// <param name="Origin">Scheme, host and port, without a slash at the end.</param>
internal sealed record IssuerAddress(string Origin);
