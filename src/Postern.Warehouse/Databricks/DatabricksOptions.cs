namespace Postern.Warehouse.Databricks;

/// <summary>Times and bounds of the Databricks driver.</summary>
public sealed record DatabricksOptions
{
    /// <value>How long the platform holds the first answer for a fast result; 10 s. It takes 0 or 5 to 50 s. A cancellation meanwhile waits for that answer, because only it names the statement.</value>
    public TimeSpan WaitTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <value>The first pause between polls; 100 ms.</value>
    public TimeSpan PollFirst { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <value>The longest pause between polls, reached by factor 1.5; 5 s.</value>
    public TimeSpan PollLongest { get; init; } = TimeSpan.FromSeconds(5);

    /// <value>How often one request is sent again after 429, 503 or a lost connection, where that is safe; 4.</value>
    public int Retries { get; init; } = 4;

    /// <value>The first pause before such a repetition, doubled each time, with jitter; 500 ms.</value>
    public TimeSpan RetryFirst { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <value>The longest pause before a repetition; a longer <c>Retry-After</c> becomes a refusal that says so; 30 s.</value>
    public TimeSpan RetryLongest { get; init; } = TimeSpan.FromSeconds(30);

    /// <value>How long one request may take beyond <see cref="WaitTimeout"/>, and how long a result link may stall; 30 s.</value>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <value>How long telling the platform to cancel may take; 5 s.</value>
    public TimeSpan CancelTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <value>The largest JSON answer that is read; 16 MiB.</value>
    public int MaxAnswerBytes { get; init; } = 16 << 20;

    /// <value>The largest Arrow message that is read; 256 MiB.</value>
    public int MaxMessageBytes { get; init; } = 256 << 20;
}
