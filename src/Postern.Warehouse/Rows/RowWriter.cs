using System.IO.Pipelines;
using Postern.Model;

namespace Postern.Warehouse;

/// <summary>What a row writer delivered.</summary>
/// <param name="Rows">Rows written.</param>
/// <param name="Bytes">Bytes written.</param>
/// <param name="Broken">Null when all rows were written; else why they broke off. The output then has no valid end.</param>
public sealed record Delivery(long Rows, long Bytes, Refusal? Broken);

/// <summary>
/// Writes a row stream in one format. The pipe is flushed as it fills, so a slow reader slows the platform down and memory stays flat;
/// it is never completed here. When the rows break off, the output ends without its proper end, so that a client can tell.
/// </summary>
public abstract class RowWriter
{
    /// <summary>The media type, as clients ask for it.</summary>
    public abstract string MediaType { get; }

    /// <summary>Writes all rows; disposes the batches, not the stream.</summary>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public abstract Task<Delivery> WriteAsync(RowStream rows, PipeWriter output, CancellationToken cancellation);

    /// <summary>All writers: Arrow, JSON, CSV. They have no state.</summary>
    public static IReadOnlyList<RowWriter> All { get; } = [new ArrowRowWriter(), new JsonRowWriter(), new CsvRowWriter()];

    /// <summary>The writer of a media type (without parameters), or null.</summary>
    public static RowWriter? For(string mediaType)
    {
        foreach (var writer in All)
        {
            if (string.Equals(writer.MediaType, mediaType, StringComparison.OrdinalIgnoreCase))
                return writer;
        }
        return null;
    }
}
