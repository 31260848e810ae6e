using Apache.Arrow;
using Apache.Arrow.Ipc;
using DuckDB.NET.Data;
using Postern.Sandbox.Platform.Data;
using Postern.Sandbox.Platform.Results;
using Postern.Sandbox.Platform.Sql;

namespace Postern.Sandbox.Platform.Statements;

/// <summary>Runs a statement in its viewer's engine and leaves the result in a spool.</summary>
internal sealed class StatementRunner(PlatformOptions options, Engines engines, TimeProvider time)
{
    /// <summary>Runs it: (1) rent the engine, (2) learn the columns, (3) stream the rows into chunks.</summary>
    /// <returns>A result or a fault; neither when the statement was cancelled.</returns>
    public async Task<(StatementResult? Result, SqlFault? Fault)> RunAsync(Statement statement)
    {
        using var timeout = new CancellationTokenSource(options.StatementTimeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(statement.Cancellation, timeout.Token);
        try
        {
            using var lease = await engines.RentAsync(statement.Viewer, stop.Token); // 1
            return await Task.Factory.StartNew(
                () => Execute(statement, lease, stop.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        catch (OperationCanceledException) when (statement.Cancellation.IsCancellationRequested)
        {
            return (null, null);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            return (null, new SqlFault("DEADLINE_EXCEEDED",
                $"The statement ran longer than {options.StatementTimeout.TotalSeconds:0} seconds."));
        }
    }

    private (StatementResult? Result, SqlFault? Fault) Execute(Statement statement, EngineLease lease, CancellationToken stop)
    {
        var spool = new ResultSpool();
        try
        {
            using var connection = lease.Engine.Connect();
            using var interruption = new Interruption(connection, time, stop);
            stop.ThrowIfCancellationRequested();
            var columns = Describe(connection, statement.Sql); // 2
            if (Stream(connection, statement, columns, spool, stop) is { } done) // 3
                return (new StatementResult(done.Columns, Keep(ref spool), done.Truncated), null);
            return (null, new SqlFault("BAD_REQUEST",
                "Inline byte limit exceeded. "
                + $"Statements executed with disposition=INLINE can have a result size of at most {options.InlineBytes} bytes. "
                + "Please execute the statement with disposition=EXTERNAL_LINKS if you want to download the full result."));
        }
        catch (DuckDBException error)
        {
            stop.ThrowIfCancellationRequested();
            lease.Broken = SqlFault.IsFatal(error);
            return (null, SqlFault.Of(error));
        }
        finally
        {
            spool?.Dispose();
        }
    }

    private static ResultSpool Keep(ref ResultSpool spool)
    {
        var kept = spool;
        spool = null!;
        return kept;
    }

    private static IReadOnlyList<ResultColumn> Describe(DuckDBConnection connection, EngineSql sql)
    {
        using var command = Command(connection, $"SELECT * FROM ({sql.Text}) LIMIT 0", sql);
        using var reader = command.ExecuteReader();
        return ResultColumn.Of(reader);
    }

    /// <returns>The columns as they came and whether the result was cut; null when it is too large for its disposition.</returns>
    private (IReadOnlyList<ResultColumn> Columns, bool Truncated)? Stream(
        DuckDBConnection connection, Statement statement, IReadOnlyList<ResultColumn> columns, ResultSpool spool, CancellationToken stop)
    {
        var request = statement.Request;
        var limits = new ResultLimits(
            request.RowLimit ?? long.MaxValue,
            Math.Min(request.ByteLimit ?? long.MaxValue, options.MaxResultBytes),
            request.Inline ? options.InlineBytes : long.MaxValue,
            options.ChunkBytes);
        using var command = Command(connection, Projection(statement.Sql.Text, columns, request.RowLimit), statement.Sql);
        using var stream = command.ExecuteArrowStream();
        var schema = Named(stream.Schema, columns);
        using var writer = new ResultWriter(request.Format, schema, spool, limits);
        while (Next(stream) is { } batch)
        {
            stop.ThrowIfCancellationRequested();
            using (batch)
            {
                if (!writer.Write(batch))
                    break;
            }
        }

        stop.ThrowIfCancellationRequested();
        writer.Complete();
        return writer.TooLarge
            ? null
            : ([.. columns.Select((column, i) => column.Measured(schema.FieldsList[i].DataType))], writer.Truncated);
    }

    /// <summary>The statement with its columns cast to the types that travel; one row more than asked shows whether it was cut.</summary>
    private static string Projection(string sql, IReadOnlyList<ResultColumn> columns, long? rowLimit)
    {
        var names = string.Join(", ", columns.Select((_, i) => $"c{i}"));
        var limit = rowLimit is { } rows and < long.MaxValue ? $" LIMIT {rows + 1}" : "";
        return $"SELECT {string.Join(", ", columns.Select((column, i) => column.Expression(i)))} FROM ({sql}) AS t({names}){limit}";
    }

    private static Schema Named(Schema schema, IReadOnlyList<ResultColumn> columns) =>
        new(schema.FieldsList.Select((field, i) => new Field(columns[i].Name, field.DataType, field.IsNullable)), metadata: null);

    // The engine's stream is synchronous underneath: every task it hands out is complete.
    private static RecordBatch? Next(IArrowArrayStream stream) =>
        stream.ReadNextRecordBatchAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult();

    private static DuckDBCommand Command(DuckDBConnection connection, string text, EngineSql sql)
    {
        var command = connection.CreateCommand();
        command.CommandText = text;
        command.UseStreamingMode = true;
        foreach (var (name, value) in sql.Values)
            command.Parameters.Add(new DuckDBParameter(name, value));
        return command;
    }
}
