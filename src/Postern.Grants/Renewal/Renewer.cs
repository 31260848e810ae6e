using Postern.Grants.Definitions;
using Postern.Grants.Metrics;
using Postern.Grants.Pacing;
using Postern.Model;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Renewal;

/// <summary>
/// Brings a grant to a token that serves, by the steps of <see cref="RenewalProtocol"/>. In this process one attempt at a time for
/// each grant; across processes the claim in the database decides. A caller that hangs up ends its own waiting only.
/// </summary>
internal sealed class Renewer(
    PosternStore store, RowMacs macs, DefinitionBook definitions, RenewalAttempt attempt, SteadyClock clock, GrantMetrics metrics, IChance chance,
    TimeProvider time, GrantOptions options)
{
    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan LongestLook = TimeSpan.FromMilliseconds(250);

    // A server whose tokens end as they are issued would be asked for ever.
    private const int AttemptsAtMost = 3;

    // An attempt has its own deadlines (claim, sending, HTTP); this only keeps a bug from holding a grant for ever.
    private readonly SingleFlight<GrantId, Outcome<AttemptEnd>> attempts =
        new(options.WaitAtMost + options.ClaimFor + options.SendFor + options.SendFor, time);
    private int waiting;

    /// <summary>Callers on this node that wait for a renewal now.</summary>
    public int Waiting => Volatile.Read(ref waiting);

    /// <summary>The grant's row once its access token serves the need, or why it does not.</summary>
    public async Task<Outcome<GrantRow>> EnsureAsync(TenantId tenant, GrantId id, RenewalNeed need, CancellationToken cancellation)
    {
        // Everybody who comes here needs at least a look into the database, so this bounds those looks too.
        if (Interlocked.Increment(ref waiting) > options.WaitersAtMost)
        {
            Interlocked.Decrement(ref waiting);
            return new Refusal(RefusalKind.Unavailable, "Too many queries wait for their connections to be renewed. Try again shortly.")
            { Code = "too-many-waiting", RetryAfter = TimeSpan.FromSeconds(1) };
        }
        try
        {
            return await LookUntilItServesAsync(tenant, id, need, cancellation);
        }
        finally
        {
            Interlocked.Decrement(ref waiting);
        }
    }

    private async Task<Outcome<GrantRow>> LookUntilItServesAsync(TenantId tenant, GrantId id, RenewalNeed need, CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        var look = FirstLook;
        var own = false;
        for (var (attempted, looks) = (0, 0); ; looks++)
        {
            if (await store.Grants.FindAsync(tenant, id, cancellation) is not { } row)
                return new Refusal(RefusalKind.NotFound, "There is no such grant.");
            var found = await definitions.ConnectionAsync(tenant, row.Connection, cancellation);
            if (!found.TryGet(out var connection, out var unknown))
                return unknown;
            if (row.State == GrantState.Active && !(await macs.CheckAsync(row, cancellation)).TryGet(out _, out var edited))
                return await DistrustAsync(row, connection, edited, cancellation);

            var now = await clock.NowAsync(cancellation);
            bool moved;
            var facts = GrantFacts.Of(row, connection, GrantFacts.TakeOverWithin(connection, options) - Behind(now));
            switch (RenewalProtocol.Next(facts, need, GrantFacts.Rotation(connection, options), now))
            {
                case RenewalStep.UseCurrent:
                    if (looks > 0 && !own)
                        metrics.Avoided();
                    return row;
                case RenewalStep.NotActive:
                    return GrantFacts.Reconnect(row, connection);
                case RenewalStep.RefuseForNow:
                    return Unavailable(connection, row.RenewalNotBefore - now);
                case RenewalStep.Wait when need.Early:
                    // Nobody waits for this one, and others do for what the background can do meanwhile.
                    return row;
                case RenewalStep.Claim when need.Early && await WaitsForRunsAsync(row, connection, facts, now, cancellation):
                    return row;
                case RenewalStep.Claim or RenewalStep.TakeOver:
                    if (attempted == AttemptsAtMost)
                        return Unavailable(connection, null);
                    if (!(await AttemptAsync(row, connection, need, () => own = true, cancellation)).TryGet(out var end, out var held))
                    {
                        // The server may not be asked now. What still serves is served.
                        return RenewalProtocol.Serves(facts, need, now) ? row : Unavailable(connection, held.RetryAfter, held.Code);
                    }
                    moved = end == AttemptEnd.Claimed;
                    attempted += moved ? 1 : 0;
                    break;
                case RenewalStep.MarkUncertain:
                    moved = await DecideAsync(RenewalChanges.MarkUncertain(tenant, id, row.RenewalFence),
                        GrantFacts.Event(EventKind.RenewalUncertain, row, "access-token-serves").With("before", row.RenewalNode), cancellation);
                    break;
                case RenewalStep.EndUncertain:
                    moved = await DecideAsync(RenewalChanges.MarkUncertainToReconnect(tenant, id, row.RenewalFence),
                        GrantFacts.Event(EventKind.RenewalUncertain, row, "ended").With("before", row.RenewalNode), cancellation);
                    break;
                case RenewalStep.End:
                    var reason = row.Reason == ReconnectReason.None ? ReconnectReason.Expired : row.Reason;
                    moved = await DecideAsync(GrantChanges.EndToReconnect(tenant, id, row.Generation, reason),
                        GrantFacts.Event(EventKind.GrantEnded, row, now >= row.AbsoluteEndAt ? "absolute-end" : "no-renewal-possible"), cancellation);
                    break;
                default:
                    moved = false;
                    break;
            }
            if (moved)
                continue;

            // Somebody else renews, or was faster, or this node's clock runs a little before the store's: look again soon.
            if (time.GetElapsedTime(began) > options.WaitAtMost)
                return Unavailable(connection, row.RenewalDeadline - now);
            await Task.Delay(look * (0.5 + chance.NextFraction() / 2), time, cancellation);
            look = look * 2 > LongestLook ? LongestLook : look * 2;
        }
    }

    /// <summary>
    /// How far the store's clock is behind this node's. A clock that was set back would have a grace period last that ended long ago; what
    /// is sent again must be within it by both clocks.
    /// </summary>
    private TimeSpan Behind(DateTimeOffset now) => time.GetUtcNow() is var here && here > now ? here - now : TimeSpan.Zero;

    /// <summary>A renewal ahead of time that would kill the token of a statement under way, on any node, waits for it, within a bound.</summary>
    private async ValueTask<bool> WaitsForRunsAsync(
        GrantRow row, Connection connection, RenewalFacts facts, DateTimeOffset now, CancellationToken cancellation) =>
        GrantFacts.Rotation(connection, options) == RefreshRotation.SingleUseKillsAccessTokens && RenewalProtocol.MayWaitForRuns(facts, now)
        && (await store.QueryRuns.OpenByGrantAsync(row.Subject.Tenant, row.Id, cancellation)).Count > 0;

    /// <param name="began">Called when the attempt is this caller's own, and not another's that it joins.</param>
    private async Task<Outcome<AttemptEnd>> AttemptAsync(
        GrantRow row, Connection connection, RenewalNeed need, Action began, CancellationToken cancellation)
    {
        try
        {
            return await attempts.RunAsync(row.Id, _ => RunAsync(), cancellation);
        }
        catch (TimeoutException)
        {
            return Outcome<AttemptEnd>.Of(AttemptEnd.Overtaken);
        }

        Task<Outcome<AttemptEnd>> RunAsync()
        {
            began();
            return attempt.RunAsync(row, connection, need.Early ? Urgency.Background : Urgency.Waiting);
        }
    }

    /// <summary>Somebody edited the row, or made one: it is over, and nothing of it is used or sent.</summary>
    private async Task<Refusal> DistrustAsync(GrantRow row, Connection connection, Refusal why, CancellationToken cancellation)
    {
        if (why.IsKeyUnavailable())
            return KeysUnavailable.Of(why);
        await DecideAsync(
            GrantChanges.EndToReconnect(row.Subject.Tenant, row.Id, row.Generation, ReconnectReason.Changed),
            GrantFacts.Event(EventKind.RowTampered, row, why.Code).With("table", "grants"), cancellation);
        return GrantFacts.Reconnect(row with { State = GrantState.Reconnect, Reason = ReconnectReason.Changed }, connection);
    }

    private async Task<bool> DecideAsync(Change change, AuditEvent decided, CancellationToken cancellation) =>
        (await store.CommitAsync([change], decided, null, cancellation)).Committed;

    private static Refusal Unavailable(Connection connection, TimeSpan? wait, string? code = null) => new(
        RefusalKind.AuthorizationServerUnavailable,
        $"The sign-in service of {connection.DisplayName} does not answer right now. Your connection is not lost; try again shortly.")
    {
        Connection = connection.Id,
        Code = code ?? nameof(RefusalKind.AuthorizationServerUnavailable),
        RetryAfter = wait is { } some && some > TimeSpan.FromSeconds(1) ? some : TimeSpan.FromSeconds(1),
    };
}
