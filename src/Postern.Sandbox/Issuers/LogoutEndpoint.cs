using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Authentication;
using OpenIddict.Abstractions;
using OpenIddict.Server.AspNetCore;
using Postern.Sandbox.Pages;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Postern.Sandbox.Issuers;

/// <summary>OpenID Connect RP-initiated logout: at once with the ID token as a hint, after a question without it.</summary>
internal sealed class LogoutEndpoint(IssuerProfile profile)
{
    /// <summary>The form field by which the person confirms.</summary>
    public const string Confirmation = "confirmed";

    public async Task<IResult> LogOutAsync(HttpContext context)
    {
        if (context.GetOpenIddictServerResponse() is { Error: not null } refusal)
        {
            return ErrorPage.For(profile, refusal.Error, refusal.ErrorDescription);
        }

        var hint = await context.AuthenticateAsync(OpenIddictServerAspNetCoreDefaults.AuthenticationScheme);
        var confirmed = context.Request.HasFormContentType && context.Request.Form.ContainsKey(Confirmation)
            && RequestOrigin.IsOwn(context.Request);
        if (hint.Principal?.GetClaim(Claims.Subject) is null && !confirmed)
        {
            return SignOutPage.For(profile, AuthorizationRequest.Read(context.Request, profile.Logout!));
        }

        await Visitor.ForgetAsync(context);
        return Results.SignOut(
            new AuthenticationProperties { RedirectUri = "/" }, [OpenIddictServerAspNetCoreDefaults.AuthenticationScheme]);
    }
}
