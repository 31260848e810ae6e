using System.Data.Common;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Postern.Gateway.Pages;
using Postern.Model;

namespace Postern.Gateway.Http;

/// <summary>
/// The outermost stage: what no stage answered becomes an answer. A lost database and a silent key store are "not now, nothing is lost";
/// everything else is a fault of this server, told without any of its text. An answer that has begun is broken off.
/// </summary>
internal sealed partial class FailureGate(RequestDelegate next, Shell shell, ILogger<FailureGate> log)
{
    private static readonly Refusal StoreLost = new(RefusalKind.Unavailable, "The database does not answer right now. Nothing is lost; try again shortly.")
    {
        Code = "store-unavailable",
        RetryAfter = TimeSpan.FromSeconds(1),
    };

    private static readonly Refusal Fault = new(RefusalKind.Unavailable, "Something went wrong on this server. Try again; if it stays so, tell its administrator the trace id.") { Code = "internal" };

    private const string KeysLost = "The key store does not give the key for this right now. Nothing is lost; try again shortly.";

    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The caller is gone.
        }
        catch (Exception failure) when (!context.Response.HasStarted)
        {
            context.Response.Clear();
            await SecurityHeaders.Apply(context, _ => Task.CompletedTask);
            await Answer(context, failure).ExecuteAsync(context);
        }
    }

    private IResult Answer(HttpContext context, Exception failure)
    {
        switch (failure)
        {
            case RefusedException { Refusal: { Kind: RefusalKind.Unavailable } refusal }:
                LogRefused(log, refusal.Code, refusal.Detail);
                // Its words are the operator's: they name the key store and its address.
                return Say(refusal with { Detail = KeysLost });
            case DbException:
                LogStoreLost(log, failure.Message);
                return Say(StoreLost);
            case BadHttpRequestException bad:
                return Problems.Unreadable(bad.StatusCode, new(RefusalKind.InvalidRequest, "The request could not be read: it is broken, or larger than what is taken here."));
            default:
                LogFault(log, failure);
                return WantsPage(context) ? shell.Failed(context, Fault, StatusCodes.Status500InternalServerError) : Problems.Internal(Fault);
        }

        IResult Say(Refusal refusal) => WantsPage(context) ? shell.Failed(context, refusal) : Problems.From(refusal);
    }

    private static bool WantsPage(HttpContext context) =>
        HttpMethods.IsGet(context.Request.Method) && context.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.Ordinal);

    [LoggerMessage(3100, LogLevel.Warning, "A request was refused: {Code}: {Detail}")]
    private static partial void LogRefused(ILogger log, string code, string detail);

    [LoggerMessage(3101, LogLevel.Warning, "The store cannot be used, and a request was refused: {Reason}")]
    private static partial void LogStoreLost(ILogger log, string reason);

    [LoggerMessage(3102, LogLevel.Error, "A request failed, and nobody foresaw it.")]
    private static partial void LogFault(ILogger log, Exception failure);
}
