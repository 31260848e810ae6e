using Postern.Grants.Renewal;
using Postern.Model;

namespace Postern.Grants.Tests.Renewal;

/// <summary>Every interleaving of two nodes; and for each guard, that without it there is one that goes wrong.</summary>
public sealed class InterleavingTests
{
    public static TheoryData<RefreshRotation, string> EveryCase()
    {
        var cases = new TheoryData<RefreshRotation, string>();
        foreach (var rotation in Enum.GetValues<RefreshRotation>())
        {
            foreach (var need in new[] { "expired", "refused", "in-time" })
                cases.Add(rotation, need);
        }
        return cases;
    }

    [Theory]
    [MemberData(nameof(EveryCase))]
    public void Renewal_ByTwoNodesInEveryInterleaving_SpendsNoTokenTwice(RefreshRotation rotation, string need)
    {
        var model = Model(rotation, need, Guards.All);

        var violation = model.Explore();

        Assert.True(violation is null, violation?.ToString());
        Assert.True(model.States > 1_000, $"only {model.States} states: something blocks the exploration");
    }

    [Theory]
    [MemberData(nameof(EveryCase))]
    public void Renewal_FromEveryStateThatCanBe_ComesToAnEnd(RefreshRotation rotation, string need)
    {
        var model = Model(rotation, need, Guards.All);
        model.Explore();

        Assert.Null(model.FindDeadEnd());
    }

    /// <summary>The guard that is taken out, where, and how the first violation found begins.</summary>
    public static TheoryData<string, RefreshRotation, string, string> Mutants() => new()
    {
        { nameof(Guards.Claim), RefreshRotation.SingleUse, "expired", "sent" },
        { nameof(Guards.Claim), RefreshRotation.SingleUseKillsAccessTokens, "refused", "sent" },
        { nameof(Guards.Mark), RefreshRotation.SingleUse, "expired", "sent" },
        { nameof(Guards.Deadline), RefreshRotation.SingleUse, "expired", "sent outside" },
        { nameof(Guards.Deadline), RefreshRotation.RotatingWithGrace, "expired", "sent outside" },
        { nameof(Guards.StoreFence), RefreshRotation.RotatingWithGrace, "expired", "stored" },
        { nameof(Guards.StoreFence), RefreshRotation.SingleUse, "in-time", "stored" },
        { nameof(Guards.StoreFence), RefreshRotation.None, "expired", "stored" },
        { nameof(Guards.Generation), RefreshRotation.SingleUse, "refused", "renewed again" },
        { nameof(Guards.Profile), RefreshRotation.SingleUse, "expired", "a token that may be spent" },
        { nameof(Guards.OneTakeOver), RefreshRotation.RotatingWithGrace, "expired", "a token that may be spent" },
        { nameof(Guards.LastTry), RefreshRotation.RotatingWithGrace, "expired", "a token that may be spent" },
        { nameof(Guards.SameTakeOvers), RefreshRotation.RotatingWithGrace, "expired", "spins" },
        { nameof(Guards.Repeat), RefreshRotation.RotatingWithGrace, "expired", "a token that may be spent" },
        { nameof(Guards.RepeatDeadline), RefreshRotation.RotatingWithGrace, "expired", "sent outside" },
    };

    [Theory]
    [MemberData(nameof(Mutants))]
    public void Renewal_WithoutOneGuard_GoesWrongInSomeInterleaving(string guard, RefreshRotation rotation, string need, string how)
    {
        var violation = Model(rotation, need, Guards.All & ~Enum.Parse<Guards>(guard)).Explore();

        Assert.NotNull(violation);
        Assert.StartsWith(how, violation.What, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryGuard_HasAMutantThatGoesWrong()
    {
        var guards = Enum.GetValues<Guards>().Where(guard => guard is not (Guards.None or Guards.All)).ToList();

        Assert.Equal(guards.Select(guard => guard.ToString()).Order(StringComparer.Ordinal), Mutants().Select(mutant => mutant.Data.Item1).Distinct().Order(StringComparer.Ordinal));
        Assert.Equal(Guards.All, guards.Aggregate(Guards.None, (all, guard) => all | guard));
    }

    private static RenewalModel Model(RefreshRotation rotation, string need, Guards guards) => need switch
    {
        "expired" => new(rotation, RenewalNeed.ToUse, accessServes: false, guards),
        "refused" => new(rotation, RenewalNeed.After(1), accessServes: true, guards),
        "in-time" => new(rotation, RenewalNeed.InTime, accessServes: true, guards),
        _ => throw new ArgumentOutOfRangeException(nameof(need)),
    };
}
