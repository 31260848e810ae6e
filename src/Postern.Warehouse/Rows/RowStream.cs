using System.Collections.Immutable;
using Apache.Arrow;
using Postern.Model;

namespace Postern.Warehouse;

/// <summary>
/// The rows of one statement, batch by batch, each read when it is asked for. Disposing it before its end cancels the statement at
/// the platform, in bounded time.
/// </summary>
public abstract class RowStream : IAsyncDisposable
{
    /// <summary>The Arrow schema that every batch has.</summary>
    public abstract Schema Schema { get; }

    /// <summary>The columns by name and logical type.</summary>
    public abstract ImmutableArray<ResultColumn> Columns { get; }

    /// <summary>The statement's id at the platform, for the audit trail.</summary>
    public abstract string StatementId { get; }

    /// <summary>The generation of the token pair whose access token the platform accepted last.</summary>
    public abstract int Generation { get; }

    /// <summary>True when the platform cut rows off at the limit.</summary>
    public abstract bool Truncated { get; }

    /// <summary>The number of rows the platform announced, if it did; the stream fails rather than deliver another number.</summary>
    public abstract long? TotalRows { get; }

    /// <summary>
    /// The next batch, which the caller disposes, or the end; a refusal when the rows broke off. After an end or a refusal it
    /// answers the same again. Not for concurrent use.
    /// </summary>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public abstract ValueTask<Outcome<NextRows>> ReadAsync(CancellationToken cancellation);

    /// <inheritdoc/>
    public abstract ValueTask DisposeAsync();
}

/// <summary>What comes next in a <see cref="RowStream"/>.</summary>
/// <param name="Batch">Rows, or null at the end.</param>
public readonly record struct NextRows(RecordBatch? Batch)
{
    /// <summary>The end of the rows.</summary>
    public static NextRows End => default;
}
