using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postern.Grants.Definitions;
using Postern.Grants.Pacing;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Renewal;

/// <summary>
/// Renews grants in use before they end, on any node: every node looks, the claim decides. Also says of every lost sending what is
/// known.
/// </summary>
internal sealed partial class BackgroundRenewer(
    PosternStore store, Renewer renewer, IssuerGates gates, DefinitionBook definitions, SteadyClock clock, IChance chance, TimeProvider time, GrantOptions options,
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
        var connections = (await definitions.ConnectionsAsync(cancellation)).ToDictionary(connection => (connection.Tenant, connection.Id));
        // How long after its last use a grant is kept fresh: the list contains what any connection asks for.
        var longest = connections.Values.Select(connection => connection.Lifetimes.KeepFreshAfterUse).DefaultIfEmpty().Max();
        var now = await clock.NowAsync(cancellation);

        // A server that does not answer is asked for a few grants in a turn, however many wait for it, and holds up nobody else's.
        var silent = new ConcurrentDictionary<string, bool>();
        // To the last page: grants that are passed over, because their server is silent or full or their connection asks for less, hold up none behind them.
        IReadOnlyList<GrantRow> page;
        GrantRow? last = null;
        do
        {
            // Before each page and not each turn, which is long while many are due: people wait to hear what became of these.
            await DecideLostAsync(cancellation);
            page = await store.Grants.DueForRenewalAsync(longest, last, Batch, cancellation);
            last = page.Count > 0 ? page[^1] : null;
            // Each node in an order of its own: in the same they would meet at every grant, and one of them would renew it.
            await EachAsync(page.SelectMany(Due).OrderBy(_ => chance.NextFraction()), RenewDueAsync, cancellation);
        }
        while (page.Count == Batch);

        IEnumerable<(GrantRow, Connection)> Due(GrantRow row)
        {
            if (connections.TryGetValue((row.Subject.Tenant, row.Connection), out var connection) && row.LastUsedAt >= now - connection.Lifetimes.KeepFreshAfterUse)
                yield return (row, connection);
        }

        async Task RenewDueAsync(GrantRow row, Connection connection, CancellationToken token)
        {
            var issuer = connection.Authorization.Issuer;
            if (silent.ContainsKey(issuer) || !gates.HasRoom(issuer))
                return;
            // With time left the token still serves, which is an answer; that it was not renewed shows in its row.
            if ((await renewer.EnsureAsync(row.Subject.Tenant, row.Id, RenewalNeed.InTime, token)).TryGet(out var after, out var why)
                ? after.Generation == row.Generation && after.RenewalAttempts > row.RenewalAttempts
                : why.Kind == RefusalKind.AuthorizationServerUnavailable)
            {
                silent[issuer] = true;
            }
        }
    }

    /// <summary>Says of every lost sending what is known, and ends what was never renewed again.</summary>
    private async Task DecideLostAsync(CancellationToken cancellation)
    {
        var lost = await store.Grants.ExpiredSendingAsync(Batch, cancellation);
        var ended = await store.Grants.EndedUncertainAsync(Batch, cancellation);
        await EachAsync(lost.Select(row => (row, RenewalNeed.InTime)).Concat(ended.Select(row => (row, RenewalNeed.ToUse))), EnsureAsync, cancellation);
    }

    private Task EnsureAsync(GrantRow row, RenewalNeed need, CancellationToken cancellation) =>
        renewer.EnsureAsync(row.Subject.Tenant, row.Id, need, cancellation);

    private Task EachAsync<T>(IEnumerable<(GrantRow Row, T With)> work, Func<GrantRow, T, CancellationToken, Task> renew, CancellationToken cancellation) =>
        Parallel.ForEachAsync(
            work,
            new ParallelOptions { MaxDegreeOfParallelism = options.BackgroundRenewals, CancellationToken = cancellation },
            async (one, token) => await GuardAsync(one.Row, () => renew(one.Row, one.With, token), cancellation));

    private async Task GuardAsync(GrantRow row, Func<Task> renew, CancellationToken cancellation)
    {
        try
        {
            await renew();
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
