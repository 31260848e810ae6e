using Postern.Grants.Metrics;
using Postern.Grants.Pacing;
using Postern.Model;
using Postern.OAuth;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Renewal;

/// <summary>
/// One attempt to renew a grant, written with the crash after each step in mind:
/// <list type="number">
/// <item>the server's gate (cap and circuit) and its metadata, so that the claim is short; a server that failed is asked for the metadata
/// anew before it gets a token</item>
/// <item>claim (a crash here: the claim expires, nothing was sent)</item>
/// <item>open the refresh token</item>
/// <item>monotonic deadline, then mark sending (a crash from here on: uncertain, by profile)</item>
/// <item>monotonic deadline again, then the token endpoint, once; where the answer is lost and the server has a grace period, once more</item>
/// <item>store the new pair under the fence, before anybody uses it</item>
/// </list>
/// A node that was paused finds its deadline passed at 4 or 5 and sends nothing, or its fence gone at 6 and keeps nothing.
/// </summary>
internal sealed class RenewalAttempt(
    PosternStore store, TokenVault vault, OAuthClient oauth, IssuerGates gates, SteadyClock clock, FreshPairs pairs, GrantMetrics metrics, IChance chance,
    TimeProvider time, GrantOptions options)
{
    private static readonly TimeSpan Reserve = TimeSpan.FromSeconds(2);

    /// <summary>Whether this attempt had the claim; refused when the authorization server may not be asked now, and nothing was done.</summary>
    public async Task<Outcome<AttemptEnd>> RunAsync(GrantRow row, Connection connection, Urgency urgency)
    {
        // 1
        var entered = await gates.EnterAsync(connection.Authorization, urgency);
        if (!entered.TryGet(out var passage, out var held))
            return held;
        using var passing = passage;
        if (passage.IsProbe && Rotates(connection) && await oauth.Metadata.SilenceAsync(connection.Authorization, CancellationToken.None) is { } silence)
        {
            // A refresh token that can be spent is too good to find out with whether its server answers again.
            passage.Heard(silence);
            return silence;
        }
        var known = await oauth.Metadata.GetAsync(connection.Authorization, CancellationToken.None);

        // 2
        var claimed = time.GetTimestamp();
        if (await ClaimAsync(row, connection) is not { } fence)
            return Outcome<AttemptEnd>.Of(AttemptEnd.Overtaken);
        if (IsLate(row, connection, await clock.NowAsync(CancellationToken.None)))
            metrics.Late();
        if (known.TryGet(out var metadata, out var noMetadata))
        {
            await RunClaimedAsync(new Claimed(row, connection, fence, claimed), metadata, passage);
        }
        else
        {
            passage.Heard(noMetadata);
            await FailAsync(row, fence, "metadata-" + noMetadata.Code, noMetadata.RetryAfter);
        }
        return Outcome<AttemptEnd>.Of(AttemptEnd.Claimed);
    }

    /// <summary>True when the background should have renewed it while it was in use, and did not.</summary>
    private static bool IsLate(GrantRow row, Connection connection, DateTimeOffset now) =>
        row.AccessExpiresAt is { } end && row.LastUsedAt >= end - connection.Lifetimes.KeepFreshAfterUse
        && !RenewalProtocol.Serves(GrantFacts.Of(row, connection), RenewalNeed.ToUse, now);

    private async Task RunClaimedAsync(Claimed claim, ServerMetadata metadata, Passage passage)
    {
        var (row, connection, fence, claimed) = claim;
        var sent = false;
        SecretBytes? refresh = null;
        try
        {
            // 3
            if (connection.Identity != IdentityMode.Service)
            {
                var opened = await vault.OpenAsync(
                    RecordContexts.RefreshToken(row.Id, row.Subject, row.Connection, row.Generation, ConnectionDigest.Of(connection)),
                    row.RefreshSealed, CancellationToken.None);
                if (!opened.TryGet(out refresh, out var sealedFor))
                {
                    await CannotOpenAsync(row, fence, sealedFor);
                    return;
                }
            }

            // 4
            if (time.GetElapsedTime(claimed) > options.ClaimFor - Reserve)
            {
                await AbandonAsync(row, fence, "claim-late");
                return;
            }
            var marked = time.GetTimestamp();
            var sending = await store.CommitAsync(
                [RenewalChanges.MarkSending(row.Subject.Tenant, row.Id, fence, options.SendFor)], GrantFacts.Event(EventKind.RenewalSending, row));
            if (!sending.Committed)
                return;

            // 5
            if (time.GetElapsedTime(marked) > options.SendFor - oauth.RequestTimeout - Reserve)
            {
                await FailAsync(row, fence, "sending-late", null);
                return;
            }
            sent = true;
            var answer = refresh is null
                ? await oauth.Tokens.ClientCredentialsAsync(connection.Authorization, metadata, CancellationToken.None)
                : await oauth.Tokens.RefreshAsync(connection.Authorization, metadata, refresh, CancellationToken.None);
            passage.Heard(answer);
            if (answer is TokenAnswer.Unavailable { MayHaveBeenReceived: true } lost && await MayRepeatAsync(claim, lost, marked))
            {
                claim = claim with { Row = row with { RenewalTakeovers = row.RenewalTakeovers + 1 } };
                answer = await oauth.Tokens.RefreshAsync(connection.Authorization, metadata, refresh!, CancellationToken.None);
                passage.Heard(answer);
            }

            // 6
            await ConcludeAsync(claim, answer, refresh);
        }
        catch when (!sent)
        {
            // Nothing left this process, so nothing is uncertain: others need not wait for the claim's end.
            await FailAsync(row, fence, "broken", null);
            throw;
        }
        finally
        {
            refresh?.Dispose();
        }
    }

    private Task ConcludeAsync(Claimed claim, TokenAnswer answer, SecretBytes? refresh)
    {
        var (row, _, fence, _) = claim;
        return answer switch
        {
            TokenAnswer.Issued issued => pairs.StoreAsync(claim, issued.Tokens, refresh),
            TokenAnswer.Rejected { EndsGrant: true } when refresh is not null => EndAsync(row, fence),
            TokenAnswer.Rejected rejected when IsLastTry(claim) => UncertainAsync(row, rejected.Error),
            TokenAnswer.Unavailable lost when IsLastTry(claim) || lost.MayHaveBeenReceived && Rotates(claim.Connection) => UncertainAsync(row, lost.Kind.ToString()),
            TokenAnswer.Rejected rejected => FailAsync(row, fence, rejected.Error, TimeSpan.FromMinutes(1)),
            TokenAnswer.Unavailable failed => FailAsync(row, fence, failed.Kind.ToString(), failed.RetryAfter),
            _ => throw new InvalidOperationException("A token answer of an unknown kind."),
        };
    }

    private bool Rotates(Connection connection) => GrantFacts.Rotation(connection, options) != RefreshRotation.None;

    /// <summary>
    /// True after a take-over: this was the second time that the same token was sent, and the first may have spent it. However
    /// certainly this one failed, a third is not covered by any grace.
    /// </summary>
    private bool IsLastTry(Claimed claim) =>
        Rotates(claim.Connection) && (claim.Row.RenewalTakeovers > 0 || claim.Row.Renewal == RenewalState.Sending);

    /// <summary>
    /// Whether the same token may be sent again, now: in the server's grace, within the time of this very sending, and not if it was done
    /// before. The row says so first, so that nobody does it again should this node die.
    /// </summary>
    private async Task<bool> MayRepeatAsync(Claimed claim, TokenAnswer.Unavailable lost, long marked)
    {
        var (row, connection, fence, _) = claim;
        if (GrantFacts.Rotation(connection, options) != RefreshRotation.RotatingWithGrace || IsLastTry(claim))
            return false;
        var within = options.SendFor - oauth.RequestTimeout;
        var grace = GrantFacts.Profile(connection, options).Grace;
        if (IsOver())
            return false;
        var repeated = await store.CommitAsync(
            [RenewalChanges.Repeat(row.Subject.Tenant, row.Id, fence)],
            GrantFacts.Event(EventKind.RenewalUncertain, row, "repeated").With("why", lost.Kind.ToString()));
        // Asked again: the process may have been paused while that was written.
        return repeated.Committed && !IsOver();

        bool IsOver() => time.GetElapsedTime(marked) > (grace < within ? grace : within) - Reserve;
    }

    private async Task<long?> ClaimAsync(GrantRow row, Connection connection)
    {
        var claim = GrantFacts.Event(EventKind.RenewalClaimed, row).With("node", options.Node);
        // A claim that nobody sent under: the audit trail says that its token is unused, and who held it.
        if (row.Renewal == RenewalState.Claimed)
            claim = (claim with { Code = "unused" }).With("before", row.RenewalNode);
        if (row.Renewal != RenewalState.Sending)
            return await store.ClaimRenewalAsync(row, options.Node, options.ClaimFor, claim);

        // A lost sending. Where nothing rotates it has failed and no more, and the next claim is one like any other.
        Change[] takeOver = Rotates(connection)
            ? [RenewalChanges.TakeOverUncertain(row, options.Node, options.ClaimFor)]
            : [
                RenewalChanges.Failed(row.Subject.Tenant, row.Id, row.RenewalFence, notBefore: DateTimeOffset.UnixEpoch, row.RenewalAttempts),
                RenewalChanges.Claim(row, options.Node, options.ClaimFor),
            ];
        var taken = await store.CommitAsync(takeOver, (claim with { Code = "take-over" }).With("before", row.RenewalNode));
        return taken.Committed ? row.RenewalFence + 1 : null;
    }

    private async Task FailAsync(GrantRow row, long fence, string code, TimeSpan? retryAfter)
    {
        var attempts = row.RenewalAttempts + 1;
        var notBefore = await clock.NowAsync(CancellationToken.None) + RenewalProtocol.Backoff(attempts, retryAfter, chance.NextFraction());
        await store.CommitAsync(
            [RenewalChanges.Failed(row.Subject.Tenant, row.Id, fence, notBefore, attempts)],
            GrantFacts.Event(EventKind.RenewalFailed, row, code).With("attempts", attempts));
    }

    private Task AbandonAsync(GrantRow row, long fence, string code) => store.CommitAsync(
        [RenewalChanges.Abandon(row.Subject.Tenant, row.Id, fence)], GrantFacts.Event(EventKind.RenewalAbandoned, row, code));

    private Task EndAsync(GrantRow row, long fence) => store.CommitAsync(
        [RenewalChanges.End(row.Subject.Tenant, row.Id, fence, ReconnectReason.Expired)],
        GrantFacts.Event(EventKind.GrantEnded, row, OAuthErrors.InvalidGrant));

    /// <summary>The row stays in <c>sending</c>; when its deadline passes, the protocol says what the profile allows.</summary>
    private Task UncertainAsync(GrantRow row, string why) =>
        store.RecordAsync(GrantFacts.Event(EventKind.RenewalUncertain, row, "answer-lost").With("why", why));

    private Task CannotOpenAsync(GrantRow row, long fence, Refusal refusal) => refusal.IsKeyUnavailable()
        ? FailAsync(row, fence, refusal.Code, refusal.RetryAfter)
        : store.CommitAsync(
            [RenewalChanges.End(row.Subject.Tenant, row.Id, fence, ReconnectReason.Changed)],
            GrantFacts.Event(EventKind.RecordRefused, row, refusal.Code));
}

/// <summary>A renewal whose claim this node holds.</summary>
/// <param name="Row">The grant as it was claimed.</param>
/// <param name="Connection">Its connection.</param>
/// <param name="Fence">The claim's fence.</param>
/// <param name="Since">A timestamp from before the claim.</param>
internal sealed record Claimed(GrantRow Row, Connection Connection, long Fence, long Since);

/// <summary>Whether an attempt had the claim.</summary>
internal enum AttemptEnd
{
    /// <summary>It had the claim, whatever came of it.</summary>
    Claimed,
    /// <summary>Another was first.</summary>
    Overtaken,
}
