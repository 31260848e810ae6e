using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Postern.Model;

namespace Postern.Warehouse.Databricks;

/// <summary>
/// Databricks SQL over the Statement Execution API 2.0 (docs.databricks.com/api/workspace/statementexecution), documented fields only:
/// results as Arrow streams behind presigned links, for any size.
/// </summary>
/// <param name="http">What sends a connection's requests; see <see cref="WarehouseServices.AddWarehouse"/>.</param>
public sealed class DatabricksDriver(
    Func<Connection, HttpMessageInvoker> http, TimeProvider time, IChance chance, DatabricksOptions options, ILogger<DatabricksDriver> log) : IPlatformDriver
{
    /// <inheritdoc/>
    public string Platform => "databricks";

    /// <summary>
    /// The journey of a statement: 1 execute, 2 poll until it ends, 3 judge how it ended, 4 open the rows. Whatever stops it on the way
    /// after the platform named the statement also cancels it there.
    /// </summary>
    /// <inheritdoc cref="IPlatformDriver.RunAsync"/>
    public async Task<Outcome<RowStream>> RunAsync(Statement statement, IBearerSource bearers, CancellationToken cancellation)
    {
        var calls = Calls(statement.Connection, bearers, statement.Report);
        using var deadline = new CancellationTokenSource(statement.Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, deadline.Token);
        var finished = false;
        try
        {
            // 1 to 3. A statement that fails because its token died inside the platform is run again, once, where that is safe.
            var ended = await RunToEndAsync(statement, calls, either.Token);
            if (statement.SafeToRepeat && ended.TryGet(out var failed, out _) && failed is { State: StatementState.Failed, ErrorCode: "UNAUTHENTICATED" })
            {
                if (!(await bearers.AfterRefusalAsync(calls.Generation, either.Token)).TryGet(out _, out var noBearer))
                    return noBearer;
                statement.Report.Renewals++;
                ended = await RunToEndAsync(statement, calls, either.Token);
            }
            if (!ended.TryGet(out var answer, out var why))
                return why;
            finished = answer.State is StatementState.Failed or StatementState.Canceled or StatementState.Closed;
            if (Judge(statement, answer) is { } refusal)
                return refusal;

            // 4. The rows: the first chunk is opened here, so that what can be refused is refused before an answer begins.
            var opened = await DatabricksRows.OpenAsync(
                statement, answer, calls, new ChunkSource(statement, calls, TransportOf(statement.Connection), time, options, log), either.Token);
            finished |= opened.TryGet(out _, out _);
            return opened;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested && deadline.IsCancellationRequested)
        {
            // A platform that took the statement has named it by now: the call that sends it waits beyond the deadline for that.
            return statement.Report.StatementId is null ? Refusals.Silent(statement) : Refusals.TimedOut(statement);
        }
        finally
        {
            // Here too after an exception: a statement that nobody reads any more must not run on.
            if (!finished && statement.Report.StatementId is { } id)
                await calls.CancelAsync(id);
        }
    }

    /// <inheritdoc/>
    public async Task<bool> CancelAsync(Connection connection, string statementId, IBearer bearer, CancellationToken cancellation)
    {
        if (!StatementCalls.IsStatementId(statementId))
            return false;
        cancellation.ThrowIfCancellationRequested();
        return await Calls(connection, new OneBearer(connection, bearer), new StatementReport()).CancelAsync(statementId);
    }

    /// <summary>Reads SCIM <c>Me</c> (RFC 7644 section 3.11). A user name of Databricks is an e-mail address, so it stands in for a missing one.</summary>
    public async Task<Outcome<PlatformPrincipal>> WhoAmIAsync(Connection connection, IBearer bearer, CancellationToken cancellation)
    {
        var calls = Calls(connection, new OneBearer(connection, bearer), new StatementReport());
        if (!(await calls.GetAsync("/api/2.0/preview/scim/v2/Me", cancellation)).TryGet(out var body, out var why))
            return why;
        try
        {
            using var document = JsonDocument.Parse(body);
            var me = document.RootElement;
            if (me.Text("id") is not { Length: > 0 } id || me.Text("userName") is not { Length: > 0 } name)
                return Refusals.Untrusted(connection, "who-am-i");
            return new PlatformPrincipal(connection.Authorization.Issuer, id, name, PrimaryEmail(me) ?? (name.Contains('@', StringComparison.Ordinal) ? name : null));
        }
        catch (JsonException)
        {
            return Refusals.Untrusted(connection, "who-am-i");
        }
    }

    private StatementCalls Calls(Connection connection, IBearerSource bearers, StatementReport report) =>
        new(connection, bearers, report, TransportOf(connection), time, chance, options, log);

    private Transport TransportOf(Connection connection) => new(http(connection), time, options);

    private async Task<Outcome<StatementAnswer>> RunToEndAsync(Statement statement, StatementCalls calls, CancellationToken cancellation)
    {
        var sent = await calls.ExecuteAsync(ExecuteRequest.Write(statement, options.WaitTimeout), statement.SafeToRepeat, cancellation);
        if (!sent.TryGet(out var body, out var why))
            return why;
        if (StatementAnswer.Read(body) is not { } answer || !StatementCalls.IsStatementId(answer.StatementId))
            return Refusals.Untrusted(statement.Connection, "execute-answer");
        var id = statement.Report.StatementId = answer.StatementId;
        for (var pause = options.PollFirst; answer.State is StatementState.Pending or StatementState.Running;)
        {
            await Task.Delay(pause, time, cancellation);
            pause = pause * 1.5 < options.PollLongest ? pause * 1.5 : options.PollLongest;
            if (!(await calls.PollAsync(id, cancellation)).TryGet(out body, out why))
                return why;
            if (StatementAnswer.Read(body) is not { } next || next.StatementId is { } named && !string.Equals(named, id, StringComparison.Ordinal))
                return Refusals.Untrusted(statement.Connection, "poll-answer");
            answer = next;
        }
        return answer;
    }

    private static Refusal? Judge(Statement statement, StatementAnswer answer)
    {
        var connection = statement.Connection;
        switch (answer.State)
        {
            case StatementState.Succeeded or StatementState.Closed:
                return null;
            case StatementState.Failed:
                var report = statement.Report;
                report.PlatformCode = PlatformError.CleanCode(answer.ErrorCode) ?? "FAILED";
                report.SqlState = PlatformError.CleanSqlState(answer.SqlState) ?? PlatformError.SqlStateIn(answer.ErrorMessage);
                report.MessageDigest = PlatformError.Digest(answer.ErrorMessage);
                return Refusals.Failed(connection, report.PlatformCode, report.SqlState);
            case StatementState.Canceled:
                return new(RefusalKind.QueryCancelled, $"The query was cancelled at {connection.DisplayName}.")
                {
                    Connection = connection.Id, Code = "cancelled-at-platform",
                };
            default:
                return Refusals.Untrusted(connection, "unknown-state");
        }
    }

    private static string? PrimaryEmail(JsonElement me)
    {
        string? first = null;
        foreach (var email in me.Member("emails").Items())
        {
            var value = email.Text("value");
            if (email.Member("primary").ValueKind == JsonValueKind.True && value is not null)
                return value;
            first ??= value;
        }
        return first;
    }

    /// <summary>A bearer that cannot be renewed: right after a connect, or for the statement of a dead node.</summary>
    private sealed class OneBearer(Connection connection, IBearer bearer) : IBearerSource
    {
        public ValueTask<Outcome<IBearer>> CurrentAsync(CancellationToken cancellation) => new(Outcome<IBearer>.Of(bearer));

        public ValueTask<Outcome<IBearer>> AfterRefusalAsync(int refusedGeneration, CancellationToken cancellation) =>
            new(Refusals.TokenRefused(connection));
    }
}
