using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postern.Grants.Definitions;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Renewal;

/// <summary>
/// Renews grants in use before they end, on any node: every node looks, the claim decides. Also says of every lost sending what is
/// known.
/// </summary>
internal sealed partial class BackgroundRenewer(
    PosternStore store, Renewer renewer, DefinitionBook definitions, SteadyClock clock, IChance chance, TimeProvider time, GrantOptions options,
    ILogger<BackgroundRenewer> log) : BackgroundService
{
    private const int Batch = 256;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                await RenewAsync(stoppingToken);
            }
            catch (Exception broken) when (!stoppingToken.IsCancellationRequested)
            {
                TurnFailed(log, broken);
            }
            await Task.Delay(options.WorkPeriod * (0.5 + chance.NextFraction()), time, stoppingToken);
        }
    }

    /// <summary>One turn: everything that is due now.</summary>
    internal async Task RenewAsync(CancellationToken cancellation)
    {
        // How long after its last use a grant is kept fresh: the list contains what any connection asks for.
        var freshFor = (await definitions.ConnectionsAsync(cancellation))
            .ToDictionary(connection => (connection.Tenant, connection.Id), connection => connection.Lifetimes.KeepFreshAfterUse);
        var longest = freshFor.Values.DefaultIfEmpty().Max();
        var now = await clock.NowAsync(cancellation);
        var lost = await store.Grants.ExpiredSendingAsync(Batch, cancellation);
        var ended = await store.Grants.EndedUncertainAsync(Batch, cancellation);

        // A server that does not answer is asked for a few grants in a turn, however many wait for it, and holds up nobody else's.
        var silent = new ConcurrentDictionary<(TenantId, ConnectionId), bool>();
        await RenewAsync(lost.Select(row => (row, RenewalNeed.InTime)).Concat(ended.Select(row => (row, RenewalNeed.ToUse))), silent, cancellation);

        // To the last page: grants that are passed over, because their server is silent or their connection asks for less, hold up none behind them.
        IReadOnlyList<GrantRow> page;
        GrantRow? last = null;
        do
        {
            page = await store.Grants.DueForRenewalAsync(longest, last, Batch, cancellation);
            last = page.Count > 0 ? page[^1] : null;
            var due = page.Where(row => row.LastUsedAt >= now - freshFor.GetValueOrDefault((row.Subject.Tenant, row.Connection)));
            await RenewAsync(due.Select(row => (row, RenewalNeed.InTime)), silent, cancellation);
        }
        while (page.Count == Batch);
    }

    private Task RenewAsync(
        IEnumerable<(GrantRow Row, RenewalNeed Need)> work, ConcurrentDictionary<(TenantId, ConnectionId), bool> silent, CancellationToken cancellation) =>
        Parallel.ForEachAsync(
            work,
            new ParallelOptions { MaxDegreeOfParallelism = options.BackgroundRenewals, CancellationToken = cancellation },
            async (one, token) => await RenewAsync(one.Row, one.Need, silent, token));

    private async Task RenewAsync(GrantRow row, RenewalNeed need, ConcurrentDictionary<(TenantId, ConnectionId), bool> silent, CancellationToken cancellation)
    {
        var place = (row.Subject.Tenant, row.Connection);
        if (silent.ContainsKey(place))
            return;
        try
        {
            var ensured = await renewer.EnsureAsync(row.Subject.Tenant, row.Id, need, cancellation);
            // With time left the token still serves, which is an answer; that it was not renewed shows in its row.
            if (ensured.TryGet(out var after, out var why)
                ? after.Generation == row.Generation && after.RenewalAttempts > row.RenewalAttempts
                : why.Kind == RefusalKind.AuthorizationServerUnavailable)
            {
                silent[place] = true;
            }
        }
        catch (Exception broken) when (!cancellation.IsCancellationRequested)
        {
            // One grant that cannot be renewed must not keep the others from it.
            GrantFailed(log, row.Id, broken);
        }
    }

    [LoggerMessage(4102, LogLevel.Warning, "A turn of the background renewal failed; it goes on at the next turn.")]
    private static partial void TurnFailed(ILogger log, Exception broken);

    [LoggerMessage(4103, LogLevel.Warning, "Grant {Grant} could not be renewed; it is tried again at the next turn.")]
    private static partial void GrantFailed(ILogger log, GrantId grant, Exception broken);
}
