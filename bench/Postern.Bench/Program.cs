using System.Diagnostics;
using System.Globalization;
using System.Text;
using Postern.Bench;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;
using Postern.TestDatabases;

// First figures: Postern against the same statements sent straight to the platform, interleaved in one run, so that the ratio
// stands whatever else the machine does. Prints Markdown; bench/README.md says how to read and keep it.

const string Small = "SELECT count(*) AS n FROM airports";
const string Large = "SELECT date, delay, distance, origin, destination FROM flights LIMIT 1000000";
var rounds = args.Contains("--quick") ? 20 : 200;
var largeRounds = args.Contains("--quick") ? 1 : 5;
var report = new StringBuilder();

var starts = new List<double>();
await using var deployment = await Deployment.StartAsync();
for (var i = 0; i < 3; i++)
{
    await Deployment.StopAsync(deployment.Node);
    var began = Stopwatch.GetTimestamp();
    await deployment.StartNodeAsync();
    starts.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
}
var atStart = ResidentMegabytes(deployment.Node.Process.Id);

using var chloe = new Person(deployment, "chloe");
await chloe.SignInAsync();
await chloe.ConnectAsync();
var minted = await deployment.Sandbox.MintAsync("workspace", "chloe");
using var direct = new Direct(deployment.SandboxAddress, minted.GetProperty("access_token").GetString()!);

// A small query, alternately, after a warm-up.
var (throughPostern, straight) = (new List<double>(), new List<double>());
for (var i = 0; i < rounds + 20; i++)
{
    var viaPostern = await TimeAsync(() => PosternAsync(chloe, Small, "application/json"));
    var viaPlatform = await TimeAsync(() => direct.SmallAsync(Small));
    if (i < 20)
        continue;
    throughPostern.Add(viaPostern);
    straight.Add(viaPlatform);
}
var afterSmall = ResidentMegabytes(deployment.Node.Process.Id);

// A million rows, alternately: the platform's own Arrow, Postern as Arrow, Postern as JSON.
var (large, arrow, json) = (new List<double>(), new List<double>(), new List<double>());
var peaks = new List<double>();
long arrowBytes = 0, jsonBytes = 0;
for (var i = 0; i < largeRounds + 1; i++)
{
    var viaPlatform = await TimeAsync(() => direct.LargeAsync(Large));
    double viaArrow = 0, viaJson = 0;
    var peak = await PeakAsync(deployment.Node.Process.Id, async () =>
    {
        viaArrow = await TimeAsync(async () => arrowBytes = await PosternAsync(chloe, Large, "application/vnd.apache.arrow.stream"));
        viaJson = await TimeAsync(async () => jsonBytes = await PosternAsync(chloe, Large, "application/json"));
    });
    if (i == 0)
        continue;
    large.Add(viaPlatform);
    arrow.Add(viaArrow);
    json.Add(viaJson);
    peaks.Add(peak);
}

Line($"| what | Postern | straight to the platform | ratio |");
Line($"|---|---:|---:|---:|");
Line($"| small query, p50 ms ({rounds} each, alternating) | {Quantile(throughPostern, 0.5):0.0} | {Quantile(straight, 0.5):0.0} | {Quantile(throughPostern, 0.5) / Quantile(straight, 0.5):0.00} |");
Line($"| small query, p99 ms | {Quantile(throughPostern, 0.99):0.0} | {Quantile(straight, 0.99):0.0} | {Quantile(throughPostern, 0.99) / Quantile(straight, 0.99):0.00} |");
Line($"| 1,000,000 rows as Arrow, s (median of {largeRounds}; {arrowBytes / 1e6:0.0} MB) | {Quantile(arrow, 0.5) / 1000:0.00} | {Quantile(large, 0.5) / 1000:0.00} | {Quantile(arrow, 0.5) / Quantile(large, 0.5):0.00} |");
Line($"| 1,000,000 rows as JSON, s ({jsonBytes / 1e6:0.0} MB) | {Quantile(json, 0.5) / 1000:0.00} | {Quantile(large, 0.5) / 1000:0.00} (Arrow) | {Quantile(json, 0.5) / Quantile(large, 0.5):0.00} |");
Line($"");
Line($"| process of Postern | |");
Line($"|---|---:|");
Line($"| start to ready, database and keys there (median of {starts.Count}) | {Quantile(starts, 0.5):0} ms |");
Line($"| resident memory when ready | {atStart:0} MB |");
Line($"| after {rounds + 20} small queries | {afterSmall:0} MB |");
Line($"| highest while it streams a million rows, per round | {string.Join(", ", peaks.Select(peak => peak.ToString("0", CultureInfo.InvariantCulture)))} MB |");
Line($"");
Line($"| processes over one PostgreSQL, 16 queries at once | queries/s | p50 ms | p99 ms | Postern's processor time for each, ms | {Clusters.Renewals} renewals at the same moment, s until everybody was served (the server's cap alone: {Clusters.Floor:0.0}) |");
Line($"|---:|---:|---:|---:|---:|---:|");
foreach (var nodes in new[] { 1, 2, 4 })
{
    var figures = await Clusters.MeasureAsync(nodes, TimeSpan.FromSeconds(args.Contains("--quick") ? 3 : 15));
    Line($"| {figures.Nodes} | {figures.PerSecond:0} | {Quantile(figures.Milliseconds, 0.5):0.0} | {Quantile(figures.Milliseconds, 0.99):0.0} | {figures.ProcessorMilliseconds:0.0} | {figures.DrainSeconds:0.00} |");
}
await Servers.StopAsync();
Console.WriteLine(report);

void Line(FormattableString text) => report.AppendLine(FormattableString.Invariant(text));

static async Task<long> PosternAsync(Person person, string sql, string accept)
{
    using var response = await person.SqlAsync(sql, accept: accept);
    response.EnsureSuccessStatusCode();
    await using var stream = await response.Content.ReadAsStreamAsync();
    var buffer = new byte[1 << 16];
    long bytes = 0;
    int read;
    while ((read = await stream.ReadAsync(buffer)) > 0)
        bytes += read;
    return bytes;
}

static async Task<double> TimeAsync(Func<Task> work)
{
    var began = Stopwatch.GetTimestamp();
    await work();
    return Stopwatch.GetElapsedTime(began).TotalMilliseconds;
}

static async Task<double> PeakAsync(int process, Func<Task> work)
{
    var peak = 0.0;
    var running = work();
    while (!running.IsCompleted)
    {
        peak = Math.Max(peak, ResidentMegabytes(process));
        await Task.WhenAny(running, Task.Delay(50));
    }
    await running;
    return peak;
}

static double ResidentMegabytes(int process)
{
    using var found = Process.GetProcessById(process);
    return found.WorkingSet64 / 1e6;
}

static double Quantile(List<double> values, double q)
{
    var sorted = values.Order().ToList();
    return sorted[(int)Math.Min(sorted.Count - 1, Math.Floor(q * sorted.Count))];
}
