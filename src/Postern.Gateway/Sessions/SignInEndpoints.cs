using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Postern.Gateway.Http;
using Postern.Gateway.Pages;
using Postern.Gateway.Tenants;
using Postern.Grants;
using Postern.Grants.Connects;
using Postern.Model;
using Postern.OAuth;

namespace Postern.Gateway.Sessions;

/// <summary>OpenID Connect sign-in to the portal, and sign-out.</summary>
internal static class SignInEndpoints
{
    public const string CallbackPath = "/sign-in/callback";

    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/sign-in", BeginAsync);
        app.MapGet(CallbackPath, CompleteAsync);
        app.MapPost("/sign-out", SignOutAsync).AddEndpointFilter<SameOriginFilter>();
    }

    private static async Task<IResult> BeginAsync(HttpContext context, GrantDesk desk, Shell shell)
    {
        var returnTo = context.Request.Query["return_to"].ToString();
        var begun = await desk.SignIns.BeginAsync(
            TenantGate.Of(context), TenantGate.Origin(context) + CallbackPath, LocalPath.Of(returnTo), context.RequestAborted);
        if (!begun.TryGet(out var redirect, out var refused))
            return shell.Failed(context, refused);
        Cookies.SetBinding(context.Response, redirect.BindingName, redirect.Binding);
        context.Response.Headers.CacheControl = "no-store";
        return Results.Redirect(redirect.Url);
    }

    private static async Task<IResult> CompleteAsync(HttpContext context, GrantDesk desk, SessionGate gate, Shell shell)
    {
        var tenant = TenantGate.Of(context);
        if (!CallbackParameters.Parse(context.Request.QueryString.Value ?? "").TryGet(out var parameters, out var malformed))
            return shell.Failed(context, malformed);
        // A new session at each sign-in; the one that the browser brought ends. Looked for first, because whoever cannot be told now comes again.
        var before = (await gate.RequireAsync(context)).TryGet(out var session, out _) && session.Kind == SessionKind.Portal ? session : null;
        var name = ConnectDesk.BindingName(parameters);
        var completed = await desk.SignIns.CompleteAsync(tenant, parameters, Cookies.Binding(context, name), TenantGate.Origin(context) + CallbackPath, context.RequestAborted);
        Cookies.EndBinding(context, name, completed.Refusal);
        if (!completed.TryGet(out var signedIn, out var refused))
            return shell.Failed(context, refused);

        SessionGate.Set(context, await desk.Sessions.OpenPortalAsync(signedIn.Subject, before, context.RequestAborted));
        context.Response.Headers.CacheControl = "no-store";
        return Results.LocalRedirect(signedIn.ReturnTo);
    }

    private static async Task<IResult> SignOutAsync(HttpContext context, SessionGate gate, GrantDesk desk)
    {
        if ((await gate.RequireAsync(context)).TryGet(out var session, out _))
        {
            // A browser that closes at this moment has signed out all the same.
            await desk.SignOutAsync(session, CancellationToken.None);
            SessionGate.Clear(context, session.Kind);
        }
        return Results.NoContent();
    }
}
