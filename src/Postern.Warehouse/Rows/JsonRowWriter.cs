using System.IO.Pipelines;

namespace Postern.Warehouse;

/// <summary>Writes rows as application/json.</summary>
public sealed class JsonRowWriter : RowWriter
{
    /// <inheritdoc/>
    public override string MediaType => "application/json";

    /// <inheritdoc/>
    public override Task<Delivery> WriteAsync(RowStream rows, PipeWriter output, CancellationToken cancellation) =>
        throw new NotSupportedException("Arrives with the next commit.");
}
