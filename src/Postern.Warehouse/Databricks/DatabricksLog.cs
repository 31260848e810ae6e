using Microsoft.Extensions.Logging;
using Postern.Model;

namespace Postern.Warehouse.Databricks;

/// <summary>What this driver logs, ids 6000 to 6099: names, generations, statuses; no text of the platform, no SQL, no link.</summary>
internal static partial class DatabricksLog
{
    [LoggerMessage(6000, LogLevel.Information, "{Connection}: the platform refused the access token of generation {Generation}")]
    public static partial void TokenRefused(this ILogger log, ConnectionId connection, int generation);

    [LoggerMessage(6001, LogLevel.Information, "{Connection}: {Reply}, attempt {Attempt} follows in {Pause} ms")]
    public static partial void Repeating(this ILogger log, ConnectionId connection, string reply, int attempt, double pause);

    [LoggerMessage(6002, LogLevel.Warning, "{Connection}: statement {Statement} could not be cancelled at the platform ({Why})")]
    public static partial void CancelNotDelivered(this ILogger log, ConnectionId connection, string statement, string why);

    [LoggerMessage(6003, LogLevel.Information, "{Connection}: chunk {Chunk} of statement {Statement} is asked for again ({Why})")]
    public static partial void ChunkAgain(this ILogger log, ConnectionId connection, string statement, int chunk, string why);
}
