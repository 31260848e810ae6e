using System.IO.Pipelines;

namespace Postern.Warehouse;

/// <summary>Writes rows as application/vnd.apache.arrow.stream.</summary>
public sealed class ArrowRowWriter : RowWriter
{
    /// <inheritdoc/>
    public override string MediaType => "application/vnd.apache.arrow.stream";

    /// <inheritdoc/>
    public override Task<Delivery> WriteAsync(RowStream rows, PipeWriter output, CancellationToken cancellation) =>
        throw new NotSupportedException("Arrives with the next commit.");
}
