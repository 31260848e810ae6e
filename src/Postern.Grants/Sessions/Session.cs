using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Sessions;

/// <summary>A person in one browser, found by a cookie and believed because its MAC fits. Only <see cref="SessionBook"/> makes one.</summary>
public sealed class Session
{
    internal Session(SessionRow row, Subject subject)
    {
        Row = row;
        Subject = subject;
    }

    /// <summary>Who.</summary>
    public Subject Subject { get; }

    /// <summary>Portal or frame.</summary>
    public SessionKind Kind => Row.Kind;

    /// <summary>The one workbook of a frame.</summary>
    public WorkbookId? Workbook => Row.Workbook;

    /// <summary>The embed key that opened a frame.</summary>
    public string? EmbedKey => Row.EmbedKey;

    /// <summary>The host page's origin of a frame.</summary>
    public string? Origin => Row.Origin;

    /// <summary>When it ends in any case.</summary>
    public DateTimeOffset AbsoluteExpiresAt => Row.AbsoluteExpiresAt;

    /// <summary>When it ends unless it is used.</summary>
    public DateTimeOffset IdleExpiresAt => Row.IdleExpiresAt;

    /// <summary>The hash of its cookie, as the feed names it.</summary>
    public SecretHash Id => Row.Id;

    internal SessionRow Row { get; }
}

/// <summary>A new session with the secret for its cookie.</summary>
public sealed record OpenedSession(Session Session, SecretText Cookie);
