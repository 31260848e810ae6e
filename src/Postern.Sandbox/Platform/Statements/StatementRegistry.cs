using Postern.Sandbox.Platform.Sql;

namespace Postern.Sandbox.Platform.Statements;

/// <summary>
/// All statements the platform knows: admits them, runs so many at once, and forgets them (their retention is over, their owner
/// deleted them, or newer results need the space).
/// </summary>
internal sealed partial class StatementRegistry(
    PlatformOptions options, StatementRunner runner, ITrafficLog log, ILogger<StatementRegistry> logger, TimeProvider time)
    : IAsyncDisposable
{
    private readonly Dictionary<string, Statement> statements = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim turns = new(options.MaxRunning);
    private readonly Lock gate = new();
    private int unfinished;

    /// <summary>Accepts a statement and starts it in the background; it runs on when its HTTP client leaves.</summary>
    /// <returns>False when too many are waiting.</returns>
    public bool TryAdmit(Statement statement)
    {
        lock (gate)
        {
            if (unfinished >= options.MaxRunning + options.MaxWaiting)
                return false;
            unfinished++;
            statements.Add(statement.Id, statement);
        }

        log.Statement(statement.Caller, statement.Request.Sql, "PENDING");
        _ = Task.Run(() => RunAsync(statement), CancellationToken.None);
        return true;
    }

    /// <summary>Accepts a statement whose text is wrong: it exists, failed, and never runs.</summary>
    /// <returns>Always true; the counterpart of <see cref="TryAdmit"/>.</returns>
    public bool TryAdmitFailed(Statement statement, SqlFault fault)
    {
        lock (gate)
        {
            unfinished++;
            statements.Add(statement.Id, statement);
        }

        End(statement, null, fault);
        return true;
    }

    /// <summary>The statement, if it exists and belongs to the identity. To everybody else there is none.</summary>
    public Statement? Find(string id, Viewer viewer)
    {
        lock (gate)
            return statements.GetValueOrDefault(id) is { } statement && statement.Viewer.Identity == viewer.Identity ? statement : null;
    }

    /// <summary>The statement of a presigned link.</summary>
    public Statement? Find(string id)
    {
        lock (gate)
            return statements.GetValueOrDefault(id);
    }

    /// <summary>Forgets a statement, cancelling it first; its result is gone.</summary>
    public void Forget(Statement statement)
    {
        lock (gate)
        {
            if (!statements.Remove(statement.Id))
                return;
        }

        statement.Cancel();
        if (statement.Ended.IsCompleted)
            statement.Dispose();
    }

    /// <summary>Forgets what is past its retention, then the oldest results until the rest fits.</summary>
    public void Sweep()
    {
        List<Statement> ended;
        lock (gate)
            ended = [.. statements.Values.Where(each => each.Ended.IsCompleted).OrderBy(each => each.EndedAt)];

        var spooled = ended.Sum(each => each.Result?.Spool.ByteCount ?? 0);
        var before = time.GetUtcNow() - options.Retention;
        foreach (var statement in ended)
        {
            if (statement.EndedAt > before && spooled <= options.MaxSpooledBytes)
                break;
            spooled -= statement.Result?.Spool.ByteCount ?? 0;
            Forget(statement);
        }
    }

    /// <summary>Cancels everything and returns when the last engine has stopped.</summary>
    public async ValueTask DisposeAsync()
    {
        List<Statement> all;
        lock (gate)
            all = [.. statements.Values];
        foreach (var statement in all)
            statement.Cancel();
        for (var turn = 0; turn < options.MaxRunning; turn++)
            await turns.WaitAsync(CancellationToken.None);
        foreach (var statement in all)
            Forget(statement);
        turns.Dispose();
    }

    private async Task RunAsync(Statement statement)
    {
        var turn = false;
        try
        {
            await turns.WaitAsync(statement.Cancellation);
            turn = true;
            statement.Start();
            var (result, fault) = await runner.RunAsync(statement);
            End(statement, result, fault);
        }
        catch (OperationCanceledException)
        {
            End(statement, null, null);
        }
        catch (Exception error)
        {
            // The outermost step of a statement: whatever broke, its owner must not poll for ever.
            LogBroken(logger, statement.Id, error);
            End(statement, null, new SqlFault("INTERNAL_ERROR", "The warehouse of the sandbox failed on this statement."));
        }
        finally
        {
            if (turn)
                turns.Release();
        }
    }

    private void End(Statement statement, Results.StatementResult? result, SqlFault? fault)
    {
        statement.End(result, fault, time.GetUtcNow());
        bool forgotten;
        lock (gate)
        {
            unfinished--;
            forgotten = !statements.ContainsKey(statement.Id);
        }

        log.Statement(statement.Caller, statement.Request.Sql, statement.State.ToString().ToUpperInvariant());
        if (forgotten)
            statement.Dispose();
        else
            Sweep();
    }

    [LoggerMessage(EventId = 7201, Level = LogLevel.Error, Message = "Statement {Id} met an error nobody expected.")]
    private static partial void LogBroken(ILogger logger, string id, Exception error);
}
