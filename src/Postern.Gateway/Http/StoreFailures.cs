using System.Data.Common;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Postern.Model;

namespace Postern.Gateway.Http;

/// <summary>
/// Stands outermost: a store that does not answer is a 503 with <c>Retry-After</c>, whichever step asked it. Nothing starts without the
/// store; so nothing has to be undone here.
/// </summary>
/// <remarks>An answer that has begun is aborted, as after any failure, so that a client can tell an end from a break.</remarks>
internal sealed partial class StoreFailures(ILogger<StoreFailures> log) : IMiddleware
{
    private static readonly Refusal Unavailable = new(RefusalKind.Unavailable, "Postern's own database does not answer right now. Try again shortly.")
    {
        Code = "store-unavailable",
        RetryAfter = TimeSpan.FromSeconds(5),
    };

    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
        }
        catch (DbException broken) when (!context.Response.HasStarted)
        {
            Failed(log, context.Request.Method, broken);
            await Problems.From(Unavailable).ExecuteAsync(context);
        }
    }

    [LoggerMessage(6101, LogLevel.Error, "A {Method} request was refused because the store failed.")]
    private static partial void Failed(ILogger log, string method, DbException broken);
}
