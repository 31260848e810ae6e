using Postern.Grants.Renewal;
using Postern.Model;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Leases;

/// <summary>Makes query runs once their intent is written.</summary>
internal sealed class RunFactory(PosternStore store, TokenVault vault, Renewer renewer, OpenRuns runs, SteadyClock clock)
{
    /// <param name="heard">What <see cref="OpenRuns.Heard"/> was before the intent was written.</param>
    public QueryRun Make(NewQueryRun run, GrantRow row, Connection connection, long heard, CancellationToken caller)
    {
        var made = new QueryRun(run, row, connection, store, vault, renewer, runs, clock, caller);
        runs.Add(made, heard);
        return made;
    }
}

/// <summary>This start of this node.</summary>
internal sealed class NodeIdentity(GrantOptions options, IChance chance)
{
    public string Name => options.Node;
    public Guid Boot { get; } = chance.NewId();
}

/// <summary>Whether this node hears the others: a cache that cannot be told of revocations is not used.</summary>
internal sealed class FeedWatch(ChangeFeed feed, GrantOptions options)
{
    /// <param name="timestamp">Now, as <see cref="CoarseTime"/> said.</param>
    public bool IsFreshAt(long timestamp) => feed.SinceLastReadAt(timestamp) < options.FeedSilence;
}
