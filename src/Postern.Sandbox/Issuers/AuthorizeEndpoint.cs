using System.Collections.Immutable;
using System.Security.Cryptography;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.DataProtection;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using OpenIddict.Server.AspNetCore;
using Postern.Sandbox.Pages;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Postern.Sandbox.Issuers;

/// <summary>The authorization endpoint and its two pages. OpenIddict has judged the request before it comes here.</summary>
internal sealed class AuthorizeEndpoint(
    IssuerProfile profile,
    IssuerDirectory directory,
    IssuedPrincipal issued,
    IOpenIddictApplicationManager applications,
    IOpenIddictTokenManager tokens,
    IDataProtectionProvider protection,
    TimeProvider time)
{
    /// <summary>
    /// A test that needs thousands of people names one here, who then is signed in and allows everything without either page. No
    /// page of another site can send it: the server knows no CORS.
    /// </summary>
    private const string ScriptedPerson = "Sandbox-Person";

    // A person may read the pages for this long.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private readonly ITimeLimitedDataProtector _tickets = protection.CreateProtector("consent").ToTimeLimitedDataProtector();

    /// <summary>
    /// Answers an authorization request: (1) shows what OpenIddict refused and could not redirect; (2) finds out who is signed in, and
    /// lists the people if nobody is or the client wants it so; (3) asks what the client may do; (4) issues the code.
    /// </summary>
    public async Task<IResult> AuthorizeAsync(HttpContext context)
    {
        // 1. A request that cannot be answered with a redirect.
        if (context.GetOpenIddictServerResponse() is { Error: not null } refusal)
        {
            return ErrorPage.For(profile, refusal.Error, refusal.ErrorDescription);
        }

        var request = context.GetOpenIddictServerRequest()!;
        var raw = AuthorizationRequest.Read(context.Request, profile.Authorize);
        var client = await ClientAsync(request, context.RequestAborted);

        if (directory.Find(context.Request.Headers[ScriptedPerson]) is { } scripted && RequestOrigin.IsOwn(context.Request))
        {
            return Issue(scripted, request.GetScopes(), time.GetUtcNow());
        }

        // 2. Who is it?
        var visitor = await Visitor.ReadAsync(context, directory);
        if (visitor is null || WantsSignIn(request, raw, visitor))
        {
            if (request.HasPromptValue(PromptValues.None))
            {
                return Refuse(Errors.LoginRequired, "Nobody is signed in.");
            }

            await KeepPushedRequestAsync(context);
            return SignInPage.For(profile, client, directory, raw);
        }

        // 3. What may the client do?
        var scopes = request.GetScopes();
        if (profile.AsksConsent)
        {
            if (request.HasPromptValue(PromptValues.None))
            {
                return Refuse(Errors.ConsentRequired, "Consent is asked each time.");
            }

            if (!Answered(context.Request, raw, visitor))
            {
                await KeepPushedRequestAsync(context);
                return ConsentPage.For(profile, client, visitor.User, scopes, raw, NewTicket(raw, visitor));
            }

            if (context.Request.Form[AuthorizationRequest.Decision] != "allow")
            {
                return Refuse(Errors.AccessDenied, "The person said no.");
            }

            var ticked = context.Request.Form[AuthorizationRequest.Granted];
            scopes = [.. scopes.Where(scope => ScopeWords.IsRequired(scope) || ticked.Contains(scope))];
        }

        // 4. A sign-in satisfies prompt=login once.
        if (visitor.SignedInFor is not null)
        {
            await (visitor with { SignedInFor = null }).RememberAsync(context);
        }

        return Issue(visitor.User, scopes, visitor.SignedInAt);
    }

    private IResult Issue(DemoUser user, IReadOnlyCollection<string> scopes, DateTimeOffset signedInAt) => Results.SignIn(
        issued.ForUser(user, scopes, signedInAt), authenticationScheme: OpenIddictServerAspNetCoreDefaults.AuthenticationScheme);

    /// <summary>
    /// Takes the choice on the sign-in page (<c>user</c>; empty to be asked again) and goes on with the authorization request named by
    /// <c>return_to</c>, which can be one of this issuer only.
    /// </summary>
    public async Task<IResult> SignInAsync(HttpContext context)
    {
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        var request = form["return_to"].ToString();
        if (!RequestOrigin.IsOwn(context.Request) || !request.StartsWith(profile.Authorize + "?", StringComparison.Ordinal)
            || request.Any(char.IsControl))
        {
            return ErrorPage.For(profile, Errors.InvalidRequest, "The sign-in form was not sent by this page.");
        }

        if (form["user"].ToString() is not { Length: > 0 } id)
        {
            await Visitor.ForgetAsync(context);
        }
        else if (directory.Find(id) is { } user)
        {
            await Visitor.Arrive(user, time.GetUtcNow(), request).RememberAsync(context);
        }
        else
        {
            return ErrorPage.For(profile, Errors.InvalidRequest, "There is no such person here.");
        }

        return new SeeOther(request);
    }

    private bool WantsSignIn(OpenIddictRequest request, AuthorizationRequest raw, Visitor visitor)
    {
        if (visitor.SignedInFor == Visitor.Digest(raw.Url))
        {
            return false;
        }

        return request.HasPromptValue(PromptValues.Login)
            || request.HasPromptValue(PromptValues.SelectAccount)
            || (request.MaxAge is { } age && time.GetUtcNow() - visitor.SignedInAt > TimeSpan.FromSeconds(age));
    }

    private string NewTicket(AuthorizationRequest raw, Visitor visitor) =>
        _tickets.Protect(visitor.Session + Visitor.Digest(raw.Url), Patience);

    // The ticket shows that this very browser session was shown this very request; a forged form has none.
    private bool Answered(HttpRequest request, AuthorizationRequest raw, Visitor visitor)
    {
        if (!request.HasFormContentType || request.Form[AuthorizationRequest.Ticket].ToString() is not { Length: > 0 } ticket
            || !RequestOrigin.IsOwn(request))
        {
            return false;
        }

        try
        {
            return _tickets.Unprotect(ticket) == visitor.Session + Visitor.Digest(raw.Url);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    // A pushed request lives for seconds, a person reads for minutes: once the person is here, the request waits for them. It stays
    // single use.
    private async Task KeepPushedRequestAsync(HttpContext context)
    {
        var transaction = context.Features.Get<OpenIddictServerAspNetCoreFeature>()?.Transaction;
        var pushed = transaction?.GetProperty<OpenIddictServerEvents.ProcessAuthenticationContext>(
            typeof(OpenIddictServerEvents.ProcessAuthenticationContext).FullName!)?.RequestTokenPrincipal;
        if (pushed?.GetTokenId() is not { } id || await tokens.FindByIdAsync(id, context.RequestAborted) is not { } token)
        {
            return;
        }

        var descriptor = new OpenIddictTokenDescriptor();
        await tokens.PopulateAsync(descriptor, token, context.RequestAborted);
        descriptor.ExpirationDate = descriptor.CreationDate + Patience;
        await tokens.UpdateAsync(token, descriptor, context.RequestAborted);
    }

    private async Task<ClientFace> ClientAsync(OpenIddictRequest request, CancellationToken cancellation)
    {
        var application = await applications.FindByClientIdAsync(request.ClientId!, cancellation);
        var name = application is null ? null : await applications.GetDisplayNameAsync(application, cancellation);
        return new ClientFace(name ?? request.ClientId!, request.RedirectUri!);
    }

    private static IResult Refuse(string error, string description) => Results.Forbid(
        new AuthenticationProperties(new Dictionary<string, string?>
        {
            [OpenIddictServerAspNetCoreConstants.Properties.Error] = error,
            [OpenIddictServerAspNetCoreConstants.Properties.ErrorDescription] = description,
        }),
        [OpenIddictServerAspNetCoreDefaults.AuthenticationScheme]);
}
