using Postern.Grants.Definitions;
using Postern.Model;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Renewal;

/// <summary>
/// Brings a grant to a token that serves, by the steps of <see cref="RenewalProtocol"/>. In this process one attempt at a time for
/// each grant; across processes the claim in the database decides. A caller that hangs up ends its own waiting only.
/// </summary>
internal sealed class Renewer(
    PosternStore store, RowMacs macs, DefinitionBook definitions, RenewalAttempt attempt, SteadyClock clock, IChance chance, TimeProvider time, GrantOptions options)
{
    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan LongestLook = TimeSpan.FromMilliseconds(250);

    // A server whose tokens end as they are issued would be asked for ever.
    private const int AttemptsAtMost = 3;

    // An attempt has its own deadlines (claim, sending, HTTP); this only keeps a bug from holding a grant for ever.
    private readonly SingleFlight<GrantId, bool> attempts = new(options.ClaimFor + options.SendFor + options.SendFor, time);

    /// <summary>The grant's row once its access token serves the need, or why it does not.</summary>
    public async Task<Outcome<GrantRow>> EnsureAsync(TenantId tenant, GrantId id, RenewalNeed need, CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        var look = FirstLook;
        for (var attempted = 0; ;)
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
            switch (RenewalProtocol.Next(GrantFacts.Of(row, connection), need, GrantFacts.Rotation(connection, options), now))
            {
                case RenewalStep.UseCurrent:
                    return row;
                case RenewalStep.NotActive:
                    return GrantFacts.Reconnect(row, connection);
                case RenewalStep.RefuseForNow:
                    return Unavailable(connection, row.RenewalNotBefore - now);
                case RenewalStep.Claim or RenewalStep.TakeOver:
                    if (attempted == AttemptsAtMost)
                        return Unavailable(connection, null);
                    moved = await AttemptAsync(row, connection, cancellation);
                    attempted += moved ? 1 : 0;
                    break;
                case RenewalStep.MarkUncertain:
                    moved = await DecideAsync(RenewalChanges.MarkUncertain(tenant, id, row.RenewalFence),
                        GrantFacts.Event(EventKind.RenewalUncertain, row, "access-token-serves"), cancellation);
                    break;
                case RenewalStep.EndUncertain:
                    moved = await DecideAsync(RenewalChanges.MarkUncertainToReconnect(tenant, id, row.RenewalFence),
                        GrantFacts.Event(EventKind.RenewalUncertain, row, "ended"), cancellation);
                    break;
                case RenewalStep.End:
                    var reason = row.Reason == ReconnectReason.None ? ReconnectReason.Expired : row.Reason;
                    moved = await DecideAsync(GrantChanges.EndToReconnect(tenant, id, row.Generation, reason),
                        GrantFacts.Event(EventKind.GrantEnded, row, "no-renewal-possible"), cancellation);
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

    /// <summary>True when the attempt had the claim, whatever came of it.</summary>
    private async Task<bool> AttemptAsync(GrantRow row, Connection connection, CancellationToken cancellation)
    {
        try
        {
            return await attempts.RunAsync(row.Id, _ => attempt.RunAsync(row, connection), cancellation);
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <summary>Somebody edited the row, or made one: it is over, and nothing of it is used or sent.</summary>
    private async Task<Refusal> DistrustAsync(GrantRow row, Connection connection, Refusal why, CancellationToken cancellation)
    {
        if (why.AsVaultError() == VaultError.KeyStoreUnavailable)
            return new Refusal(RefusalKind.Unavailable, "The key store does not answer right now. Try again shortly.") { RetryAfter = why.RetryAfter, Code = why.Code };
        await DecideAsync(
            GrantChanges.EndToReconnect(row.Subject.Tenant, row.Id, row.Generation, ReconnectReason.Changed),
            GrantFacts.Event(EventKind.RowTampered, row, why.Code).With("table", "grants"), cancellation);
        return GrantFacts.Reconnect(row with { State = GrantState.Reconnect, Reason = ReconnectReason.Changed }, connection);
    }

    private async Task<bool> DecideAsync(Change change, AuditEvent decided, CancellationToken cancellation) =>
        (await store.CommitAsync([change], decided, null, cancellation)).Committed;

    private static Refusal Unavailable(Connection connection, TimeSpan? wait) => new(
        RefusalKind.AuthorizationServerUnavailable,
        $"The sign-in service of {connection.DisplayName} does not answer right now. Your connection is not lost; try again shortly.")
    {
        Connection = connection.Id,
        RetryAfter = wait is { } some && some > TimeSpan.FromSeconds(1) ? some : TimeSpan.FromSeconds(1),
    };
}
