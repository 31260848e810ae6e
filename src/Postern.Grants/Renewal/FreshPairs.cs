using System.Data.Common;
using Postern.Model;
using Postern.OAuth;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Renewal;

/// <summary>
/// Keeps a renewed pair before anybody uses it. At first it exists at the authorization server and in this process only, so a store
/// or key store that fails for a moment is asked again and again.
/// </summary>
internal sealed class FreshPairs(PosternStore store, TokenSealer sealer, RowMacs macs, IChance chance, TimeProvider time, GrantOptions options)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    /// <summary>Stores what was issued under the claim's fence, or sees to it that nobody uses it. Wipes it in either case.</summary>
    /// <param name="sent">The refresh token that was sent; null for client credentials, where one in the answer is ignored.</param>
    public async Task StoreAsync(Claimed claim, TokenSet tokens, SecretBytes? sent)
    {
        using (tokens)
        {
            var (row, connection, fence, _) = claim;
            var next = row.Generation + 1;
            // No new refresh token in the answer: the old one goes on (RFC 6749 section 6), sealed for the new generation.
            var refresh = sent is null ? null : tokens.Refresh ?? sent;
            var pair = await KeepTryingAsync(() => sealer.SealAsync(row.Id, row.Subject, connection, next, tokens, refresh));
            if (tokens.Scope is { } scopes)
                pair = pair with { Scopes = string.Join(' ', scopes) };

            var after = row with { Generation = next, Scopes = pair.Scopes ?? row.Scopes };
            var mac = await KeepTryingAsync(() => macs.OfAsync(after, CancellationToken.None).AsTask());
            var renewed = GrantFacts.Event(EventKind.TokensRenewed, row) with { Generation = next };
            var result = await KeepTryingAsync(() => store.CommitAsync(
                [RenewalChanges.StoreRenewed(row.Subject.Tenant, row.Id, fence, next, pair, mac)],
                renewed.With("expires", pair.AccessExpiresAt.ToUnixTimeSeconds())));
            if (!result.Committed)
                await KeepTryingAsync(() => DropAsync(claim, pair with { Refresh = tokens.Refresh is null ? null : pair.Refresh }));
        }
    }

    /// <summary>The row did not take the pair: why decides what becomes of it.</summary>
    private async Task<CommitResult> DropAsync(Claimed claim, SealedPair pair)
    {
        var row = claim.Row;
        var next = row.Generation + 1;
        var now = await store.Grants.FindAsync(row.Subject.Tenant, row.Id, CancellationToken.None);
        // An earlier try was durable although its answer was lost. Sealing uses chance, so these bytes are ours and no one else's.
        if (now?.AccessSealed is { } stored && stored.AsSpan().SequenceEqual(pair.Access))
            return CommitResult.Ok;

        var late = GrantFacts.Event(EventKind.RenewalAbandoned, row, "late-answer") with { Generation = next };
        if (ToldFrom(now, claim.Connection) is not { } notBefore)
            return await store.CommitAsync([], late);
        return await store.CommitAsync(
            [RevocationChanges.Enqueue(new RevocationRow(
                chance.NewId(), row.Subject, row.Connection, row.Id, next, row.ConnectionDigest, pair.Refresh, pair.Access, pair.AccessExpiresAt)
            { NotBefore = notBefore })],
            late);
    }

    /// <summary>
    /// From when the provider may be told of a pair that came too late; null for never. To revoke one token of a family ends all of it
    /// with many providers (RFC 7009 section 2.1), so what the grant still lives on must not be of the same family, or must be over.
    /// </summary>
    private static DateTimeOffset? ToldFrom(GrantRow? now, Connection connection) => now switch
    {
        // Client credentials make no family, and a grant that is over has nothing to lose.
        not { State: GrantState.Active } => DateTimeOffset.UnixEpoch,
        _ when connection.Identity == IdentityMode.Service => DateTimeOffset.UnixEpoch,
        // Never renewed again: over with its access token.
        { Reason: ReconnectReason.Uncertain } => now.AccessExpiresAt,
        // Renewed by whoever took over. The late pair was in this process only, and is wiped.
        _ => null,
    };

    private async Task<T> KeepTryingAsync<T>(Func<Task<T>> write)
    {
        var began = time.GetTimestamp();
        for (var pause = FirstPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                return await write();
            }
            catch (Exception e) when (e is DbException or VaultException && time.GetElapsedTime(began) < options.SendFor)
            {
                await Task.Delay(pause, time);
            }
        }
    }
}
