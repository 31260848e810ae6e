using Postern.Model;

namespace Postern.Host.Composition;

/// <summary>
/// Events as log lines, for whoever watches the process; the audit trail is the store's. Ids and codes only, as events hold nothing
/// else.
/// </summary>
internal sealed partial class EventLog(ILogger<EventLog> log) : IEventListener
{
    public void On(AuditEvent committed)
    {
        var level = committed.Kind switch
        {
            EventKind.RowTampered or EventKind.RecordRefused or EventKind.SessionRefused => LogLevel.Error,
            EventKind.ConnectMismatched or EventKind.RenewalUncertain or EventKind.RenewalFailed or EventKind.ProviderRevocationFailed
                or EventKind.GrantEnded or EventKind.QueryLost => LogLevel.Warning,
            _ => LogLevel.Information,
        };
        if (log.IsEnabled(level))
            Event(log, level, committed.Kind, committed.Tenant, committed.Subject?.Id, committed.Connection?.Value, committed.Grant?.Value, committed.Generation, committed.Code);
    }

    [LoggerMessage(EventId = 1001, Message = "{Kind} tenant={Tenant} subject={Subject} connection={Connection} grant={Grant} generation={Generation} code={Code}")]
    private static partial void Event(
        ILogger log, LogLevel level, EventKind kind, TenantId tenant, string? subject, string? connection, Guid? grant, int? generation, string? code);
}
