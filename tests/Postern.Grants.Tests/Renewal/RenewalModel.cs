using Postern.Grants.Renewal;
using Postern.Model;

namespace Postern.Grants.Tests.Renewal;

/// <summary>
/// Two nodes that renew one grant by the real <see cref="RenewalProtocol.Next"/> and the conditions of the store's statements, as an
/// explicit step machine. The exploration visits every interleaving, with any number of crashes, pauses, lost and failed answers, a
/// store that refuses a pair, and a revocation, anywhere. It is finite because of time only "before or after the deadline" counts and of fences only "the row's or older".
/// </summary>
internal sealed class RenewalModel(RefreshRotation rotation, RenewalNeed need, bool accessServes, Guards guards)
{
    /// <summary>Any fence but the row's, which is 0.</summary>
    public const int Older = -1;

    private const int TimesCounted = 3;
    private readonly HashSet<World> seen = [];
    private readonly Queue<(World World, Trail? Trail)> open = new();
    private Violation? violation;

    /// <summary>The grant before anybody looked.</summary>
    private static World Start { get; } = new(
        new Row(GrantState.Active, false, 1, RenewalState.Idle, 0, false, 0), Node.Fresh, Node.Fresh, default, default, default);

    /// <summary>How many states there are.</summary>
    public int States => seen.Count;

    /// <summary>The shortest way to a violation, or null when there is none.</summary>
    public Violation? Explore()
    {
        Visit(Start, null);
        while (violation is null && open.TryDequeue(out var next))
            Expand(next.World, next.Trail);
        return violation;
    }

    /// <summary>
    /// A reachable state from which a node alone, whose server answers and whose time passes, comes to no end; null when there is none.
    /// </summary>
    public World? FindDeadEnd()
    {
        foreach (var world in seen)
        {
            var alone = world.With(1, Node.Fresh with { At = At.Done });
            for (var steps = 0; alone.One.At != At.Done; steps++)
            {
                if (steps == 100)
                    return world;
                World? next = null;
                Step(alone, 0, (_, after) => next ??= after, _ => { });
                alone = Canonical(next!.Value == alone || alone.One.At == At.Decide && next.Value.One.At == At.Read ? Tick(next.Value) : next.Value);
            }
        }
        return null;
    }

    private bool Has(Guards guard) => (guards & guard) == guard;

    private void Visit(World world, Trail? trail)
    {
        world = Canonical(world);
        if (seen.Add(world))
            open.Enqueue((world, trail));
    }

    private void Expand(World world, Trail? trail)
    {
        void Go(string what, World next) => Visit(next, new(what, trail));
        void Break(string what) => violation ??= new(what, [.. Trail.Steps(trail), "!"]);

        Go("time passes", Tick(world));
        if (world.Row.State == GrantState.Active)
            Go("revoked", world with { Row = world.Row with { State = GrantState.Revoked, Renewal = RenewalState.Idle, Fence = world.Row.Fence + 1 } });
        // The store takes writes again, in this process or the next one.
        if (world.Spool is { Generation: > 0 } kept)
            StorePair(world with { Spool = default }, kept.Generation, kept.Fence, (what, next) => Go("from the spool: " + what, next), Break);
        for (var i = 0; i < 2; i++)
        {
            var node = i;
            if (world[i].At is not (At.Done or At.Read))
                Go($"{i}: crash", world.With(i, Node.Fresh));
            Step(world, i, (what, next) => Go($"{node}: {what}", next), Break);
        }
    }

    private static World Tick(World world) => world with
    {
        Row = world.Row with { Late = true },
        One = world.One with { Late = true },
        Two = world.Two with { Late = true },
        First = world.First with { Over = true },
        Second = world.Second with { Over = true },
    };

    private static World Canonical(World world)
    {
        var current = world.Row.Fence;
        int Name(int fence) => fence == current ? 0 : Older;
        Node Named(Node node) => node with
        {
            Fence = Name(node.Fence),
            Seen = node.Seen with { Fence = Name(node.Seen.Fence) },
            Late = node is { Late: true, At: At.Mark or At.Send or At.Repeat or At.Resend },
        };
        var row = world.Row;
        row = row with { Fence = 0, Late = row.Late && row.Renewal != RenewalState.Idle };
        var spool = world.Spool.Generation == 0 ? default : world.Spool with { Fence = Name(world.Spool.Fence) };
        return world with { Row = row, One = Named(world.One), Two = Named(world.Two), Spool = spool };
    }

