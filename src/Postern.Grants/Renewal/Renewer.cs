using Postern.Grants.Definitions;
using Postern.Model;
using Postern.OAuth;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Renewal;

/// <summary>
/// Brings a grant to a token that serves, by the steps of <see cref="RenewalProtocol"/>. In this process one attempt at a time for
/// each grant; across processes the claim in the database decides. A caller that hangs up ends its own waiting only.
/// </summary>
internal sealed class Renewer(
    PosternStore store, DefinitionBook definitions, RenewalAttempt attempt, SteadyClock clock, IChance chance, TimeProvider time, GrantOptions options)
{
    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan LongestLook = TimeSpan.FromMilliseconds(250);

    // An attempt has its own deadlines (claim, sending, HTTP); this only keeps a bug from holding a grant for ever.
    private readonly SingleFlight<GrantId, Done> attempts = new(options.ClaimFor + options.SendFor + options.SendFor, time);

    /// <summary>The grant's row once its access token serves the need, or why it does not.</summary>
    public async Task<Outcome<GrantRow>> EnsureAsync(TenantId tenant, GrantId id, RenewalNeed need, CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        var look = FirstLook;
        while (true)
        {
            if (await store.Grants.FindAsync(tenant, id, cancellation) is not { } row)
                return new Refusal(RefusalKind.NotFound, "There is no such grant.");
            var found = await definitions.ConnectionAsync(tenant, row.Connection, cancellation);
            if (!found.TryGet(out var connection, out var unknown))
                return unknown;

            var now = await clock.NowAsync(cancellation);
            switch (RenewalProtocol.Next(GrantFacts.Of(row, connection), need, GrantFacts.Rotation(connection), now))
            {
                case RenewalStep.UseCurrent:
                    return row;
                case RenewalStep.NotActive:
                    return GrantFacts.Reconnect(row, connection);
                case RenewalStep.Claim:
                case RenewalStep.TakeOver:
                    await attempts.RunAsync(id, _ => attempt.RunAsync(row, connection), cancellation);
                    break;
                case RenewalStep.MarkUncertain:
                    await store.CommitAsync([RenewalChanges.MarkUncertain(tenant, id, row.RenewalFence)],
                        GrantFacts.Event(EventKind.RenewalUncertain, row, "access-token-serves"), null, cancellation);
                    break;
                case RenewalStep.EndUncertain:
                    await store.CommitAsync([RenewalChanges.MarkUncertainToReconnect(tenant, id, row.RenewalFence)],
                        GrantFacts.Event(EventKind.RenewalUncertain, row, "ended"), null, cancellation);
                    break;
                case RenewalStep.End:
                    var reason = row.Reason == ReconnectReason.None ? ReconnectReason.Expired : row.Reason;
                    await store.CommitAsync([GrantChanges.EndToReconnect(tenant, id, row.Generation, reason)],
                        GrantFacts.Event(EventKind.GrantEnded, row, "no-renewal-possible"), null, cancellation);
                    break;
                case RenewalStep.RefuseForNow:
                    return Unavailable(connection, row.RenewalNotBefore - now);
                case RenewalStep.Wait:
                    if (time.GetElapsedTime(began) > options.WaitAtMost)
                        return Unavailable(connection, row.RenewalDeadline - now);
                    await Task.Delay(look * (0.5 + chance.NextFraction() / 2), time, cancellation);
                    look = look * 2 > LongestLook ? LongestLook : look * 2;
                    break;
            }
        }
    }

    private static Refusal Unavailable(Connection connection, TimeSpan? wait) => new(
        RefusalKind.AuthorizationServerUnavailable,
        $"The sign-in service of {connection.DisplayName} does not answer right now. Your connection is not lost; try again shortly.")
    {
        Connection = connection.Id,
        RetryAfter = wait is { } some && some > TimeSpan.FromSeconds(1) ? some : TimeSpan.FromSeconds(1),
    };
}
