using Microsoft.Extensions.Logging;
using Postern.Model;

namespace Postern.Store;

/// <summary>What the store's background work says in the log. Ids 4000 to 4099.</summary>
internal static partial class LogEntries
{
    [LoggerMessage(4000, LogLevel.Warning, "The feed of changes cannot be read; caches stop serving until it can.")]
    public static partial void FeedUnreadable(this ILogger logger, Exception exception);

    [LoggerMessage(4001, LogLevel.Error, "A listener of the feed threw; it may serve something stale.")]
    public static partial void ListenerThrew(this ILogger logger, Exception exception);

    [LoggerMessage(4002, LogLevel.Warning, "Audit leaves could not be put in order; it is tried again, and nothing is lost meanwhile.")]
    public static partial void SequencingFailed(this ILogger logger, Exception exception);

    [LoggerMessage(4003, LogLevel.Warning, "Old rows could not be removed; it is tried again.")]
    public static partial void UpkeepFailed(this ILogger logger, Exception exception);

    [LoggerMessage(4004, LogLevel.Error, "A listener threw when it was told of {Kind}. The event itself is written.")]
    public static partial void EventListenerThrew(this ILogger logger, EventKind kind, Exception exception);

    [LoggerMessage(4005, LogLevel.Warning, "The database does not wake this node any more; its feed is read in turns until it does.")]
    public static partial void WakeUpLost(this ILogger logger, Exception exception);
}
