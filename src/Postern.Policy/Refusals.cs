using Postern.Model;

namespace Postern.Policy;

/// <summary>Answers that must be the same for several causes, kept in one place so that they cannot drift apart.</summary>
internal static class Refusals
{
    /// <summary>Unknown, another tenant's, or not allowed: nobody can tell which.</summary>
    public static Refusal NoSuchConnection { get; } =
        new(RefusalKind.NotFound, "There is no such connection, or you may not use it.") { Code = "connection-unknown" };

    /// <summary>Unknown workbook or query, another session's workbook, or one on a connection out of reach.</summary>
    public static Refusal NoSuchQuery { get; } =
        new(RefusalKind.NotFound, "There is no such query, or you may not run it.") { Code = "query-unknown" };
}
