using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Postern.Model;

namespace Postern.Gateway.Http;

/// <summary>
/// Refusals as RFC 9457 problem details with a stable type. Nothing of a driver's text, SQL, a token, a code or a stack reaches a
/// viewer: only <see cref="Refusal.Detail"/>, which is written here for people.
/// </summary>
internal static class Problems
{
    public static IResult From(Refusal refusal) => new ProblemResult(refusal);

    public static IResult Csrf() => new ProblemResult(
        new Refusal(RefusalKind.Forbidden, "This call must come from Postern's own pages, with the header X-Postern-Csrf: 1.") { Code = "csrf" })
    { Type = "csrf", Title = "Request from elsewhere" };

    /// <summary>A fault of this server that nobody foresaw.</summary>
    public static IResult Internal(Refusal refusal) => new ProblemResult(refusal) { Status = StatusCodes.Status500InternalServerError, Type = "internal", Title = "Something went wrong here" };

    /// <summary>A request that could not even be read.</summary>
    /// <param name="status">What the server says of it, such as 413.</param>
    /// <param name="refusal">The same in words.</param>
    public static IResult Unreadable(int status, Refusal refusal) => new ProblemResult(refusal) { Status = status };

    public static (int Status, string Type, string Title) Describe(RefusalKind kind) => kind switch
    {
        RefusalKind.InvalidRequest => (StatusCodes.Status400BadRequest, "invalid-request", "The request is not valid"),
        RefusalKind.Untrusted => (StatusCodes.Status400BadRequest, "untrusted", "The answer could not be trusted"),
        RefusalKind.Unauthenticated => (StatusCodes.Status401Unauthorized, "unauthenticated", "Not signed in"),
        RefusalKind.Forbidden => (StatusCodes.Status403Forbidden, "forbidden", "Not allowed"),
        RefusalKind.NotFound => (StatusCodes.Status404NotFound, "not-found", "Not found"),
        RefusalKind.ReconnectRequired => (StatusCodes.Status409Conflict, "reconnect-required", "Connect to the data platform"),
        RefusalKind.Conflict => (StatusCodes.Status409Conflict, "conflict", "Changed meanwhile"),
        RefusalKind.QueryCancelled => (StatusCodes.Status409Conflict, "query-cancelled", "The query was cancelled"),
        RefusalKind.QueryFailed => (StatusCodes.Status422UnprocessableEntity, "query-failed", "The query failed"),
        RefusalKind.RateLimited => (StatusCodes.Status429TooManyRequests, "rate-limited", "Too many requests"),
        RefusalKind.AuthorizationServerUnavailable => (StatusCodes.Status503ServiceUnavailable, "authorization-server-unavailable", "The sign-in service does not answer"),
        RefusalKind.PlatformUnavailable => (StatusCodes.Status503ServiceUnavailable, "platform-unavailable", "The data platform does not answer"),
        _ => (StatusCodes.Status503ServiceUnavailable, "unavailable", "Not available now"),
    };

    /// <summary>A wait as <c>Retry-After</c> has it (RFC 9110 section 10.2.3).</summary>
    public static string Seconds(TimeSpan wait) => ((long)Math.Ceiling(wait.TotalSeconds)).ToString(System.Globalization.CultureInfo.InvariantCulture);

    public static string Reason(ReconnectReason reason) => reason switch
    {
        ReconnectReason.None => "none",
        ReconnectReason.Expired => "expired",
        ReconnectReason.Revoked => "revoked",
        ReconnectReason.Denied => "denied",
        ReconnectReason.Uncertain => "uncertain",
        ReconnectReason.Scope => "scope",
        _ => "changed",
    };

    private sealed class ProblemResult(Refusal refusal) : IResult
    {
        public int? Status { get; init; }
        public string? Type { get; init; }
        public string? Title { get; init; }

        public Task ExecuteAsync(HttpContext context)
        {
            var (usual, type, title) = Describe(refusal.Kind);
            var status = Status ?? usual;
            var response = context.Response;
            response.StatusCode = status;
            response.Headers.CacheControl = "no-store";
            if (refusal.RetryAfter is { } wait)
                response.Headers.RetryAfter = Seconds(wait);
            return response.WriteAsJsonAsync(
                new ProblemBody(
                    "urn:postern:" + (Type ?? type),
                    Title ?? title,
                    status,
                    refusal.Detail,
                    Activity.Current?.TraceId.ToHexString() ?? context.TraceIdentifier,
                    refusal.Code,
                    refusal.Connection?.Value,
                    refusal.Reconnect is { } reason ? Reason(reason) : null),
                GatewayJson.Default.ProblemBody,
                "application/problem+json",
                context.RequestAborted);
        }
    }
}

/// <summary>The body of a problem (RFC 9457 section 3), with Postern's extensions.</summary>
internal sealed record ProblemBody(
    string Type, string Title, int Status, string Detail, string TraceId, string Code, string? Connection, string? Reason);
