using Postern.Sandbox.Platform.Results;
using Postern.Sandbox.Platform.Sql;

namespace Postern.Sandbox.Platform.Statements;

/// <summary>Where a statement stands.</summary>
internal enum StatementState
{
    /// <summary>Accepted, waiting for its turn.</summary>
    Pending,

    /// <summary>Running.</summary>
    Running,

    /// <summary>Done, with a result.</summary>
    Succeeded,

    /// <summary>Done, with a fault.</summary>
    Failed,

    /// <summary>Cancelled by its owner.</summary>
    Canceled,
}

/// <summary>A statement from its acceptance to its end. It belongs to one identity and lives without its HTTP request.</summary>
internal sealed class Statement(string id, Caller caller, Viewer viewer, StatementRequest request, EngineSql sql) : IDisposable
{
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource cancel = new();
    private readonly Lock gate = new();

    /// <summary>Its handle.</summary>
    public string Id { get; } = id;

    /// <summary>Who sent it.</summary>
    public Caller Caller { get; } = caller;

    /// <summary>Whose rows it sees and who may poll it.</summary>
    public Viewer Viewer { get; } = viewer;

    /// <summary>What was asked.</summary>
    public StatementRequest Request { get; } = request;

    /// <summary>What the engine is told.</summary>
    public EngineSql Sql { get; } = sql;

    /// <summary>Where it stands.</summary>
    public StatementState State { get; private set; }

    /// <summary>Why it failed.</summary>
    public SqlFault? Fault { get; private set; }

    /// <summary>What it returned.</summary>
    public StatementResult? Result { get; private set; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset EndedAt { get; private set; }

    /// <summary>Completes at the end, whatever it is.</summary>
    public Task Ended => ended.Task;

    /// <summary>Signalled by <see cref="Cancel"/>.</summary>
    public CancellationToken Cancellation => cancel.Token;

    /// <summary>Asks for the end; the state follows when the engine has stopped. Does nothing after the end.</summary>
    public void Cancel()
    {
        lock (gate) // against Dispose
        {
            if (!Ended.IsCompleted)
                cancel.Cancel();
        }
    }

    /// <summary>Its turn has come.</summary>
    public void Start() => State = StatementState.Running;

    /// <summary>Ends it with a result, a fault, or (with neither) as cancelled.</summary>
    public void End(StatementResult? result, SqlFault? fault, DateTimeOffset now)
    {
        lock (gate)
        {
            (Result, Fault, EndedAt) = (result, fault, now);
            State = result is not null ? StatementState.Succeeded : fault is not null ? StatementState.Failed : StatementState.Canceled;
            ended.TrySetResult();
        }
    }

    /// <summary>A consistent view for a reply.</summary>
    public (StatementState State, SqlFault? Fault, StatementResult? Result) Look()
    {
        lock (gate)
            return (State, Fault, Result);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (gate)
        {
            Result?.Dispose();
            cancel.Dispose();
        }
    }
}
