using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Postern.Gateway.Http;
using Postern.Gateway.Pages;
using Postern.Gateway.Sessions;
using Postern.Gateway.Tenants;
using Postern.Grants;
using Postern.Grants.Connects;
using Postern.Model;
using Postern.OAuth;

namespace Postern.Gateway.Connect;

/// <summary>The HTTP side of <see cref="ConnectFlow"/>.</summary>
internal static class ConnectEndpoints
{
    public const string CallbackPath = "/oauth/callback";

    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/connect", (HttpContext context, Shell shell) => shell.Connect(context));
        app.MapGet(CallbackPath, CallbackAsync);
        app.MapGet(CallbackPath + "/{connection}", CallbackAsync);

        var api = app.MapGroup("").AddEndpointFilter<SameOriginFilter>();
        api.MapPost("/api/connects", BeginAsync);
        api.MapPost("/api/connects/{id:guid}/confirm", ConfirmAsync);
        api.MapPost("/connect/introduce", IntroduceAsync);
        api.MapPost("/connect/start", StartAsync);
    }

    private static async Task<IResult> BeginAsync(BeginConnect body, HttpContext context, SessionGate gate, ConnectFlow flow)
    {
        if (!(await gate.RequireAsync(context)).TryGet(out var session, out var nobody))
            return Problems.From(nobody);
        if (!ConnectionId.TryParse(body.Connection, out var connection))
            return Problems.From(new Refusal(RefusalKind.InvalidRequest, "Name the connection: {\"connection\": \"…\"}."));
        var begun = await flow.BeginAsync(session, SessionGate.ViewerOf(context, session), connection, RedirectUri(context), context.RequestAborted);
        return begun.TryGet(out var connect, out var refused)
            ? Results.Json(new BegunConnectBody(connect.Id, Cookies.Value(connect.Handle), "/connect"), GatewayJson.Default.BegunConnectBody, statusCode: StatusCodes.Status201Created)
            : Problems.From(refused);
    }

    private static async Task<IResult> IntroduceAsync(ConnectHandle body, HttpContext context, GrantDesk desk)
    {
        var introduced = await desk.Connects.IntroduceAsync(TenantGate.Of(context).Id, body.Handle ?? "", context.RequestAborted);
        return introduced.TryGet(out var introduction, out var refused)
            ? Results.Json(ConnectIntroductionBody.Of(introduction), GatewayJson.Default.ConnectIntroductionBody)
            : Problems.From(refused);
    }

    private static async Task<IResult> StartAsync(ConnectHandle body, HttpContext context, GrantDesk desk)
    {
        var redirected = await desk.Connects.RedirectAsync(TenantGate.Of(context).Id, body.Handle ?? "", body.AgreementVersion, context.RequestAborted);
        if (!redirected.TryGet(out var redirect, out var refused))
            return Problems.From(refused);
        Cookies.SetBinding(context.Response, redirect.BindingName, redirect.Binding);
        return Results.Json(new AuthorizeBody(redirect.Url), GatewayJson.Default.AuthorizeBody);
    }

    private static async Task<IResult> CallbackAsync(HttpContext context, ConnectFlow flow, Shell shell)
    {
        if (!CallbackParameters.Parse(context.Request.QueryString.Value ?? "").TryGet(out var parameters, out var malformed))
            return shell.ConnectFailed(context, malformed);
        var name = ConnectDesk.BindingName(parameters);
        // Where it came in is part of what is judged: a server without iss is told from others by its own path (RFC 9700 section 4.4.2.2).
        var receivedAt = TenantGate.Origin(context) + context.Request.Path.Value;
        var completed = await flow.CompleteAsync(TenantGate.Of(context), parameters, Cookies.Binding(context, name), receivedAt, context.RequestAborted);
        Cookies.EndBinding(context, name, completed.Refusal);
        if (completed.TryGet(out var result, out var refused))
            return shell.ConnectReady(context, result);
        // Where nothing was used up, the window stays open, and the same address may be loaded again.
        return ConnectDesk.MayComeAgain(refused) ? shell.Failed(context, refused) : shell.ConnectFailed(context, refused);
    }

    private static async Task<IResult> ConfirmAsync(Guid id, ConfirmConnect body, HttpContext context, SessionGate gate, ConnectFlow flow)
    {
        if (!(await gate.RequireAsync(context)).TryGet(out var session, out var nobody))
            return Problems.From(nobody);
        var confirmed = await flow.ConfirmAsync(session, body.Confirmation ?? "", context.RequestAborted);
        return confirmed.TryGet(out var grant, out var refused)
            ? Results.Json(new ConfirmedBody(id, grant.Connection.Value, "connected", grant.Principal.Shown), GatewayJson.Default.ConfirmedBody)
            : Problems.From(refused);
    }

    private static string RedirectUri(HttpContext context) => TenantGate.Origin(context) + CallbackPath;
}
