namespace Postern.TestKit;

/// <summary>
/// One thing that every implementation must do, as plain data: run it, and it throws where the implementation does not. Any test
/// framework can make a test of each.
/// </summary>
/// <typeparam name="T">What the implementation under test is given as.</typeparam>
/// <param name="Name">The behaviour, as <c>Subject_Condition_Outcome</c>.</param>
/// <param name="RunAsync">Tries it. Throws <see cref="BehaviourBrokenException"/> when it is not so.</param>
public sealed record Behaviour<T>(string Name, Func<T, CancellationToken, Task> RunAsync)
{
    /// <summary>The name alone: it is what a test list shows.</summary>
    public override string ToString() => Name;
}

/// <summary>An implementation does not do what it must.</summary>
/// <param name="message">What was expected and what was seen; no secret.</param>
public sealed class BehaviourBrokenException(string message) : Exception(message);

/// <summary>What behaviours say.</summary>
internal static class Must
{
    public static void Be(bool truth, string otherwise)
    {
        if (!truth)
            throw new BehaviourBrokenException(otherwise);
    }

    public static void Equal<T>(T expected, T actual, string what) =>
        Be(EqualityComparer<T>.Default.Equals(expected, actual), $"{what}: expected {expected}, got {actual}.");
}
