using Microsoft.AspNetCore.Http;
using Postern.Gateway.Http;
using Postern.Gateway.Sessions;
using Postern.Grants;
using Postern.Grants.Leases;
using Postern.Grants.Sessions;
using Postern.Model;
using Postern.Warehouse;

namespace Postern.Gateway.Query;

/// <summary>
/// The query journey. Each stage accepts only what the stage before it made, and each may refuse:
/// <list type="number">
/// <item>session gate (401; the caller's)</item>
/// <item>policy → <c>PermittedQuery</c> and its statement (403; refusals are events too)</item>
/// <item>grant desk → <c>TokenLease</c>, still sealed; renewed if needed, "reconnect" otherwise</item>
/// <item>one transaction writes the query run and its intent event, only if session, grant and connection still stand: no row, no token</item>
/// <item>warehouse → row stream; on "token expired" one forced renewal that names the refused generation</item>
/// <item>rows to the browser, cancellation all the way down</item>
/// <item>outcome event: rows, bytes, duration, the statement's id at the platform</item>
/// </list>
/// </summary>
internal sealed class QueryFlow(GrantDesk desk, DriverRegistry drivers, QuerySlots slots, TimeProvider time)
{
    public async Task<IResult> RunAsync(HttpContext context, Session session, QueryAsk ask, RowWriter writer)
    {
        var timing = new ServerTiming(time);
        var began = time.GetTimestamp();
        var viewer = SessionGate.ViewerOf(context, session);

        // 2
        if (!(await ask.JudgeAsync(viewer, desk, context.RequestAborted)).TryGet(out var permitted, out var forbidden))
            return await RefuseAsync(context, session, null, ask, forbidden);
        if (!ask.Prepare(permitted, time).TryGet(out var prepared, out var invalid))
            return await RefuseAsync(context, session, permitted.Connection.Id, ask, invalid);
        if (!drivers.Find(permitted.Connection).TryGet(out var driver, out var noDriver))
            return await RefuseAsync(context, session, permitted.Connection.Id, ask, noDriver);
        using var slot = slots.TryTake(session.Subject.Key, permitted.Connection);
        if (slot is null)
            return await RefuseAsync(context, session, permitted.Connection.Id, ask, Busy);
        timing.Stage("policy");

        // 3
        if (!(await desk.LeaseAsync(permitted, context.RequestAborted)).TryGet(out var lease, out var noLease))
            return await RefuseAsync(context, session, permitted.Connection.Id, ask, noLease);
        timing.Stage("grants");

        // 4
        if (!(await desk.StartAsync(lease, session, prepared.SqlHash, context.RequestAborted)).TryGet(out var run, out var noRun))
            return await RefuseAsync(context, session, permitted.Connection.Id, ask, noRun);
        await using (run)
        {
            timing.Stage("store");
            context.Response.Headers["X-Postern-Query"] = run.Id.ToString();

            // 5
            var statement = prepared.Statement with { Tags = [new("postern_query", run.Id.ToString())] };
            var delivery = new Delivery(0, 0, null);
            try
            {
                if (!(await driver.RunAsync(statement, run, run.Stopped)).TryGet(out var rows, out var failed))
                    return await FinishAsync(run, statement, delivery with { Broken = failed }, began, context);
                await using (rows)
                {
                    timing.Stage("warehouse");
                    if (prepared.Contract is { } contract && !ContractCheck.Verify(permitted.Connection.Id, contract, rows.Columns).TryGet(out _, out var broken))
                        return await FinishAsync(run, statement, delivery with { Broken = broken }, began, context);

                    // 6
                    context.Response.ContentType = writer.MediaType;
                    context.Response.Headers.CacheControl = "no-store";
                    context.Response.Headers["X-Postern-Truncated"] = rows.Truncated ? "true" : "false";
                    timing.Write(context.Response);
                    delivery = await writer.WriteAsync(rows, context.Response.BodyWriter, run.Stopped);
                }
            }
            catch (OperationCanceledException) when (run.Stopped.IsCancellationRequested)
            {
                delivery = delivery with { Broken = Stopped(run, permitted.Connection) };
            }

            // 7
            return await FinishAsync(run, statement, delivery, began, context);
        }
    }

    private async Task<IResult> FinishAsync(QueryRun run, Statement statement, Delivery delivery, long began, HttpContext context)
    {
        var kind = delivery.Broken switch
        {
            null => EventKind.QueryFinished,
            { Kind: RefusalKind.QueryCancelled } => EventKind.QueryCancelled,
            _ when run.StopReason is not null => EventKind.QueryCancelled,
            _ => EventKind.QueryFailed,
        };
        var code = run.StopReason ?? delivery.Broken?.Code;
        if (statement.Report.PlatformCode is { } platform && delivery.Broken is not null)
            code = $"{code}:{platform}";
        await run.FinishAsync(kind, code, delivery.Rows, delivery.Bytes, time.GetElapsedTime(began), statement.Report.StatementId);

        if (delivery.Broken is not { } broken)
            return Results.Empty;
        if (!context.Response.HasStarted)
        {
            context.Response.Headers.Remove("X-Postern-Truncated");
            return Problems.From(broken);
        }
        // Rows went out already: the stream ends without its end, and the connection with it, so that a client can tell.
        context.Abort();
        return Results.Empty;
    }

    private async Task<IResult> RefuseAsync(HttpContext context, Session session, ConnectionId? connection, QueryAsk ask, Refusal refusal)
    {
        await desk.RefusedAsync(session.Subject, connection, ask.Name, refusal, context.RequestAborted);
        return Problems.From(refusal);
    }

    private static Refusal Stopped(QueryRun run, Connection connection) => run.StopReason switch
    {
        "revoked" or "reconnect" when run.GrantEnded is { } ended => ended,
        "session-ended" => SessionGate.NotSignedIn,
        _ => new(RefusalKind.QueryCancelled, "The query was cancelled.") { Connection = connection.Id, Code = "cancelled" },
    };

    private static Refusal Busy { get; } = new(RefusalKind.RateLimited, "Too many of your queries are running at once. Wait for one to finish.")
    {
        RetryAfter = TimeSpan.FromSeconds(1),
        Code = "concurrency",
    };
}
