using Microsoft.Extensions.Logging;
using Postern.Model;

namespace Postern.Warehouse.Databricks;

/// <summary>Databricks SQL over the Statement Execution API.</summary>
public sealed class DatabricksDriver(
    HttpMessageInvoker transport, TimeProvider time, IChance chance, DatabricksOptions options, ILogger<DatabricksDriver> log) : IPlatformDriver
{
    private readonly object[] parts = [transport, time, chance, options, log];

    /// <inheritdoc/>
    public string Platform => "databricks";

    /// <inheritdoc/>
    public Task<Outcome<RowStream>> RunAsync(Statement statement, IBearerSource bearers, CancellationToken cancellation) =>
        throw new NotSupportedException($"Arrives with the next commit ({parts.Length}).");

    /// <inheritdoc/>
    public Task<bool> CancelAsync(Connection connection, string statementId, IBearer bearer, CancellationToken cancellation) =>
        throw new NotSupportedException($"Arrives with the next commit ({parts.Length}).");

    /// <inheritdoc/>
    public Task<Outcome<PlatformPrincipal>> WhoAmIAsync(Connection connection, IBearer bearer, CancellationToken cancellation) =>
        throw new NotSupportedException($"Arrives with the next commit ({parts.Length}).");
}