    private void Step(World world, int i, Action<string, World> go, Action<string> fail)
    {
        var row = world.Row;
        var node = world[i];
        switch (node.At)
        {
            case At.Read:
                go("read", world.With(i, node with { At = At.Decide, Seen = row }));
                break;
            case At.Decide:
                Decide(world, i, node, go);
                break;
            case At.Claim:
                var free = row.Renewal == RenewalState.Idle || row.Renewal == RenewalState.Claimed && row.Late;
                Change(row.State == GrantState.Active && !row.Uncertain && (!Has(Guards.Claim) || free && Unchanged(row, node)),
                    "claim", row with { Renewal = RenewalState.Claimed, Fence = row.Fence + 1, Late = false });
                break;
            case At.TakeOver:
                var lost = row.State == GrantState.Active && row.Renewal == RenewalState.Sending && Unchanged(row, node);
                var allowed = rotation == RefreshRotation.None || row.Late && (row.TakeOvers == 0 || !Has(Guards.OneTakeOver));
                Change(lost && allowed, "take over", row with
                {
                    Renewal = RenewalState.Claimed,
                    Fence = row.Fence + 1,
                    Late = false,
                    TakeOvers = row.TakeOvers + (rotation == RefreshRotation.None ? 0 : 1),
                });
                break;
            case At.MarkUncertain:
                Change(IsLost(row, node), "mark uncertain", row with { Uncertain = true, Renewal = RenewalState.Idle, Fence = row.Fence + 1 });
                break;
            case At.EndUncertain:
                Change(IsLost(row, node), "end uncertain",
                    row with { State = GrantState.Reconnect, Uncertain = true, Renewal = RenewalState.Idle, Fence = row.Fence + 1 });
                break;
            case At.End:
                Change(row.State == GrantState.Active && row.Generation == node.Seen.Generation, "end",
                    row with { State = GrantState.Reconnect, Renewal = RenewalState.Idle, Fence = row.Fence + 1 });
                break;
            case At.Mark:
                Mark(world, i, node, go);
                break;
            case At.Send:
                Send(world, i, node, go, fail);
                break;
            case At.Repeat:
                Repeat(world, i, node, go);
                break;
            case At.Resend:
                if (Has(Guards.RepeatDeadline) && node.Late)
                    go("too late to repeat", world.With(i, Node.Fresh));
                else
                    SendNow(world, i, node, go, fail);
                break;
            case At.Store:
                StorePair(world.With(i, Node.Fresh), node.Seen.Generation + 1, node.Fence, go, fail);
                if (world.Spool.Generation == 0)
                    go("store fails, spooled", world.With(i, Node.Fresh) with { Spool = new(node.Seen.Generation + 1, node.Fence) });
                break;
            case At.Fail:
                var mine = row.State == GrantState.Active && row.Renewal != RenewalState.Idle && row.Fence == node.Fence;
                go("failed", (mine ? world with { Row = row with { Renewal = RenewalState.Idle } } : world).With(i, Node.Fresh));
                break;
        }

        // A change that is refused although nothing changed would be tried for ever.
        void Change(bool fits, string what, Row next)
        {
            if (!fits && row == node.Seen)
                fail($"spins: '{what}' is refused though nothing changed");
            var after = fits && node.At is (At.Claim or At.TakeOver)
                ? node with { At = At.Mark, Fence = next.Fence, Late = false, Seen = Remembered(node), LastTry = rotation != RefreshRotation.None && next.TakeOvers > 0 }
                : Node.Fresh;
            go(fits ? what : what + " refused", (fits ? world with { Row = next } : world).With(i, after));
        }
    }

    private void Decide(World world, int i, Node node, Action<string, World> go)
    {
        // The row was read before the clock.
        var row = node.Seen;
        var late = row.Late || world.Row.Late && row.Fence == world.Row.Fence && row.Renewal == world.Row.Renewal;
        var facts = new RenewalFacts(
            row.State, row.Generation,
            accessServes || row.Generation > 1 ? Hour(1000) : Hour(0),
            row.Generation > 1 ? Hour(900) : Hour(0),
            !row.Uncertain, row.Renewal, late ? Hour(1) : Hour(2), Hour(0))
        {
            TakeOvers = Has(Guards.OneTakeOver | Guards.SameTakeOvers) ? row.TakeOvers : 0,
        };
        var asked = need.RefusedGeneration is not null && !Has(Guards.Generation) ? RenewalNeed.After(row.Generation) : need;
        var ruled = Has(Guards.Profile) || rotation == RefreshRotation.None ? rotation : RefreshRotation.RotatingWithGrace;
        var step = RenewalProtocol.Next(facts, asked, ruled, Hour(1));
        At? next = step switch
        {
            RenewalStep.UseCurrent or RenewalStep.NotActive or RenewalStep.RefuseForNow => At.Done,
            RenewalStep.Claim => At.Claim,
            RenewalStep.TakeOver => At.TakeOver,
            RenewalStep.MarkUncertain => At.MarkUncertain,
            RenewalStep.EndUncertain => At.EndUncertain,
            RenewalStep.End => At.End,
            _ => null,
        };
        go(step.ToString(), world.With(i, next switch
        {
            null => Node.Fresh,
            At.Done => Node.Fresh with { At = At.Done },
            { } at => node with { At = at },
        }));
    }

