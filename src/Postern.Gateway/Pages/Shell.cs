using System.Net;
using Microsoft.AspNetCore.Http;
using Postern.Gateway.Connect;
using Postern.Gateway.Http;
using Postern.Gateway.Tenants;
using Postern.Model;

namespace Postern.Gateway.Pages;

/// <summary>
/// The HTML shells around the front end's elements. No inline script or style, everything encoded, nothing cached: what a page shows
/// comes by the API, under the session.
/// </summary>
internal sealed class Shell(FrontEnd frontEnd)
{
    public IResult Portal(HttpContext context) => Page(context, TenantGate.Of(context).DisplayName, frontEnd.HeadOf("portal"), "<postern-portal></postern-portal>");

    public IResult Connect(HttpContext context) => Page(context, "Connect", frontEnd.HeadOf("connect"), "<postern-connect></postern-connect>");

    /// <summary>A workbook at top level, for a portal session.</summary>
    public IResult Workbook(HttpContext context, WorkbookId workbook) =>
        Page(context, "Workbook", frontEnd.HeadOf("viewer"), $"""<postern-viewer workbook="{workbook.Value}"></postern-viewer>""");

    /// <summary>A workbook as an iframe's document: only the tenant's embed origins may frame it, and only they may speak to it.</summary>
    public IResult Frame(HttpContext context, WorkbookId workbook)
    {
        var origins = TenantGate.Of(context).EmbedOrigins;
        SecurityHeaders.AllowFraming(context.Response, origins);
        return Page(context, "Workbook", frontEnd.HeadOf("viewer"),
            $"""<postern-viewer workbook="{workbook.Value}" embed-origins="{Text(string.Join(' ', origins))}"></postern-viewer>""");
    }

    public IResult ConnectReady(HttpContext context, ConnectResult result) => ConnectPage(context, "ready", result.Connect.ToString("D"), result.Confirmation,
        $"Connected to {result.Connection}", $"You signed in as {result.Principal}. This window hands over to the page you came from and closes.");

    public IResult ConnectFailed(HttpContext context, Refusal refusal)
    {
        var (outcome, title) = refusal switch
        {
            { Reconnect: ReconnectReason.Denied } => ("denied", "You did not allow it"),
            { Reconnect: ReconnectReason.Scope } => ("denied", "A permission is missing"),
            _ when refusal.Code.StartsWith("principal", StringComparison.Ordinal) => ("mismatch", "This is somebody else's account"),
            _ => ("failed", "The connection was not made"),
        };
        return ConnectPage(context, outcome, "", "", title, refusal.Detail);
    }

    /// <summary>A page that says what went wrong, for navigations that have no page of their own.</summary>
    /// <param name="context">The navigation.</param>
    /// <param name="refusal">What went wrong.</param>
    /// <param name="status">Another status than the refusal's own.</param>
    public IResult Failed(HttpContext context, Refusal refusal, int? status = null)
    {
        var (usual, _, title) = Problems.Describe(refusal.Kind);
        context.Response.StatusCode = status ?? usual;
        if (refusal.RetryAfter is { } wait)
            context.Response.Headers.RetryAfter = Problems.Seconds(wait);
        return Page(context, title, "", $"""
            <main class="postern-page"><h1>{Text(title)}</h1><p>{Text(refusal.Detail)}</p><p><a href="/">Go to the start page</a></p></main>
            """);
    }

    private IResult ConnectPage(HttpContext context, string outcome, string connect, string confirmation, string title, string detail) =>
        Page(context, title, Styles + """<script type="module" src="/assets/connect-result.js"></script>""", $"""
            <main id="connect-result" class="postern-page" data-outcome="{outcome}" data-connect="{Text(connect)}" data-confirmation="{Text(confirmation)}">
              <h1>{Text(title)}</h1>
              <p>{Text(detail)}</p>
            </main>
            """);

    private const string Styles = """<link rel="stylesheet" href="/page.css">""" + "\n";

    private static IResult Page(HttpContext context, string title, string head, string body)
    {
        context.Response.Headers.CacheControl = "no-store";
        return Results.Content($"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>{Text(title)}</title>
            <link rel="icon" href="data:,">
            {(head.Length == 0 ? Styles : head)}
            </head>
            <body>
            {body}
            </body>
            </html>
            """, "text/html; charset=utf-8", statusCode: context.Response.StatusCode);
    }

    /// <summary>The style sheet of the pages that are not the front end's: the callback and errors.</summary>
    public const string PageStyle = """
        :root { color-scheme: light dark; }
        body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; background: light-dark(#f6f7f9, #12151a); color: light-dark(#1b2230, #e6e9ef); }
        .postern-page { max-width: 30rem; margin: 12vh auto 0; padding: 2rem; background: light-dark(#fff, #1a1f27); border: 1px solid light-dark(#dde1e8, #2c333f); border-radius: 0.75rem; }
        h1 { margin: 0 0 0.5rem; font-size: 1.35rem; }
        p { margin: 0.5rem 0 0; }
        a { color: light-dark(#1f55c4, #8fb4ff); }
        """;

    private static string Text(string value) => WebUtility.HtmlEncode(value);
}
