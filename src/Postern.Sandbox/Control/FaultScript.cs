using System.Globalization;

namespace Postern.Sandbox.Control;

/// <summary>
/// The queue of faults. A request takes at most one, at its beginning, and keeps it: a drop after commit strikes the request that took
/// it and no other, however many run at once.
/// </summary>
internal sealed class FaultScript(TimeProvider time) : IFaultScript
{
    private static readonly object Taken = new();
    private readonly Lock _gate = new();
    private readonly List<PendingFault> _queue = [];

    /// <summary>What is still to come, in order.</summary>
    public IReadOnlyList<PendingFault> Pending
    {
        get
        {
            lock (_gate)
            {
                return [.. _queue];
            }
        }
    }

    /// <summary>Appends a fault.</summary>
    public void Add(Fault fault)
    {
        lock (_gate)
        {
            _queue.Add(new PendingFault(fault, fault.Times));
        }
    }

    /// <summary>Forgets what is still to come.</summary>
    public void Clear()
    {
        lock (_gate)
        {
            _queue.Clear();
        }
    }

    /// <summary>The fault this request has taken, or <see langword="null"/>.</summary>
    public static Fault? TakenBy(HttpContext context) => context.Items.TryGetValue(Taken, out var fault) ? fault as Fault : null;

    public ValueTask<bool> ApplyAsync(string where, string phase, HttpContext context) => ApplyAsync(where, phase, context, issuer: null);

    /// <summary>As the interface's method, at an issuer.</summary>
    public async ValueTask<bool> ApplyAsync(string where, string phase, HttpContext context, string? issuer)
    {
        if (phase == "after")
        {
            return TakenBy(context) is { Kind: "drop-after-commit" } && Drop(context);
        }

        if (Take(where, issuer) is not { } fault)
        {
            return false;
        }

        context.Items[Taken] = fault;
        switch (fault.Kind)
        {
            case "status":
                await AnswerAsync(fault, context);
                return true;
            case "delay":
                await Task.Delay(TimeSpan.FromMilliseconds(fault.DelayMs!.Value), time, context.RequestAborted);
                return false;
            case "drop-before":
                return Drop(context);
            default:
                return false;
        }
    }

    private static bool Drop(HttpContext context)
    {
        context.Abort();
        return true;
    }

    private static async Task AnswerAsync(Fault fault, HttpContext context)
    {
        var body = fault.Body ?? DefaultBody(fault);
        context.Response.StatusCode = fault.Status!.Value;
        context.Response.ContentType = body.TrimStart().StartsWith('{') ? "application/json" : "text/html; charset=utf-8";
        context.Response.Headers.CacheControl = "no-store";
        if (fault.RetryAfter is { } seconds)
        {
            context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        await context.Response.WriteAsync(body, context.RequestAborted);
    }

    // Issuers speak RFC 6749 section 5.2, the platform speaks Databricks.
    private static string DefaultBody(Fault fault) => (fault.Where, fault.Status) switch
    {
        ("token" or "par" or "revoke", 400) => """{"error":"invalid_grant","error_description":"Refresh token is invalid"}""",
        ("token" or "par" or "revoke", 401) => """{"error":"invalid_client","error_description":"Client authentication failed"}""",
        ("token" or "par" or "revoke", _) => """{"error":"temporarily_unavailable","error_description":"Try again later"}""",
        (_, 429) => """{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"Too many requests."}""",
        (_, 403) => """{"error_code":403,"message":"Invalid access token."}""",
        _ => """{"error_code":"TEMPORARILY_UNAVAILABLE","message":"The service is temporarily unavailable."}""",
    };

    private Fault? Take(string where, string? issuer)
    {
        lock (_gate)
        {
            var index = _queue.FindIndex(pending =>
                pending.Fault.Where == where && (pending.Fault.Issuer is null || pending.Fault.Issuer == issuer));
            if (index < 0)
            {
                return null;
            }

            var (fault, left) = _queue[index];
            if (left == 1)
            {
                _queue.RemoveAt(index);
            }
            else
            {
                _queue[index] = new PendingFault(fault, left - 1);
            }

            return fault;
        }
    }
}
