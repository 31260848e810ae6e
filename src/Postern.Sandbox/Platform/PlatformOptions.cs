namespace Postern.Sandbox.Platform;

/// <summary>The bounds and names of the emulated workspace. Every default is what the demo runs with.</summary>
public sealed record PlatformOptions
{
    /// <summary>The folder holding the files of npm package vega-datasets.</summary>
    /// <value>Null: environment variable <c>POSTERN_SANDBOX_DATA</c>, else
    /// <c>web/node_modules/vega-datasets/data</c> of the checkout.</value>
    public string? DataDirectory { get; init; }

    /// <summary>The only SQL warehouse there is.</summary>
    /// <value>Default <c>demo0000warehouse</c>.</value>
    public string WarehouseId { get; init; } = "demo0000warehouse";

    /// <summary>Memory one user's engine may take; a statement beyond it fails with <c>RESOURCE_EXHAUSTED</c>.</summary>
    /// <value>Default <c>1GB</c>, in DuckDB's notation.</value>
    public string EngineMemory { get; init; } = "1GB";

    /// <summary>Threads of one user's engine.</summary>
    /// <value>Default 2.</value>
    public int EngineThreads { get; init; } = 2;

    /// <summary>How many users' engines stay loaded; the longest unused goes first.</summary>
    /// <value>Default 6 (about 180 MB each when all three million rows are visible).</value>
    public int MaxEngines { get; init; } = 6;

    /// <summary>An engine nobody used for this long is closed.</summary>
    /// <value>Default 15 minutes.</value>
    public TimeSpan EngineIdle { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>Statements running at once; others wait as <c>PENDING</c>.</summary>
    /// <value>Default 4.</value>
    public int MaxRunning { get; init; } = 4;

    /// <summary>Statements waiting at once; beyond it the platform answers 429 <c>RESOURCE_EXHAUSTED</c>.</summary>
    /// <value>Default 100.</value>
    public int MaxWaiting { get; init; } = 100;

    /// <summary>A statement runs at most this long and then fails with <c>DEADLINE_EXCEEDED</c>.</summary>
    /// <value>Default 120 seconds.</value>
    public TimeSpan StatementTimeout { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>Longest statement text in characters. The real limit is 16 MiB; no sample needs it.</summary>
    /// <value>Default 256 Ki.</value>
    public int MaxStatementLength { get; init; } = 256 * 1024;

    /// <summary>Size at which a chunk is closed and the next one begins.</summary>
    /// <value>Default 4 MiB.</value>
    public long ChunkBytes { get; init; } = 4 << 20;

    /// <summary>Largest result with disposition <c>INLINE</c>; the message of the failure names it.</summary>
    /// <value>Default 26,214,400 bytes (25 MiB), as recorded of the real platform (ucx issue 3447).</value>
    public long InlineBytes { get; init; } = 26_214_400;

    /// <summary>Largest result of one statement; larger ones come truncated, as with an explicit <c>byte_limit</c>.</summary>
    /// <value>Default 512 MiB (the real default of <c>EXTERNAL_LINKS</c> is 100 GiB).</value>
    public long MaxResultBytes { get; init; } = 512L << 20;

    /// <summary>All results together; the oldest finished ones are forgotten to stay below.</summary>
    /// <value>Default 2 GiB, on disk.</value>
    public long MaxSpooledBytes { get; init; } = 2L << 30;

    /// <summary>How long a finished statement can be polled and fetched.</summary>
    /// <value>Default 12 hours.</value>
    public TimeSpan Retention { get; init; } = TimeSpan.FromHours(12);

    /// <summary>How long a presigned link works.</summary>
    /// <value>Default 900 seconds, as recorded.</value>
    public TimeSpan LinkLifetime { get; init; } = TimeSpan.FromSeconds(900);
}