    private void Mark(World world, int i, Node node, Action<string, World> go)
    {
        var row = world.Row;
        if (node.Late && Has(Guards.Mark))
        {
            var mine = row.Renewal == RenewalState.Claimed && row.Fence == node.Fence;
            go("abandon", (mine ? world with { Row = row with { Renewal = RenewalState.Idle } } : world).With(i, Node.Fresh));
            return;
        }
        var fits = row.State == GrantState.Active
            && (!Has(Guards.Mark) || row.Renewal == RenewalState.Claimed && row.Fence == node.Fence && !row.Late);
        go(fits ? "mark sending" : "mark refused", fits
            ? (world with { Row = row with { Renewal = RenewalState.Sending, Late = false } }).With(i, node with { At = At.Send, Late = false })
            : world.With(i, Node.Fresh));
    }

    // The check and the sending are one step: nothing is awaited between them, and what the check leaves is more than a request takes.
    private void Send(World world, int i, Node node, Action<string, World> go, Action<string> fail)
    {
        if (Has(Guards.Deadline) && node.Late)
        {
            go("too late to send", world.With(i, node with { At = At.Fail }));
            return;
        }
        SendNow(world, i, node, go, fail);
    }

    // The same sending, the same fence: the answer was lost, and the server takes the token once more.
    private void Repeat(World world, int i, Node node, Action<string, World> go)
    {
        var row = world.Row;
        var fits = row.State == GrantState.Active && row.Renewal == RenewalState.Sending && row.Fence == node.Fence && !row.Late && row.TakeOvers == 0;
        if (!fits || node.Late && Has(Guards.RepeatDeadline))
            go("repeat refused", world.With(i, Node.Fresh));
        else
            go("repeat", (Has(Guards.Repeat) ? world with { Row = row with { TakeOvers = 1 } } : world).With(i, node with { At = At.Resend, LastTry = true }));
    }

    private void SendNow(World world, int i, Node node, Action<string, World> go, Action<string> fail)
    {
        var row = world.Row;
        var generation = node.Seen.Generation;
        if (row.State == GrantState.Active && (row.Renewal != RenewalState.Sending || row.Fence != node.Fence || row.Late))
            fail("sent outside of its own sending");
        var before = world.Of(generation);
        if (rotation != RefreshRotation.None && before.Times > 0
            && (rotation != RefreshRotation.RotatingWithGrace || before.Times > 1 || !before.Over))
        {
            fail("a token that may be spent was sent again");
        }
        if (generation > 1)
            fail("renewed again what was renewed already");

        var times = Math.Min(before.Times + 1, TimesCounted);
        var spent = world.With(generation, new Spent(times, Over: false));
        go("sent, issued", spent.With(i, node with { At = At.Store }));
        // Its request is over for this node; so it is for the rule that two are never under way.
        go("sent, answer lost", rotation == RefreshRotation.RotatingWithGrace && !node.LastTry
            ? world.With(generation, new Spent(times, Over: true)).With(i, node with { At = At.Repeat })
            : spent.With(i, Node.Fresh));
        // It was not spent by this, but if it may have been before, this was one time more.
        var failed = before.Times == 0 ? world : spent;
        go("sent, refused for now", failed.With(i, node.LastTry && Has(Guards.LastTry) ? Node.Fresh : node with { At = At.Fail }));
    }

    private void StorePair(World world, int next, int fence, Action<string, World> go, Action<string> fail)
    {
        var row = world.Row;
        var fits = row.Generation == next - 1
            && (!Has(Guards.StoreFence) || row.State == GrantState.Active && row.Renewal == RenewalState.Sending && row.Fence == fence);
        if (fits && row.State != GrantState.Active)
            fail("stored into a grant that does not stand");
        if (fits && row.Fence != fence)
            fail("stored by an older fence");
        go(fits ? "stored" : "store refused",
            fits ? world with { Row = row with { Generation = next, Renewal = RenewalState.Idle, TakeOvers = 0 } } : world);
    }

    private static Row Remembered(Node node) => default(Row) with { Generation = node.Seen.Generation, Fence = Older };

    private static bool Unchanged(Row row, Node node) => row.Fence == node.Seen.Fence && row.Generation == node.Seen.Generation;

    private static bool IsLost(Row row, Node node) =>
        row.State == GrantState.Active && row.Renewal == RenewalState.Sending && row.Fence == node.Seen.Fence && row.Late;

    private static DateTimeOffset Hour(int hours) => DateTimeOffset.UnixEpoch.AddHours(hours);

    private sealed record Trail(string What, Trail? Before)
    {
        public static IEnumerable<string> Steps(Trail? trail)
        {
            var steps = new Stack<string>();
            for (; trail is not null; trail = trail.Before)
                steps.Push(trail.What);
            return steps;
        }
    }
}
