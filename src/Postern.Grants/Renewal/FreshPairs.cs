using System.Data.Common;
using Postern.Grants.Metrics;
using Postern.Grants.Spooling;
using Postern.Model;
using Postern.OAuth;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Renewal;

/// <summary>
/// Keeps a renewed pair before anybody uses it. At first it exists at the authorization server and in this process only, so a store
/// or key store that fails for a moment is asked again and again, and at the first refusal the sealed pair goes into the spool too.
/// </summary>
internal sealed class FreshPairs(
    PosternStore store, TokenSealer sealer, RowMacs macs, PairSpool spool, GrantMetrics metrics, IChance chance, TimeProvider time, GrantOptions options)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    /// <summary>Stores what was issued under the claim's fence, or sees to it that nobody uses it. Wipes it in either case.</summary>
    /// <param name="sent">The refresh token that was sent; null for client credentials, where one in the answer is ignored.</param>
    public async Task StoreAsync(Claimed claim, TokenSet tokens, SecretBytes? sent)
    {
        SpooledPair pair;
        using (tokens)
            pair = await SealAsync(claim, tokens, sent);
        var spooled = false;
        // While it waits in memory, it lies in the spool as well: this process may not live to see the store again.
        await KeepTryingAsync(() => SettleAsync(pair), () => spooled = spool.TryWrite(pair));
        if (spooled)
            spool.Remove(pair);
    }

    /// <summary>
    /// Brings a sealed pair to its end: stored under its fence, or, when the row does not take it, revoked or forgotten as the row says.
    /// Doing it twice does no harm.
    /// </summary>
    /// <exception cref="DbException">The store takes no writes; nothing was decided.</exception>
    public async Task SettleAsync(SpooledPair pair)
    {
        var renewed = Event(EventKind.TokensRenewed, pair).With("expires", pair.AccessExpiresAt.ToUnixTimeSeconds());
        if (pair.File is not null)
            renewed = renewed with { Code = "spooled" };
        var result = await store.CommitAsync(
            [RenewalChanges.StoreRenewed(pair.Subject.Tenant, pair.Id, pair.Fence, pair.Generation, pair.Pair, pair.Mac)], renewed);
        if (!result.Committed)
            await DropAsync(pair);
        if (pair.File is not null)
            spool.Remove(pair);
    }

    private async Task<SpooledPair> SealAsync(Claimed claim, TokenSet tokens, SecretBytes? sent)
    {
        var (row, connection, fence, _) = claim;
        var next = row.Generation + 1;
        // No new refresh token in the answer: the old one goes on (RFC 6749 section 6), sealed for the new generation.
        var refresh = sent is null ? null : tokens.Refresh ?? sent;
        var pair = await KeepTryingAsync(() => sealer.SealAsync(row.Id, row.Subject, connection, next, tokens, refresh, row.AbsoluteEndAt));
        var scopes = tokens.Scope is { } granted ? string.Join(' ', granted) : null;
        var after = row with { Generation = next, Scopes = scopes ?? row.Scopes };
        return new SpooledPair
        {
            Grant = row.Id.Value,
            Tenant = row.Subject.Tenant.Value,
            SubjectAuthority = row.Subject.Authority,
            SubjectId = row.Subject.Id,
            Connection = row.Connection.Value,
            Fence = fence,
            Generation = next,
            ConnectionDigest = row.ConnectionDigest,
            Access = pair.Access,
            Refresh = pair.Refresh,
            IsRefreshNew = tokens.Refresh is not null,
            Rotates = GrantFacts.Rotation(connection, options) != RefreshRotation.None,
            AccessExpiresAt = pair.AccessExpiresAt,
            RenewalDueAt = pair.RenewalDueAt,
            Scopes = scopes,
            Mac = await KeepTryingAsync(() => macs.OfAsync(after, CancellationToken.None).AsTask()),
        };
    }

    /// <summary>The row did not take the pair: why decides what becomes of it.</summary>
    private async Task DropAsync(SpooledPair pair)
    {
        var now = await store.Grants.FindAsync(pair.Subject.Tenant, pair.Id, CancellationToken.None);
        // An earlier try was durable although its answer was lost. Sealing uses chance, so these bytes are ours and no one else's.
        if (now?.AccessSealed is { } stored && stored.AsSpan().SequenceEqual(pair.Access))
            return;

        var late = Event(EventKind.RenewalAbandoned, pair) with { Code = "late-answer" };
        if (ToldFrom(now, pair) is not { } notBefore)
        {
            // Where nothing is spent, two answers to one token are two answers and no more.
            if (pair.Rotates)
                metrics.Duplicated();
            await store.CommitAsync([], late);
            return;
        }
        await store.CommitAsync(
            [RevocationChanges.Enqueue(new RevocationRow(
                chance.NewId(), pair.Subject, ConnectionId.Parse(pair.Connection), pair.Id, pair.Generation, pair.ConnectionDigest,
                pair.IsRefreshNew ? pair.Refresh : null, pair.Access, pair.AccessExpiresAt)
            { NotBefore = notBefore })],
            late);
    }

    /// <summary>
    /// From when the provider may be told of a pair that came too late; null for never. To revoke one token of a family ends all of it
    /// with many providers (RFC 7009 section 2.1), so what the grant still lives on must not be of the same family, or must be over.
    /// </summary>
    private static DateTimeOffset? ToldFrom(GrantRow? now, SpooledPair pair) => now switch
    {
        // Client credentials make no family, and a grant that is over has nothing to lose.
        not { State: GrantState.Active } => DateTimeOffset.UnixEpoch,
        _ when pair.Subject == SubjectKey.Service(pair.Subject.Tenant) => DateTimeOffset.UnixEpoch,
        // Never renewed again: over with its access token.
        { Reason: ReconnectReason.Uncertain } => now.AccessExpiresAt,
        // Renewed by whoever took over. The late pair was with this node only, and is wiped.
        _ => null,
    };

    private static AuditEvent Event(EventKind kind, SpooledPair pair) => new(kind, pair.Subject.Tenant)
    {
        Subject = pair.Subject,
        Connection = ConnectionId.Parse(pair.Connection),
        Grant = pair.Id,
        Generation = pair.Generation,
    };

    private Task KeepTryingAsync(Func<Task> write, Action refused) => KeepTryingAsync(
        async () =>
        {
            await write();
            return true;
        },
        refused);

    private async Task<T> KeepTryingAsync<T>(Func<Task<T>> write, Action? refused = null)
    {
        var began = time.GetTimestamp();
        for (var pause = FirstPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                return await write();
            }
            catch (Exception e) when (e is DbException or VaultException)
            {
                if (pause == FirstPause)
                    refused?.Invoke();
                if (time.GetElapsedTime(began) >= options.SendFor)
                    throw;
                await Task.Delay(pause, time);
            }
        }
    }
}
