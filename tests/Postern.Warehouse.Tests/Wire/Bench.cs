using System.Collections.Immutable;
using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using Apache.Arrow.Types;
using Microsoft.Extensions.Logging;
using Postern.Model;
using Postern.Warehouse.Databricks;

namespace Postern.Warehouse.Tests.Wire;

/// <summary>A workspace, a driver against it, and the sentences the two exchange.</summary>
public sealed class Bench : IAsyncDisposable
{
    public const string Id = "01f0aa11-2222-1333-8444-555566667777";
    public const string Execute = "POST /api/2.0/sql/statements";
    public const string Poll = $"GET /api/2.0/sql/statements/{Id}";
    public const string Cancel = $"POST /api/2.0/sql/statements/{Id}/cancel";

    private readonly HttpMessageInvoker http = new(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false });

    private Bench(FakeWorkspace workspace, DatabricksOptions options)
    {
        Workspace = workspace;
        Driver = new DatabricksDriver(_ => http, Clock, new SystemChance(), options, Log);
        Connection = new(
            TenantId.Parse("skyline"), ConnectionId.Parse("lakehouse"), "Lakehouse", "databricks", workspace.Endpoint, IdentityMode.User,
            IdentityMatch.Email,
            new("databricks", "https://issuer.example", "postern", null, ClientAuthentication.None, ["sql"]),
            new("demo0000warehouse", "main", "demo"));
    }

    public FakeWorkspace Workspace { get; }
    public DatabricksDriver Driver { get; }
    public Connection Connection { get; }
    public FakeBearers Bearers { get; } = new();
    public RecordingLog Log { get; } = new();
    public RecordingTime Clock { get; } = new();

    /// <summary>Quick repetitions; nothing that a slow machine could miss.</summary>
    public static DatabricksOptions Quick { get; } = new()
    {
        PollFirst = TimeSpan.FromMilliseconds(2), PollLongest = TimeSpan.FromMilliseconds(10),
        RetryFirst = TimeSpan.FromMilliseconds(2), Retries = 3,
    };

    public static async Task<Bench> StartAsync(DatabricksOptions? options = null) => new(await FakeWorkspace.StartAsync(), options ?? Quick);

    public Statement Statement(bool safeToRepeat = false) =>
        new(Connection, "SELECT n, name FROM t WHERE a = :a") { Parameters = [new("a", "secret-parameter")], SafeToRepeat = safeToRepeat };

    public Task<Outcome<RowStream>> RunAsync(Statement? statement = null, CancellationToken cancellation = default) =>
        Driver.RunAsync(statement ?? Statement(), Bearers, cancellation);

    public async Task<RowStream> RowsAsync(Statement? statement = null)
    {
        var outcome = await RunAsync(statement);
        Assert.True(outcome.TryGet(out var rows, out var why), why?.Code);
        return rows;
    }

    public async Task<Refusal> RefusalAsync(Statement? statement = null)
    {
        var outcome = await RunAsync(statement);
        Assert.False(outcome.TryGet(out _, out var why));
        return why;
    }

    /// <summary>Reads everything: the numbers of column <c>n</c>, and why it ended early, if it did.</summary>
    public static async Task<(List<long> Numbers, Refusal? Broken)> DrainAsync(RowStream rows)
    {
        var numbers = new List<long>();
        while (true)
        {
            if (!(await rows.ReadAsync(default)).TryGet(out var next, out var why))
                return (numbers, why);
            if (next.Batch is not { } batch)
                return (numbers, null);
            using (batch)
            {
                foreach (var n in ((Int64Array)batch.Column(0)).Values)
                    numbers.Add(n);
            }
        }
    }

    public static string Chunk(int index) => $"GET /api/2.0/sql/statements/{Id}/result/chunks/{index}";

    public static string State(string state) => $$$"""{"statement_id":"{{{Id}}}","status":{"state":"{{{state}}}"}}""";

    public static string Failed(string code, string message, string? sqlState = null) =>
        $$$"""{"statement_id":"{{{Id}}}","status":{"state":"FAILED","error":{"error_code":"{{{code}}}","message":"{{{message}}}"},"sql_state":"{{{sqlState}}}"}}""";

    /// <summary>A finished statement of chunks with the given row counts; the first link comes with it.</summary>
    public string Succeeded(int[] rowsOfChunks, string link = "/storage/0", long? total = null, bool truncated = false, string format = "ARROW_STREAM", string? expires = null, int? announced = null) =>
        string.Create(CultureInfo.InvariantCulture, $$"""
        {"statement_id":"{{Id}}","status":{"state":"SUCCEEDED"},
         "manifest":{"format":"{{format}}","schema":{"column_count":2,"columns":[
           {"name":"n","type_text":"BIGINT","type_name":"LONG","position":0},{"name":"name","type_text":"STRING","type_name":"STRING","position":1}]},
           "total_chunk_count":{{rowsOfChunks.Length}},"total_row_count":{{total ?? rowsOfChunks.Sum()}},"truncated":{{(truncated ? "true" : "false")}}},
         "result":{{Links(0, announced ?? rowsOfChunks[0], link, expires)}}}
        """);

    public string Links(int index, int rows, string link, string? expires = null) =>
        string.Create(CultureInfo.InvariantCulture, $$$"""
        {"external_links":[{"chunk_index":{{{index}}},"row_offset":0,"row_count":{{{rows}}},"byte_count":1,
          "external_link":"{{{(link[0] == '/' ? new Uri(Workspace.Endpoint, link) : link)}}}","expiration":"{{{expires ?? "2999-01-01T00:00:00Z"}}}",
          "http_headers":{"x-storage-key":"k1"}}]}
        """);

    /// <summary>An Arrow stream of batches of rows numbered from <paramref name="from"/>.</summary>
    public static byte[] Arrow(long from, params int[] batches)
    {
        var schema = new Schema([new Field("n", Int64Type.Default, true), new Field("name", StringType.Default, true)], null);
        using var stream = new MemoryStream();
        using var writer = new ArrowStreamWriter(stream, schema, leaveOpen: true);
        writer.WriteStart();
        foreach (var size in batches)
        {
            var numbers = new Int64Array.Builder();
            var names = new StringArray.Builder();
            for (var i = 0; i < size; i++, from++)
            {
                numbers.Append(from);
                names.Append("row " + from.ToString(CultureInfo.InvariantCulture));
            }
            writer.WriteRecordBatch(new RecordBatch(schema, [numbers.Build(), names.Build()], size));
        }
        writer.WriteEnd();
        return stream.ToArray();
    }

    public static IEnumerable<long> Numbers(int count) => Enumerable.Range(0, count).Select(i => (long)i);

    public async ValueTask DisposeAsync()
    {
        await Workspace.DisposeAsync();
        http.Dispose();
        // Whatever a test did: no token, link or parameter may have been logged.
        foreach (var line in Log.Lines)
        {
            Assert.DoesNotContain(FakeBearers.TokenMark, line, StringComparison.Ordinal);
            Assert.DoesNotContain("/storage/", line, StringComparison.Ordinal);
            Assert.DoesNotContain("secret-", line, StringComparison.Ordinal);
        }
        // The bearer goes to the API and nowhere else.
        Assert.All(Workspace.Requests, r =>
            Assert.Equal(r.Call.Contains("/api/", StringComparison.Ordinal), r.Authorization?.StartsWith("Bearer " + FakeBearers.TokenMark, StringComparison.Ordinal) ?? false));
    }
}

/// <summary>Real time that remembers how long was waited for, and waits at most a moment.</summary>
public sealed class RecordingTime : TimeProvider
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(5);

    public System.Collections.Concurrent.ConcurrentQueue<TimeSpan> Waits { get; } = new();

    /// <summary>Waits of these lengths are shortened; all others, such as deadlines, keep theirs.</summary>
    public HashSet<TimeSpan> Shorten { get; } = [];

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime > TimeSpan.Zero)
            Waits.Enqueue(dueTime);
        return System.CreateTimer(callback, state, Shorten.Contains(dueTime) ? LongestWait : dueTime, period);
    }
}

/// <summary>A log that keeps its lines.</summary>
public sealed class RecordingLog : ILogger<DatabricksDriver>
{
    public System.Collections.Concurrent.ConcurrentQueue<string> Lines { get; } = new();

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Lines.Enqueue(formatter(state, exception) + exception);
}
