using Microsoft.AspNetCore.Http;
using Postern.Gateway.Tenants;

namespace Postern.Gateway.Http;

/// <summary>
/// The CSRF gate of the browser API. A call must carry <c>X-Postern-Csrf: 1</c>, which no other origin can send without a preflight
/// that is never granted, and must say, where the browser says it, that it comes from this origin (Fetch Metadata, Origin).
/// Frames use <c>SameSite=None</c> cookies, which give no protection of their own; this is theirs.
/// </summary>
internal sealed class SameOriginFilter : IEndpointFilter
{
    public const string Header = "X-Postern-Csrf";

    public ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next) =>
        Comes(context.HttpContext) ? next(context) : ValueTask.FromResult<object?>(Problems.Csrf());

    private static bool Comes(HttpContext context)
    {
        var headers = context.Request.Headers;
        // EventSource cannot set headers; there, Fetch Metadata alone decides, and nothing changes state.
        var stream = HttpMethods.IsGet(context.Request.Method) && headers.Accept == "text/event-stream";
        if (!stream && headers[Header] != "1")
            return false;
        if (headers.TryGetValue("Sec-Fetch-Site", out var site) ? site != "same-origin" : stream)
            return false;
        return !headers.TryGetValue("Origin", out var origin) || origin == TenantGate.Origin(context);
    }
}
