using System.Text.Json.Serialization;

namespace Postern.Sandbox.Control;

/// <summary>A fault on demand, as <c>POST /__sandbox/faults</c> takes it.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record Fault
{
    /// <summary>The places a fault can strike: <c>token</c>, <c>par</c> and <c>revoke</c> at issuers, the rest at the platform.</summary>
    public static IReadOnlyList<string> Places { get; } = ["token", "par", "revoke", "statement", "poll", "chunk"];

    /// <summary>
    /// What can happen: <c>status</c> answers with <see cref="Status"/> and does nothing; <c>delay</c> waits and goes on;
    /// <c>drop-before</c> closes the connection and does nothing; <c>drop-after-commit</c> does everything and then closes the connection.
    /// </summary>
    public static IReadOnlyList<string> Kinds { get; } = ["status", "delay", "drop-before", "drop-after-commit"];

    /// <summary>One of <see cref="Places"/>.</summary>
    public required string Where { get; init; }

    /// <summary>One of <see cref="Kinds"/>.</summary>
    public required string Kind { get; init; }

    /// <summary>How many requests it strikes.</summary>
    /// <value>Defaults to 1.</value>
    public int Times { get; init; } = 1;

    /// <summary>The HTTP status of kind <c>status</c>.</summary>
    public int? Status { get; init; }

    /// <summary>The milliseconds of kind <c>delay</c>.</summary>
    public int? DelayMs { get; init; }

    /// <summary>The <c>Retry-After</c> header of kind <c>status</c>; no header when absent, as platforms often do.</summary>
    [JsonNumberHandling(JsonNumberHandling.AllowReadingFromString)]
    public int? RetryAfter { get; init; }

    /// <summary>The body of kind <c>status</c>; one that fits the place when absent. Text that is not JSON goes out as HTML.</summary>
    public string? Body { get; init; }

    /// <summary>The only issuer to strike at; any when absent. The platform has none.</summary>
    public string? Issuer { get; init; }

    /// <summary>What is wrong with this fault, or <see langword="null"/>.</summary>
    internal string? Problem() => this switch
    {
        _ when !Places.Contains(Where) => $"'where' is one of {string.Join(", ", Places)}.",
        _ when !Kinds.Contains(Kind) => $"'kind' is one of {string.Join(", ", Kinds)}.",
        { Times: < 1 } => "'times' is at least 1.",
        { Kind: "status", Status: null or < 200 or > 599 } => "'status' is needed, from 200 to 599.",
        { Kind: "delay", DelayMs: null or < 1 } => "'delayMs' is needed, at least 1.",
        _ => null,
    };
}

/// <summary>A fault in the queue.</summary>
/// <param name="Fault">The fault.</param>
/// <param name="Left">How many more requests it strikes.</param>
public sealed record PendingFault(Fault Fault, int Left);
