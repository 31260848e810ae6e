using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Authentication;
using OpenIddict.Abstractions;
using OpenIddict.Server.AspNetCore;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Postern.Sandbox.Issuers;

/// <summary>The token and userinfo endpoints, once OpenIddict has judged the client, the code or token, and the verifier.</summary>
internal sealed class TokenEndpoint(IssuerDirectory directory, IssuedPrincipal issued, IReadOnlyList<SandboxClient> clients)
{
    private const string Scheme = OpenIddictServerAspNetCoreDefaults.AuthenticationScheme;

    /// <summary>Issues tokens for a code, a refresh token or a client's own credentials.</summary>
    public async Task<IResult> IssueAsync(HttpContext context)
    {
        var request = context.GetOpenIddictServerRequest()!;
        if (request.IsClientCredentialsGrantType())
        {
            var known = clients.First(client => client.Id == request.ClientId);
            var scopes = request.GetScopes() is { Length: > 0 } asked ? asked : [.. known.Scopes];
            return Results.SignIn(issued.ForClient(known.Id, scopes), authenticationScheme: Scheme);
        }

        var granted = (await context.AuthenticateAsync(Scheme)).Principal!;
        IReadOnlyCollection<string> narrower = request.IsRefreshTokenGrantType() ? request.GetScopes() : [];
        return issued.Renew(granted, narrower) is { } principal
            ? Results.SignIn(principal, authenticationScheme: Scheme)
            : Refuse(Errors.InvalidGrant, "The person is no longer known.");
    }

    /// <summary>Says who stands behind an access token (OIDC Core section 5.3).</summary>
    public async Task<IResult> UserInfoAsync(HttpContext context)
    {
        var caller = (await context.AuthenticateAsync(Scheme)).Principal!;
        if (directory.FindBySubject(caller.GetClaim(Claims.Subject)) is not { } user || !caller.HasScope(Scopes.OpenId))
        {
            return Results.Challenge(
                Failure(Errors.InsufficientScope, "The token was not issued for a person with the openid scope."), [Scheme]);
        }

        var claims = new Dictionary<string, object>(StringComparer.Ordinal) { [Claims.Subject] = directory.SubjectOf(user) };
        if (caller.HasScope(Scopes.Profile))
        {
            claims[Claims.Name] = user.Name;
        }

        if (caller.HasScope(Scopes.Email))
        {
            claims[Claims.Email] = user.Email;
            claims[Claims.EmailVerified] = true;
        }

        return Results.Json(claims);
    }

    private static IResult Refuse(string error, string description) => Results.Forbid(Failure(error, description), [Scheme]);

    private static AuthenticationProperties Failure(string error, string description) => new(new Dictionary<string, string?>
    {
        [OpenIddictServerAspNetCoreConstants.Properties.Error] = error,
        [OpenIddictServerAspNetCoreConstants.Properties.ErrorDescription] = description,
    });
}
