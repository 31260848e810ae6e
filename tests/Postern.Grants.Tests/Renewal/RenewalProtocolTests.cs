using Postern.Grants.Renewal;
using Postern.Model;

namespace Postern.Grants.Tests.Renewal;

/// <summary>The pure step function, row by row. Minutes are counted from now; each row says what it prevents.</summary>
public sealed class RenewalProtocolTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 22, 9, 0, 0, TimeSpan.Zero);

    /// <summary>A grant in generation 3 with half an hour left, due in twenty minutes, nobody renewing.</summary>
    private static readonly RenewalFacts Fresh = new(
        GrantState.Active, 3, In(30), In(20), CanRenew: true, RenewalState.Idle, DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch);

    private static readonly RenewalFacts Due = Fresh with { AccessExpiresAt = In(8), DueAt = In(-1) };
    private static readonly RenewalFacts Expired = Fresh with { AccessExpiresAt = In(-1), DueAt = In(-10) };

    public static TheoryData<string, RenewalFacts, RenewalNeed, RenewalStep> Rows() => new()
    {
        { "a fresh token is renewed for nothing", Fresh, RenewalNeed.ToUse, RenewalStep.UseCurrent },
        { "the background renews what is not due", Fresh, RenewalNeed.InTime, RenewalStep.UseCurrent },
        { "a query waits for a renewal that is only due", Due, RenewalNeed.ToUse, RenewalStep.UseCurrent },
        { "nobody renews in time", Due, RenewalNeed.InTime, RenewalStep.Claim },
        { "an expired token is used", Expired, RenewalNeed.ToUse, RenewalStep.Claim },
        { "a token is used that ends on its way", Fresh with { AccessExpiresAt = Now.AddSeconds(29) , DueAt = In(-5) }, RenewalNeed.ToUse, RenewalStep.Claim },
        { "the margin eats a short-lived token", Fresh with { AccessExpiresAt = Now.AddSeconds(20), DueAt = Now.AddSeconds(10) }, RenewalNeed.ToUse, RenewalStep.UseCurrent },
        { "a token that the platform refused is used again", Fresh, RenewalNeed.After(3), RenewalStep.Claim },
        { "a late refusal of an older generation renews again", Fresh, RenewalNeed.After(2), RenewalStep.UseCurrent },
        { "a revoked grant is used", Fresh with { State = GrantState.Revoked }, RenewalNeed.ToUse, RenewalStep.NotActive },
        { "an unconfirmed grant is used", Fresh with { State = GrantState.Unconfirmed }, RenewalNeed.ToUse, RenewalStep.NotActive },
        { "an ended grant is renewed", Expired with { State = GrantState.Reconnect }, RenewalNeed.ToUse, RenewalStep.NotActive },
        { "two nodes claim at once", Expired with { Renewal = RenewalState.Claimed, Deadline = In(1) }, RenewalNeed.ToUse, RenewalStep.Wait },
        { "a living claim stops queries that have a token", Due with { Renewal = RenewalState.Claimed, Deadline = In(1) }, RenewalNeed.ToUse, RenewalStep.UseCurrent },
        { "the background waits for another's claim", Due with { Renewal = RenewalState.Claimed, Deadline = In(1) }, RenewalNeed.InTime, RenewalStep.UseCurrent },
        { "a dead node keeps its claim", Expired with { Renewal = RenewalState.Claimed, Deadline = Now }, RenewalNeed.ToUse, RenewalStep.Claim },
        { "two nodes send at once", Expired with { Renewal = RenewalState.Sending, Deadline = In(1) }, RenewalNeed.ToUse, RenewalStep.Wait },
        { "a failing server is hammered", Expired with { NotBefore = In(1) }, RenewalNeed.ToUse, RenewalStep.RefuseForNow },
        { "a failing server stops queries that have a token", Due with { NotBefore = In(1) }, RenewalNeed.InTime, RenewalStep.UseCurrent },
        { "a refused token is used while the server fails", Due with { NotBefore = In(1) }, RenewalNeed.After(3), RenewalStep.RefuseForNow },
        { "a grant without a way on is retried for ever", Expired with { CanRenew = false }, RenewalNeed.ToUse, RenewalStep.End },
        { "a grant without a refresh token ends before its access token", Due with { CanRenew = false }, RenewalNeed.InTime, RenewalStep.UseCurrent },
        { "a grant that never had a token is used", Fresh with { AccessExpiresAt = null }, RenewalNeed.ToUse, RenewalStep.Claim },
    };

    [Theory]
    [MemberData(nameof(Rows))]
    public void Next_OfEachRow_PreventsWhatItsNameSays(string prevents, RenewalFacts facts, RenewalNeed need, RenewalStep expected)
    {
        foreach (var rotation in Enum.GetValues<RefreshRotation>())
            Assert.True(expected == RenewalProtocol.Next(facts, need, rotation, Now), $"{rotation}: {prevents}");
    }

    [Theory]
    // Nothing is spent where nothing rotates, so it may be taken over any number of times.
    [InlineData(RefreshRotation.None, 0, true, RenewalStep.UseCurrent)]
    [InlineData(RefreshRotation.None, 0, false, RenewalStep.TakeOver)]
    [InlineData(RefreshRotation.None, 7, false, RenewalStep.TakeOver)]
    [InlineData(RefreshRotation.RotatingWithGrace, 0, true, RenewalStep.UseCurrent)]
    [InlineData(RefreshRotation.RotatingWithGrace, 0, false, RenewalStep.TakeOver)]
    // The grace covers one retry. More would be taken for theft; asking the store for more is refused, for ever.
    [InlineData(RefreshRotation.RotatingWithGrace, 1, true, RenewalStep.MarkUncertain)]
    [InlineData(RefreshRotation.RotatingWithGrace, 1, false, RenewalStep.EndUncertain)]
    [InlineData(RefreshRotation.SingleUse, 0, true, RenewalStep.MarkUncertain)]
    [InlineData(RefreshRotation.SingleUse, 0, false, RenewalStep.EndUncertain)]
    [InlineData(RefreshRotation.SingleUseKillsAccessTokens, 0, true, RenewalStep.MarkUncertain)]
    [InlineData(RefreshRotation.SingleUseKillsAccessTokens, 0, false, RenewalStep.EndUncertain)]
    public void Next_OfALostSending_AsksTheProfile(RefreshRotation rotation, int takeOvers, bool serves, RenewalStep expected)
    {
        var lost = (serves ? Fresh : Expired) with { Renewal = RenewalState.Sending, Deadline = Now, TakeOvers = takeOvers };

        Assert.Equal(expected, RenewalProtocol.Next(lost, RenewalNeed.ToUse, rotation, Now));
    }

    [Theory]
    [InlineData(RefreshRotation.None, RenewalStep.TakeOver)]
    [InlineData(RefreshRotation.RotatingWithGrace, RenewalStep.TakeOver)]
    [InlineData(RefreshRotation.SingleUse, RenewalStep.MarkUncertain)]
    public void Next_OfALostSendingInTheBackground_DoesNotWaitForTheEndOfTheToken(RefreshRotation rotation, RenewalStep expected)
    {
        var lost = Fresh with { Renewal = RenewalState.Sending, Deadline = Now };

        Assert.Equal(expected, RenewalProtocol.Next(lost, RenewalNeed.InTime, rotation, Now));
    }

    [Theory]
    // An hour: with 5 to 10 minutes left.
    [InlineData(60, 0.0, 55)]
    [InlineData(60, 0.5, 52.5)]
    [InlineData(60, 0.999999, 50)]
    // Ten minutes: 5 to 10 minutes left would be before half of its life.
    [InlineData(10, 0.0, 5)]
    [InlineData(10, 0.5, 5.625)]
    [InlineData(10, 0.999999, 6.25)]
    // A minute.
    [InlineData(1, 0.0, 0.5)]
    [InlineData(1, 0.999999, 0.625)]
    public void DueAt_SpreadsByChance_ButNeverBeforeHalfOfTheLife(double lifeMinutes, double fraction, double expectedMinutes)
    {
        var due = RenewalProtocol.DueAt(Now, Now.AddMinutes(lifeMinutes), new Lifetimes(), fraction);

        Assert.Equal(expectedMinutes, (due - Now).TotalMinutes, 3);
    }

    [Fact]
    public void DueAt_OfAnyLifeAndChance_LiesBetweenHalfOfTheLifeAndItsEnd()
    {
        for (var seconds = 1; seconds < 4000; seconds += 7)
        {
            for (var fraction = 0.0; fraction < 1; fraction += 0.03)
            {
                var due = RenewalProtocol.DueAt(Now, Now.AddSeconds(seconds), new Lifetimes(), fraction);
                Assert.InRange((due - Now).TotalSeconds, seconds / 2.0, seconds);
            }
        }
    }

    [Theory]
    [InlineData(1, null, 0.0, 1)]
    [InlineData(1, null, 1.0, 2)]
    [InlineData(3, null, 0.0, 4)]
    [InlineData(6, null, 0.5, 45)]
    [InlineData(1000, null, 1.0, 60)]
    [InlineData(1, 120, 0.5, 120)]
    [InlineData(10, 5, 0.0, 30)]
    public void Backoff_GrowsToAMinute_AndListensToALongerRetryAfter(int failures, int? retryAfterSeconds, double fraction, double expectedSeconds)
    {
        TimeSpan? told = retryAfterSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null;

        Assert.Equal(expectedSeconds, RenewalProtocol.Backoff(failures, told, fraction).TotalSeconds, 6);
    }

    private static DateTimeOffset In(double minutes) => Now.AddMinutes(minutes);
}
