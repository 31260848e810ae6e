using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Postern.Gateway.Http;

/// <summary>
/// The headers of every answer. Pages run under a Content-Security-Policy without <c>unsafe-*</c> and with Trusted Types; nobody
/// may frame anything, except a workbook's page by the tenant's own embed origins.
/// </summary>
internal static class SecurityHeaders
{
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
        "base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types lit-html; frame-ancestors ";

    private static readonly StringValues NotFramed = Policy + "'none'";

    public static Task Apply(HttpContext context, RequestDelegate next)
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = NotFramed;
        headers.XFrameOptions = "DENY";
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), payment=(), usb=()";
        if (context.Request.IsHttps)
            headers.StrictTransportSecurity = "max-age=31536000";
        return next(context);
    }

    /// <summary>Lets exactly these origins frame the page that is about to be written.</summary>
    public static void AllowFraming(HttpResponse response, IEnumerable<string> origins)
    {
        response.Headers.ContentSecurityPolicy = Policy + string.Join(' ', origins);
        response.Headers.Remove("X-Frame-Options");
        response.Headers["Cross-Origin-Resource-Policy"] = "cross-origin";
    }
}
