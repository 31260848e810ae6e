using System.IO.Pipelines;

namespace Postern.Warehouse;

/// <summary>Writes rows as text/csv.</summary>
public sealed class CsvRowWriter : RowWriter
{
    /// <inheritdoc/>
    public override string MediaType => "text/csv";

    /// <inheritdoc/>
    public override Task<Delivery> WriteAsync(RowStream rows, PipeWriter output, CancellationToken cancellation) =>
        throw new NotSupportedException("Arrives with the next commit.");
}
