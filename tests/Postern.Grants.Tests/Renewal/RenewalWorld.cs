using Postern.Model;

namespace Postern.Grants.Tests.Renewal;

/// <summary>What keeps a refresh token from being spent twice; the exploration can leave each out.</summary>
[Flags]
internal enum Guards
{
    None = 0,
    /// <summary>The claim compares fence and state; without it anybody may claim an active grant.</summary>
    Claim = 1,
    /// <summary>Marking as sending compares the fence and the claim's deadline.</summary>
    Mark = 2,
    /// <summary>The monotonic deadline just before the token endpoint is called.</summary>
    Deadline = 4,
    /// <summary>Storing compares fence and state; without it only the generation.</summary>
    StoreFence = 8,
    /// <summary>A refusal names the generation that was refused.</summary>
    Generation = 16,
    /// <summary>The profile decides about a lost sending; without it every server counts as one with grace.</summary>
    Profile = 32,
    /// <summary>A lost sending is taken over once.</summary>
    OneTakeOver = 64,
    /// <summary>After a take-over also a certain failure counts as uncertain.</summary>
    LastTry = 128,
    /// <summary>The step function knows of take-overs what the store's statement knows.</summary>
    SameTakeOvers = 256,
    /// <summary>The row says that the same token is sent once more, before it is.</summary>
    Repeat = 512,
    /// <summary>The monotonic deadline after that was written.</summary>
    RepeatDeadline = 1024,
    All = 2047,
}

/// <summary>The columns of the grant that the protocol reads and writes.</summary>
/// <param name="Late">The deadline of the claim or sending passed.</param>
internal readonly record struct Row(GrantState State, bool Uncertain, int Generation, RenewalState Renewal, int Fence, bool Late, int TakeOvers);

/// <summary>
/// Where a node stands; each step is one statement or one look of the real code. Opening the token is no step: it touches nothing
/// shared, so a crash or pause in it is one before the mark.
/// </summary>
internal enum At
{
    Read,
    Decide,
    Claim,
    TakeOver,
    MarkUncertain,
    EndUncertain,
    End,
    Mark,
    Send,
    Repeat,
    Resend,
    Store,
    Fail,
    Done,
}

/// <param name="Fence">The fence of its claim.</param>
/// <param name="Late">Its own monotonic deadline passed since the step that it counts from.</param>
internal readonly record struct Node(At At, Row Seen, int Fence, bool Late, bool LastTry)
{
    /// <summary>After a crash, or at the end of an attempt: nothing is remembered.</summary>
    public static Node Fresh { get; } = new(At.Read, default, RenewalModel.Older, false, false);
}

/// <summary>What became of one refresh token: how often it was sent since it may be spent, and whether the last sending is past its deadline.</summary>
internal readonly record struct Spent(int Times, bool Over);

/// <summary>A sealed pair on the disk of a node whose store refused it; it outlives the process.</summary>
internal readonly record struct Spooled(int Generation, int Fence);

/// <summary>Everything, at one moment.</summary>
internal readonly record struct World(Row Row, Node One, Node Two, Spent First, Spent Second, Spooled Spool)
{
    public Node this[int node] => node == 0 ? One : Two;

    public World With(int node, Node next) => node == 0 ? this with { One = next } : this with { Two = next };

    public Spent Of(int generation) => generation == 1 ? First : Second;

    public World With(int generation, Spent spent) => generation == 1 ? this with { First = spent } : this with { Second = spent };
}

/// <summary>A state that must not be, and the way there.</summary>
internal sealed record Violation(string What, IReadOnlyList<string> Way)
{
    public override string ToString() => What + "\n  " + string.Join("\n  ", Way);
}
