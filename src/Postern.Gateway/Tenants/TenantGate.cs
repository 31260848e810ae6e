using Microsoft.AspNetCore.Http;
using Postern.Gateway.Http;
using Postern.Grants.Definitions;
using Postern.Model;

namespace Postern.Gateway.Tenants;

/// <summary>
/// Finds the tenant by the host name of the request alone, never by a header, path or parameter, so that each tenant has its own
/// origin and cookies. An unknown host gets nothing.
/// </summary>
internal sealed class TenantGate(DefinitionBook definitions, GatewayOptions options) : IMiddleware
{
    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (context.Request.Path.StartsWithSegments("/healthz", StringComparison.Ordinal))
        {
            await next(context);
            return;
        }
        var host = context.Request.Host.Host;
        if (await definitions.TenantOfHostAsync(host, context.RequestAborted) is not { } tenant)
        {
            await Problems.From(new Refusal(RefusalKind.NotFound, "Nothing is served under this host name.") { Code = "host-unknown" }).ExecuteAsync(context);
            return;
        }
        var origin = new UriBuilder(options.PublicOrigin) { Host = host }.Uri.GetLeftPart(UriPartial.Authority);
        context.Features.Set(new TenantFeature(tenant, origin));
        await next(context);
    }

    /// <summary>The tenant of this request.</summary>
    public static Tenant Of(HttpContext context) => Feature(context).Tenant;

    /// <summary>The origin under which browsers know this tenant.</summary>
    public static string Origin(HttpContext context) => Feature(context).Origin;

    private static TenantFeature Feature(HttpContext context) =>
        context.Features.Get<TenantFeature>() ?? throw new InvalidOperationException("The tenant gate did not run for this path.");

    private sealed record TenantFeature(Tenant Tenant, string Origin);
}
