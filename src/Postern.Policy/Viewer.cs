using Postern.Model;

namespace Postern.Policy;

/// <summary>Who asks, and what their session and tenant let them reach.</summary>
/// <param name="Subject">The person.</param>
/// <param name="Kind">The kind of session.</param>
/// <param name="FrameWorkbook">The one workbook of a frame session; null for a portal session.</param>
/// <param name="Connections">The connections this person may use in this session; everything else does not exist for them.</param>
public sealed record Viewer(Subject Subject, SessionKind Kind, WorkbookId? FrameWorkbook, IReadOnlySet<ConnectionId> Connections)
{
    /// <summary>The connection if this viewer may know of it; null otherwise, whether unknown, foreign or forbidden.</summary>
    internal Connection? Reachable(Connection? connection) =>
        connection is not null && connection.Tenant == Subject.Key.Tenant && Connections.Contains(connection.Id) ? connection : null;
}
