using Postern.Model;
using Postern.OAuth;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Renewal;

/// <summary>
/// One attempt to renew a grant, written with the crash after each step in mind:
/// <list type="number">
/// <item>metadata, so that the claim is short</item>
/// <item>claim (a crash here: the claim expires, nothing was sent)</item>
/// <item>open the refresh token</item>
/// <item>monotonic deadline, then mark sending (a crash from here on: uncertain, by profile)</item>
/// <item>monotonic deadline again, then the token endpoint, once</item>
/// <item>store the new pair under the fence, before anybody uses it</item>
/// </list>
/// A node that was paused finds its deadline passed at 4 or 5 and sends nothing, or its fence gone at 6 and revokes what it got.
/// </summary>
internal sealed class RenewalAttempt(
    PosternStore store, TokenVault vault, OAuthClient oauth, TokenSealer sealer, SteadyClock clock, IChance chance, TimeProvider time, GrantOptions options)
{
    private static readonly TimeSpan Reserve = TimeSpan.FromSeconds(2);

    public async Task<Done> RunAsync(GrantRow row, Connection connection)
    {
        // 1
        var service = connection.Identity == IdentityMode.Service;
        var known = await oauth.Metadata.GetAsync(connection.Authorization, CancellationToken.None);

        // 2
        var claimed = time.GetTimestamp();
        if (await ClaimAsync(row) is not { } fence)
            return default;
        if (!known.TryGet(out var metadata, out var noMetadata))
            return await FailAsync(row, fence, "metadata-" + noMetadata.Code, noMetadata.RetryAfter);

        // 3
        SecretBytes? refresh = null;
        if (!service)
        {
            var opened = await vault.OpenAsync(
                RecordContexts.RefreshToken(row.Id, row.Subject, row.Connection, row.Generation, ConnectionDigest.Of(connection)),
                row.RefreshSealed, CancellationToken.None);
            if (!opened.TryGet(out refresh, out var sealedFor))
                return await CannotOpenAsync(row, fence, sealedFor);
        }

        using (refresh)
        {
            // 4
            if (time.GetElapsedTime(claimed) > options.ClaimFor - Reserve)
                return await AbandonAsync(row, fence, "claim-late");
            var marked = time.GetTimestamp();
            var sending = await store.CommitAsync(
                [RenewalChanges.MarkSending(row.Subject.Tenant, row.Id, fence, options.SendFor)], GrantFacts.Event(EventKind.RenewalSending, row));
            if (!sending.Committed)
                return default;

            // 5
            if (time.GetElapsedTime(marked) > options.SendFor - options.TokenTimeout - Reserve)
                return await FailAsync(row, fence, "sending-late", null);
            var answer = service
                ? await oauth.Tokens.ClientCredentialsAsync(connection.Authorization, metadata, CancellationToken.None)
                : await oauth.Tokens.RefreshAsync(connection.Authorization, metadata, refresh!, CancellationToken.None);

            // 6
            return answer switch
            {
                TokenAnswer.Issued issued => await StoreAsync(row, connection, fence, issued.Tokens, refresh),
                TokenAnswer.Rejected { EndsGrant: true } when !service => await EndAsync(row, fence),
                TokenAnswer.Rejected rejected => await FailAsync(row, fence, rejected.Error, TimeSpan.FromMinutes(1)),
                TokenAnswer.Unavailable { MayHaveBeenReceived: true } lost when GrantFacts.Rotation(connection) != RefreshRotation.None =>
                    await UncertainAsync(row, lost),
                TokenAnswer.Unavailable failed => await FailAsync(row, fence, failed.Kind.ToString(), failed.RetryAfter),
                _ => throw new InvalidOperationException("A token answer of an unknown kind."),
            };
        }
    }

    private async Task<long?> ClaimAsync(GrantRow row)
    {
        var claim = GrantFacts.Event(EventKind.RenewalClaimed, row).With("node", options.Node);
        if (row.Renewal != RenewalState.Sending)
            return await store.ClaimRenewalAsync(row, options.Node, options.ClaimFor, claim);
        var taken = await store.CommitAsync([RenewalChanges.TakeOverUncertain(row, options.Node, options.ClaimFor)], claim with { Code = "take-over" });
        return taken.Committed ? row.RenewalFence + 1 : null;
    }

    private async Task<Done> StoreAsync(GrantRow row, Connection connection, long fence, TokenSet tokens, SecretBytes? oldRefresh)
    {
        using (tokens)
        {
            var next = row.Generation + 1;
            // No new refresh token in the answer: the old one goes on (RFC 6749 section 6), sealed for the new generation.
            var pair = await sealer.SealAsync(row.Id, row.Subject, connection, next, tokens, tokens.Refresh ?? oldRefresh);
            if (tokens.Scope is { } scopes)
                pair = pair with { Scopes = string.Join(' ', scopes) };
            var renewed = GrantFacts.Event(EventKind.TokensRenewed, row) with { Generation = next };

            var result = await KeepTryingAsync(() => store.CommitAsync(
                [RenewalChanges.StoreRenewed(row.Subject.Tenant, row.Id, fence, next, pair)],
                renewed.With("expires", pair.AccessExpiresAt.ToUnixTimeSeconds())));
            if (!result.Committed)
            {
                // Revoked or taken over meanwhile: nobody may use this pair, and the provider is told so.
                await store.CommitAsync(
                    [RevocationChanges.Enqueue(new RevocationRow(
                        chance.NewId(), row.Subject, row.Connection, row.Id, next, row.ConnectionDigest, pair.Refresh, pair.Access, pair.AccessExpiresAt))],
                    GrantFacts.Event(EventKind.RenewalAbandoned, row, "late-answer") with { Generation = next });
            }
            return default;
        }
    }

    /// <summary>
    /// The pair exists at the authorization server and here in memory only, so a store that fails for a moment is asked again, under
    /// the same fence, until the sending counts as uncertain.
    /// </summary>
    private async Task<CommitResult> KeepTryingAsync(Func<Task<CommitResult>> commit)
    {
        var began = time.GetTimestamp();
        for (var wait = TimeSpan.FromMilliseconds(50); ; wait *= 2)
        {
            try
            {
                return await commit();
            }
            catch (System.Data.Common.DbException) when (time.GetElapsedTime(began) < options.SendFor)
            {
                await Task.Delay(wait, time);
            }
        }
    }

    private async Task<Done> FailAsync(GrantRow row, long fence, string code, TimeSpan? retryAfter)
    {
        var attempts = row.RenewalAttempts + 1;
        var notBefore = await clock.NowAsync(CancellationToken.None) + RenewalProtocol.Backoff(attempts, retryAfter, chance.NextFraction());
        await store.CommitAsync(
            [RenewalChanges.Failed(row.Subject.Tenant, row.Id, fence, notBefore, attempts)],
            GrantFacts.Event(EventKind.RenewalFailed, row, code).With("attempts", attempts));
        return default;
    }

    private async Task<Done> AbandonAsync(GrantRow row, long fence, string code)
    {
        await store.CommitAsync(
            [RenewalChanges.Abandon(row.Subject.Tenant, row.Id, fence)], GrantFacts.Event(EventKind.RenewalAbandoned, row, code));
        return default;
    }

    private async Task<Done> EndAsync(GrantRow row, long fence)
    {
        await store.CommitAsync(
            [RenewalChanges.End(row.Subject.Tenant, row.Id, fence, ReconnectReason.Expired)],
            GrantFacts.Event(EventKind.GrantEnded, row, OAuthErrors.InvalidGrant));
        return default;
    }

    /// <summary>The row stays in <c>sending</c>; when its deadline passes, the protocol says what the profile allows.</summary>
    private async Task<Done> UncertainAsync(GrantRow row, TokenAnswer.Unavailable lost)
    {
        await store.RecordAsync(GrantFacts.Event(EventKind.RenewalUncertain, row, "answer-lost").With("why", lost.Kind.ToString()));
        return default;
    }

    private async Task<Done> CannotOpenAsync(GrantRow row, long fence, Refusal refusal)
    {
        if (refusal.AsVaultError() == VaultError.KeyStoreUnavailable)
            return await AbandonAsync(row, fence, refusal.Code);
        await store.CommitAsync(
            [RenewalChanges.End(row.Subject.Tenant, row.Id, fence, ReconnectReason.Changed)],
            GrantFacts.Event(EventKind.RecordRefused, row, refusal.Code));
        return default;
    }
}
