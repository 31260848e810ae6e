using Postern.Model;

namespace Postern.Host.Composition;

/// <summary>
/// Events as log lines, for whoever watches the process; the audit trail is the store's. Ids, names, counts and codes, as events
/// hold nothing else.
/// </summary>
internal sealed class EventLog(ILogger<EventLog> log) : IEventListener
{
    private static readonly EventId Id = new(1001, "Event");

    public void On(AuditEvent committed)
    {
        var level = LevelOf(committed.Kind);
        if (log.IsEnabled(level))
            log.Log(level, Id, new EventLine(committed), null, static (line, _) => line.ToString());
    }

    /// <summary>Error where somebody edited the database; warning where somebody should look some day.</summary>
    public static LogLevel LevelOf(EventKind kind) => kind switch
    {
        EventKind.RowTampered or EventKind.RecordRefused or EventKind.SessionRefused => LogLevel.Error,
        EventKind.ConnectMismatched or EventKind.RenewalUncertain or EventKind.RenewalFailed or EventKind.ProviderRevocationFailed
            or EventKind.GrantEnded or EventKind.QueryLost => LogLevel.Warning,
        _ => LogLevel.Information,
    };
}
