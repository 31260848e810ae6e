using Postern.Sandbox.Issuers;

namespace Postern.Sandbox.Pages;

/// <summary>A page with the frame and the headers all pages share. No page has a script, and none may be framed.</summary>
/// <param name="status">The HTTP status.</param>
/// <param name="body">The content of the card.</param>
/// <param name="title">The document's title.</param>
/// <param name="theme">The issuer whose colour the page wears; empty for none.</param>
/// <param name="formTarget">Where a form may lead besides the server itself: browsers hold <c>form-action</c> against redirects too.</param>
internal sealed class HtmlPage(int status, string title, string theme, Markup body, string? formTarget = null) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = status;
        response.ContentType = "text/html; charset=utf-8";
        response.Headers.CacheControl = "no-store";
        response.Headers.ContentSecurityPolicy =
            $"default-src 'none'; style-src 'self'; img-src 'self' data:; form-action {FormAction()}; base-uri 'none'; frame-ancestors 'none'";
        response.Headers.XFrameOptions = "DENY";
        response.Headers.XContentTypeOptions = "nosniff";
        // Not "no-referrer": that makes browsers send "Origin: null" with our own forms.
        response.Headers["Referrer-Policy"] = "same-origin";
        response.Headers["Cross-Origin-Resource-Policy"] = "same-origin";
        return response.WriteAsync(Document().Html, httpContext.RequestAborted);
    }

    private Markup Document() => Markup.Of($"""
        <!doctype html>
        <html lang="en" data-theme="{theme}">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>{title}</title>
        <link rel="icon" href="data:,">
        <link rel="stylesheet" href="/pages.css">
        </head>
        <body>
        <main class="card">
        {body}
        </main>
        <p class="fineprint">Postern sandbox: made-up people, made-up secrets, real protocol.</p>
        </body>
        </html>

        """);

    private string FormAction()
    {
        if (formTarget is null || !Uri.TryCreate(formTarget, UriKind.Absolute, out var target))
        {
            return "'self'";
        }

        var web = target.Scheme == Uri.UriSchemeHttp || target.Scheme == Uri.UriSchemeHttps;
        return "'self' " + (web ? target.GetLeftPart(UriPartial.Authority) : target.Scheme + ":");
    }
}

/// <summary>303: whatever the method was, go on with GET (RFC 9700 section 4.12).</summary>
internal sealed class SeeOther(string location) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.StatusCode = StatusCodes.Status303SeeOther;
        httpContext.Response.Headers.Location = location;
        httpContext.Response.Headers.CacheControl = "no-store";
        return Task.CompletedTask;
    }
}

/// <summary>A client as people see it.</summary>
/// <param name="Name">Its display name.</param>
/// <param name="RedirectUri">Where the answer goes; judged before a page is shown.</param>
internal sealed record ClientFace(string Name, string RedirectUri)
{
    /// <summary>The site the answer goes to.</summary>
    public string Site => Uri.TryCreate(RedirectUri, UriKind.Absolute, out var uri) && uri.Authority.Length > 0 ? uri.Authority : RedirectUri;
}

/// <summary>The page for a request that cannot be answered with a redirect.</summary>
internal static class ErrorPage
{
    public static IResult For(IssuerProfile profile, string error, string? description) => new HtmlPage(
        StatusCodes.Status400BadRequest, "Request refused", profile.Id, Markup.Of($"""
            <p class="issuer">{profile.Title}</p>
            <h1>This request was refused</h1>
            <p>The application that sent you here made a request that cannot be answered, and nothing was given to it.</p>
            <dl class="facts"><dt>Error</dt><dd><code>{error}</code></dd><dt>Reason</dt><dd>{description}</dd></dl>
            <p>Close this window and start again from the application.</p>
            """));
}
