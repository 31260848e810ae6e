using System.Collections.Immutable;
using Postern.Model;

namespace Postern.Warehouse;

/// <summary>One SQL statement to run at a platform. It prints neither its text nor its parameters.</summary>
/// <param name="Connection">Where it runs.</param>
/// <param name="Sql">The text, in the platform's dialect, with <c>:name</c> markers.</param>
public sealed record Statement(Connection Connection, string Sql)
{
    /// <summary>The parameters, in the order they are sent.</summary>
    public ImmutableArray<StatementParameter> Parameters { get; init; } = [];

    /// <value>Rows the result may have; more are cut off and <see cref="RowStream.Truncated"/> says so. Default: the connection's <c>MaxRows</c>.</value>
    public long RowLimit { get; init; } = Connection.Execution.MaxRows;

    /// <value>How long until the result is ready, retries included; reading the rows is not counted. Default 10 minutes.</value>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Tags for the platform's own query history, such as the query run's id; at most 20, one value per key.</summary>
    public ImmutableArray<KeyValuePair<string, string>> Tags { get; init; } = [];

    /// <summary>
    /// True when running it twice does no harm: a published read-only query. Only then is it sent again when nobody knows
    /// whether the platform took it the first time.
    /// </summary>
    public bool SafeToRepeat { get; init; }

    /// <summary>What the driver learns while it runs, for the audit trail; filled in also when the answer is a refusal.</summary>
    public StatementReport Report { get; } = new();

    /// <inheritdoc/>
    public override string ToString() => $"Statement on {Connection.Tenant}/{Connection.Id} ({Parameters.Length} parameters) [redacted]";
}

/// <summary>
/// What a driver learnt about one statement: ids, codes and counts, never text. The platform's own message can quote data and SQL,
/// so it is kept as a digest: enough to find the same failure again in the platform's history, of no use to a reader of the log.
/// </summary>
public sealed class StatementReport
{
    /// <summary>The statement's id at the platform, as soon as it is known.</summary>
    public string? StatementId { get; internal set; }

    /// <summary>The generation of the token pair whose access token the platform accepted last.</summary>
    public int? Generation { get; internal set; }

    /// <summary>How often the statement was sent.</summary>
    public int Executions { get; internal set; }

    /// <summary>How often a token was refused and another one was asked for.</summary>
    public int Renewals { get; internal set; }

    /// <summary>The platform's own error code, such as <c>BAD_REQUEST</c>, cleaned to <c>[A-Za-z0-9_.-]</c>.</summary>
    public string? PlatformCode { get; internal set; }

    /// <summary>The SQLSTATE of a failed statement, if the platform gave one.</summary>
    public string? SqlState { get; internal set; }

    /// <summary>The first 16 hexadecimal digits of the SHA-256 of the platform's error message.</summary>
    public string? MessageDigest { get; internal set; }

    /// <summary>True when a cancel request reached the platform.</summary>
    public bool CancelDelivered { get; internal set; }
}
