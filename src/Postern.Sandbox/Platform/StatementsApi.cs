using System.Globalization;
using System.Text.Json;
using Postern.Model;
using Postern.Sandbox.Platform.Sql;
using Postern.Sandbox.Platform.Statements;

namespace Postern.Sandbox.Platform;

/// <summary>The SQL Statement Execution API 2.0: execute, poll, cancel, chunks, delete.</summary>
internal sealed class StatementsApi(
    PlatformOptions options, StatementGuard guard, StatementRegistry statements, StatementReply reply,
    ITokenReader tokens, IFaultScript faults, IChance chance, TimeProvider time)
{
    /// <summary>
    /// Execute: (1) the caller, (2) the fields, (3) the dialect, (4) the guard, (5) admission, (6) wait as long as asked.
    /// A statement whose text fails is accepted and FAILED in a 200, as on the real platform; one without a grant is refused with 403.
    /// </summary>
    public async Task ExecuteAsync(HttpContext context)
    {
        if (await faults.ApplyAsync("statement", "before", context))
            return;
        if (await PlatformAuthentication.AuthenticateForSqlAsync(context, tokens) is not { } caller) // 1
            return;
        using var body = await ReadBodyAsync(context);
        if (body is null)
        {
            await PlatformErrors.MalformedAsync(context);
            return;
        }

        if (!StatementRequest.TryRead(body.RootElement, options, out var request, out var why)) // 2
        {
            await PlatformErrors.InvalidAsync(context, why);
            return;
        }

        var viewer = Viewer.Of(caller);
        if (DatabricksSql.TryTranslate(request.Sql, request.Parameters, out var sql, out var fault)) // 3
            fault = guard.Check(sql.Text, viewer); // 4
        if (fault is { Forbidden: true })
        {
            await PlatformErrors.PermissionDeniedAsync(context, fault.Message);
            return;
        }

        var statement = new Statement(chance.NewId().ToString(), caller, viewer, request, sql);
        var admitted = fault is null ? statements.TryAdmit(statement) : statements.TryAdmitFailed(statement, fault); // 5
        if (!admitted)
        {
            statement.Dispose();
            await PlatformErrors.BusyAsync(context);
            return;
        }

        await WaitAsync(statement, context.RequestAborted); // 6
        if (!await faults.ApplyAsync("statement", "after", context))
            await reply.WriteAsync(context, statement);
    }

    /// <summary>Poll.</summary>
    public async Task PollAsync(HttpContext context, string id)
    {
        if (await faults.ApplyAsync("poll", "before", context) || await FindAsync(context, id) is not { } statement)
            return;
        if (!await faults.ApplyAsync("poll", "after", context))
            await reply.WriteAsync(context, statement);
    }

    /// <summary>Cancel: only a request; poll until the state is final.</summary>
    public async Task CancelAsync(HttpContext context, string id)
    {
        if (await FindAsync(context, id) is not { } statement)
            return;
        statement.Cancel();
        await EmptyAsync(context);
    }

    /// <summary>A chunk: its rows, or a new link to it.</summary>
    public async Task ChunkAsync(HttpContext context, string id, string index)
    {
        if (await faults.ApplyAsync("chunk", "before", context) || await FindAsync(context, id) is not { } statement)
            return;
        if (statement.Look().Result is not { } result)
        {
            await PlatformErrors.WriteAsync(context, 400, "BAD_REQUEST", "The statement has no result to fetch.");
            return;
        }

        if (!int.TryParse(index, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number >= result.Spool.Chunks.Count)
        {
            await PlatformErrors.InvalidAsync(context, "There is no chunk of that index.");
            return;
        }

        if (!await faults.ApplyAsync("chunk", "after", context))
            await reply.WriteChunkAsync(context, statement, result, result.Spool.Chunks[number]);
    }

    /// <summary>Delete: undocumented, but official drivers close their statements so.</summary>
    public async Task DeleteAsync(HttpContext context, string id)
    {
        if (await FindAsync(context, id) is not { } statement)
            return;
        statements.Forget(statement);
        await EmptyAsync(context);
    }

    private static async Task<JsonDocument?> ReadBodyAsync(HttpContext context)
    {
        try
        {
            var body = await JsonDocument.ParseAsync(context.Request.Body, default, context.RequestAborted);
            if (body.RootElement.ValueKind == JsonValueKind.Object)
                return body;
            body.Dispose();
            return null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static Task EmptyAsync(HttpContext context) => context.Response.WriteAsJsonAsync(new { }, context.RequestAborted);

    private async Task<Statement?> FindAsync(HttpContext context, string id)
    {
        if (await PlatformAuthentication.AuthenticateForSqlAsync(context, tokens) is not { } caller)
            return null;
        var statement = statements.Find(id, Viewer.Of(caller));
        if (statement is null)
            await PlatformErrors.NoStatementAsync(context);
        return statement;
    }

    private async Task WaitAsync(Statement statement, CancellationToken left)
    {
        if (statement.Request.Wait == TimeSpan.Zero)
            return;
        try
        {
            await statement.Ended.WaitAsync(statement.Request.Wait, time, left);
        }
        catch (TimeoutException)
        {
            if (!statement.Request.CancelAfterWait)
                return;
            statement.Cancel();
            await statement.Ended.WaitAsync(left);
        }
    }
}
