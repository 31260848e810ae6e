using Postern.Model;

namespace Postern.Warehouse;

/// <summary>
/// What Postern needs of a data platform. A driver never holds a token: it asks the bearer to write the header, and asks for
/// another bearer when the platform refuses one.
/// </summary>
public interface IPlatformDriver
{
    /// <summary>The name that connections use, such as <c>databricks</c>.</summary>
    string Platform { get; }

    /// <summary>
    /// Runs a statement and answers as soon as its columns are known and its first rows can be read. Refusals:
    /// <see cref="RefusalKind.QueryFailed"/> (ran and failed), <see cref="RefusalKind.Forbidden"/>, <see cref="RefusalKind.ReconnectRequired"/>,
    /// <see cref="RefusalKind.RateLimited"/>, <see cref="RefusalKind.PlatformUnavailable"/>, <see cref="RefusalKind.QueryCancelled"/>
    /// (by the platform, or after <see cref="Statement.Timeout"/>), <see cref="RefusalKind.Untrusted"/> (an answer that makes no sense).
    /// </summary>
    /// <exception cref="OperationCanceledException">
    /// The caller cancelled. The platform has been told by then; that can take as long as the first answer (its id is needed).
    /// </exception>
    Task<Outcome<RowStream>> RunAsync(Statement statement, IBearerSource bearers, CancellationToken cancellation);

    /// <summary>Asks the platform to stop a statement, by its id: for one whose node died. True when the platform took the request.</summary>
    Task<bool> CancelAsync(Connection connection, string statementId, IBearer bearer, CancellationToken cancellation);

    /// <summary>Asks the platform who owns the token (R3).</summary>
    Task<Outcome<PlatformPrincipal>> WhoAmIAsync(Connection connection, IBearer bearer, CancellationToken cancellation);
}

/// <summary>The drivers of this process, by platform name.</summary>
public sealed class DriverRegistry(IEnumerable<IPlatformDriver> drivers)
{
    private readonly Dictionary<string, IPlatformDriver> byName = drivers.ToDictionary(d => d.Platform, StringComparer.Ordinal);

    /// <summary>The names that connections may use.</summary>
    public IReadOnlyCollection<string> Platforms => byName.Keys;

    /// <summary>The driver of a connection's platform; <see cref="RefusalKind.InvalidRequest"/> when there is none.</summary>
    public Outcome<IPlatformDriver> Find(Connection connection) =>
        byName.TryGetValue(connection.Platform, out var driver)
            ? Outcome<IPlatformDriver>.Of(driver)
            : new Refusal(RefusalKind.InvalidRequest,
                $"No driver for platform '{connection.Platform}'. Known: {string.Join(", ", byName.Keys.Order(StringComparer.Ordinal))}.")
            { Connection = connection.Id, Code = "no-driver" };
}
