using Postern.Model;

namespace Postern.Warehouse.Databricks;

/// <summary>The words people read when something goes wrong. None of them is the platform's: its texts quote SQL, names and data.</summary>
internal static class Refusals
{
    public static Refusal TokenRefused(Connection connection) =>
        new(RefusalKind.ReconnectRequired, $"{connection.DisplayName} refuses the access it gave. Connect again.")
        {
            Connection = connection.Id, Reconnect = ReconnectReason.Expired, Code = "token-refused",
        };

    public static Refusal Unavailable(Connection connection, string code, TimeSpan? retryAfter = null) =>
        new(RefusalKind.PlatformUnavailable, $"{connection.DisplayName} does not answer as it should. Try again in a moment.")
        {
            Connection = connection.Id, Code = code, RetryAfter = retryAfter,
        };

    public static Refusal FateUnknown(Connection connection) =>
        new(RefusalKind.PlatformUnavailable,
            $"The connection to {connection.DisplayName} broke after the statement was sent. It may have run, so it was not sent again.")
        {
            Connection = connection.Id, Code = "fate-unknown",
        };

    public static Refusal Silent(Statement statement) =>
        statement.SafeToRepeat ? Unavailable(statement.Connection, "no-answer") : FateUnknown(statement.Connection);

    public static Refusal Untrusted(Connection connection, string code) =>
        new(RefusalKind.Untrusted, $"{connection.DisplayName} gave an answer that contradicts itself, so none of it is shown.")
        {
            Connection = connection.Id, Code = code,
        };

    public static Refusal TimedOut(Statement statement) =>
        new(RefusalKind.QueryCancelled, $"The query took longer than {(long)statement.Timeout.TotalSeconds} seconds and was stopped.")
        {
            Connection = statement.Connection.Id, Code = "timeout",
        };

    /// <summary>A rejected request that is neither a dead token nor worth repeating.</summary>
    public static Refusal Rejected(Connection connection, PlatformError error)
    {
        var id = connection.Id;
        if (error.IsScopeMissing)
        {
            return new(RefusalKind.ReconnectRequired, $"The access given to {connection.DisplayName} does not reach its data. Connect again and allow it.")
            {
                Connection = id, Reconnect = ReconnectReason.Scope, Code = "scope",
            };
        }
        return error.Status switch
        {
            403 => new(RefusalKind.Forbidden, $"{connection.DisplayName} does not permit this to you. Ask its administrator.") { Connection = id, Code = error.Code },
            404 => new(RefusalKind.QueryFailed, $"{connection.DisplayName} does not know the warehouse or statement any more.") { Connection = id, Code = error.Code },
            400 or 409 or 422 => new(RefusalKind.QueryFailed, $"{connection.DisplayName} rejected the query. The dashboard's author has to correct it.") { Connection = id, Code = error.Code },
            _ => Unavailable(connection, error.Code),
        };
    }

    /// <summary>A statement that ran and failed, told by its SQLSTATE class (SQL:2016 part 2, subclause 24.1) and the platform's code.</summary>
    public static Refusal Failed(Connection connection, string code, string? sqlState)
    {
        var id = connection.Id;
        if (sqlState is "42501")
            return new(RefusalKind.Forbidden, $"{connection.DisplayName} does not permit you to read what the query asks for.") { Connection = id, Code = code };
        switch (code)
        {
            case "TEMPORARILY_UNAVAILABLE" or "WORKSPACE_TEMPORARILY_UNAVAILABLE" or "SERVICE_UNDER_MAINTENANCE":
                return Unavailable(connection, code);
            case "RESOURCE_EXHAUSTED":
                return new(RefusalKind.RateLimited, $"{connection.DisplayName} is at its limit. Try again later.") { Connection = id, Code = code };
            case "CANCELLED" or "ABORTED" or "DEADLINE_EXCEEDED":
                return new(RefusalKind.QueryCancelled, $"{connection.DisplayName} stopped the query.") { Connection = id, Code = code };
        }
        var detail = sqlState is null ? "The query failed at the data platform." : sqlState[..2] switch
        {
            "22" => "The query failed: some data does not allow the computation it asks for, such as a division by zero.",
            "42" => "The query failed: it is not valid SQL there, or names a table or column that does not exist for you.",
            "53" or "54" => "The query failed: it needs more than the data platform allows.",
            _ => "The query failed at the data platform.",
        };
        return new(RefusalKind.QueryFailed, detail) { Connection = id, Code = code };
    }
}
