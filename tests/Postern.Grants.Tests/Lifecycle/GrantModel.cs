using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Tests.Lifecycle;

/// <summary>What somebody who asks for a token gets.</summary>
internal enum Answer
{
    Token,
    Unavailable,
    Reconnect,
    Unknown,
}

/// <summary>What the token endpoint does with the next request.</summary>
internal enum Server
{
    Answers,
    Fails,
    LosesTheAnswer,
}

/// <summary>
/// One person's grant on one connection as the documents tell it, written without a look at the protocol's code. Moments that chance
/// decides (due, backoff, deadlines) are read from the row; what follows from them is not.
/// </summary>
internal sealed class GrantModel(RefreshRotation rotation)
{
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(30);
    // The grace of five minutes, less the claim and the two sendings that a take-over may need.
    private static readonly TimeSpan TakeOverWithin = TimeSpan.FromMinutes(5) - TimeSpan.FromSeconds(90);

    public GrantState? State { get; private set; }

    public ReconnectReason Reason { get; private set; }

    public int Generation { get; private set; }

    public RenewalState Renewal { get; private set; }

    /// <summary>How often the server gave a pair for a refresh token of this grant.</summary>
    public int Redeemed { get; private set; }

    /// <summary>How often it may have given one for the same token.</summary>
    public int AtMostOfOneToken => rotation switch { RefreshRotation.None => int.MaxValue, RefreshRotation.RotatingWithGrace => 2, _ => 1 };

    public bool Retired { get; set; }

    private bool Repeated { get; set; }

    private bool CanRenew => Reason != ReconnectReason.Uncertain;

    public void Connect() => (State, Reason, Generation, Renewal, Redeemed, Repeated) = (GrantState.Active, ReconnectReason.None, 1, RenewalState.Idle, 0, false);

    public void Revoke() => (State, Reason, Renewal) = (GrantState.Revoked, ReconnectReason.Revoked, RenewalState.Idle);

    /// <summary>A node claims and dies.</summary>
    public void DieClaimed() => Renewal = RenewalState.Claimed;

    /// <summary>A node sends and dies; the server has done what it was asked.</summary>
    public void DieSending() => (Renewal, Redeemed) = (RenewalState.Sending, Redeemed + 1);

    /// <summary>Whether a renewal could begin now.</summary>
    public bool MayBegin(GrantRow row, DateTimeOffset now) =>
        State == GrantState.Active && CanRenew && !Retired && !(row.RenewalNotBefore > now)
        && (Renewal == RenewalState.Idle || Renewal == RenewalState.Claimed && row.RenewalDeadline <= now);

    /// <summary>A query asks, or a driver whose token was refused.</summary>
    public Answer Ask(GrantRow row, DateTimeOffset now, bool refused, Server server)
    {
        if (Retired)
            return Answer.Unknown;
        if (State != GrantState.Active)
            return Answer.Reconnect;
        var serves = !refused && Serves(row, now);
        if (Renewal == RenewalState.Sending && row.RenewalDeadline <= now && !(serves && MayTakeOver(row, now)))
        {
            if (MayTakeOver(row, now))
                return Attempt(serves, server, again: rotation != RefreshRotation.None);
            GiveUp(serves);
            return serves ? Answer.Token : Answer.Reconnect;
        }
        if (serves)
            return Answer.Token;
        if (Renewal != RenewalState.Idle && row.RenewalDeadline > now)
            return Answer.Unavailable;
        if (!CanRenew)
        {
            (State, Renewal) = (GrantState.Reconnect, RenewalState.Idle);
            return Answer.Reconnect;
        }
        return row.RenewalNotBefore > now ? Answer.Unavailable : Attempt(serves, server, again: false);
    }

    /// <summary>A turn of the background.</summary>
    public void Turn(GrantRow row, DateTimeOffset now, Server server)
    {
        if (Retired || State != GrantState.Active)
            return;
        var serves = Serves(row, now);
        if (Renewal == RenewalState.Sending)
        {
            if (row.RenewalDeadline > now)
                return;
            if (MayTakeOver(row, now))
                Attempt(serves, server, again: rotation != RefreshRotation.None);
            else
                GiveUp(serves);
            return;
        }
        if (!CanRenew)
        {
            if (row.AccessExpiresAt <= now)
                State = GrantState.Reconnect;
            return;
        }
        if (MayBegin(row, now) && row.RenewalDueAt <= now && row.LastUsedAt >= now.AddHours(-1))
            Attempt(serves, server, again: false);
    }

    private static bool Serves(GrantRow row, DateTimeOffset now) => now < row.AccessExpiresAt - Margin;

    private bool MayTakeOver(GrantRow row, DateTimeOffset now) => rotation switch
    {
        RefreshRotation.None => true,
        RefreshRotation.RotatingWithGrace => !Repeated && now < row.RenewalDeadline + TakeOverWithin,
        _ => false,
    };

    private void GiveUp(bool serves)
    {
        (Reason, Renewal) = (ReconnectReason.Uncertain, RenewalState.Idle);
        if (!serves)
            State = GrantState.Reconnect;
    }

    /// <param name="again">The same token was sent before, and may be spent.</param>
    private Answer Attempt(bool serves, Server server, bool again)
    {
        var refusal = serves ? Answer.Token : Answer.Unavailable;
        Repeated |= again;
        if (server == Server.LosesTheAnswer)
        {
            Redeemed++;
            if (rotation == RefreshRotation.RotatingWithGrace && !again)
                server = Server.Answers;
        }
        switch (server)
        {
            case Server.Answers:
                (Generation, Renewal, Repeated, Redeemed) = (Generation + 1, RenewalState.Idle, false, Redeemed + 1);
                return Answer.Token;
            case Server.Fails or Server.LosesTheAnswer when rotation == RefreshRotation.None:
            case Server.Fails when !again:
                Renewal = RenewalState.Idle;
                return refusal;
            default:
                Renewal = RenewalState.Sending;
                return refusal;
        }
    }
}
