using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Jint;
using Jint.Runtime;

namespace Postern.Gateway.Workbooks;

/// <summary>
/// Compiles Vega-Lite to Vega at publish, so that browsers need no compiler and no expression ever becomes code there. The compiler is the
/// Vega-Lite bundle of the web build, run by an interpreter without access to .NET, files or network.
/// </summary>
/// <remarks>
/// Limits for one chart: 10 seconds, 256 MB allocated, 400 calls deep. An interpreter that hit one is thrown away. Loading the bundle takes
/// about two seconds, once; results are kept by the hash of the input.
/// </remarks>
public sealed class ChartCompiler : IDisposable
{
    private const int DefaultHeight = 240;
    private const long MemoryLimit = 256L * 1024 * 1024;
    private const int KeptResults = 1_000;

    // Vega-Lite clones its input with structuredClone and reports through a logger; warnings are problems here, told to the author.
    private const string Prelude = """
        globalThis.structuredClone = function clone(value) {
          if (Array.isArray(value)) return value.map(clone);
          if (value === null || typeof value !== 'object') return value;
          const copy = {};
          for (const key of Object.keys(value)) copy[key] = clone(value[key]);
          return copy;
        };
        globalThis.console = { log() {}, info() {}, warn() {}, error() {}, debug() {} };
        """;

    private const string Entry = """
        globalThis.posternCompile = function (text) {
          const messages = [];
          const logger = {
            level() { return this; },
            error(...parts) { messages.push(parts.join(' ')); return this; },
            warn(...parts) { messages.push(parts.join(' ')); return this; },
            info() { return this; },
            debug() { return this; },
          };
          const compiled = vegaLite.compile(JSON.parse(text), { logger });
          return JSON.stringify({ vega: compiled.spec, messages });
        };
        """;

    private readonly ConcurrentDictionary<string, ChartResult> results = new(StringComparer.Ordinal);
    private readonly Lock gate = new();
    private readonly Func<string> script;
    private readonly TimeSpan timeLimit;
    private Engine? engine;

    /// <summary>A compiler over the text of the <c>vega-lite.iife.js</c> bundle; read when the first chart needs it.</summary>
    /// <param name="script">Reads the bundle.</param>
    /// <param name="timeLimit">How long one chart, or loading the bundle, may take; 10 seconds by default.</param>
    public ChartCompiler(Func<string> script, TimeSpan? timeLimit = null)
    {
        this.script = script;
        this.timeLimit = timeLimit ?? TimeSpan.FromSeconds(10);
    }

    /// <summary>A compiler over the bundle file that the web build makes.</summary>
    /// <exception cref="InvalidOperationException">There is no such file. Its message says how to make it.</exception>
    public static ChartCompiler FromFile(string path) => File.Exists(path)
        ? new(() => File.ReadAllText(path))
        : throw new InvalidOperationException($"The front end is not built: {path} is missing. Run npm ci and npm run build in web/, or start with ./run.");

    /// <summary>Compiles one chart whose author's form passed <see cref="ChartRules.Check"/>; problems have paths below the chart.</summary>
    internal (CompiledChart? Chart, IReadOnlyList<ChartProblem> Problems) Compile(JsonObject lite)
    {
        var input = Prepare(lite).ToJsonString();
        var key = Sha256.Hex(input);
        if (!results.TryGetValue(key, out var result))
        {
            result = Run(input);
            if (results.Count < KeptResults)
                results[key] = result;
        }
        return (result.Chart, result.Problems);
    }

    private static JsonObject Prepare(JsonObject lite)
    {
        var spec = lite.DeepClone().AsObject();
        spec.Remove("$schema");
        spec["data"] = new JsonObject { ["name"] = "rows" };
        // A single view fills its tile; composed views size their parts themselves.
        if (!new[] { "hconcat", "vconcat", "concat", "repeat", "facet" }.Any(spec.ContainsKey))
        {
            spec.TryAdd("width", "container");
            spec.TryAdd("height", DefaultHeight);
            spec.TryAdd("autosize", new JsonObject { ["type"] = "fit", ["contains"] = "padding" });
        }
        // Of crowded names on an axis some are left out rather than printed over one another; the author may decide otherwise.
        if (spec.TryAdd("config", new JsonObject()) || spec["config"] is JsonObject)
        {
            var config = spec["config"]!.AsObject();
            config.TryAdd("axisDiscrete", new JsonObject { ["labelOverlap"] = "greedy" });
            config.TryAdd("axisBand", new JsonObject { ["labelOverlap"] = "greedy" });
        }
        return spec;
    }

    private ChartResult Run(string input)
    {
        string output;
        lock (gate)
        {
            try
            {
                engine ??= Load();
                engine.Constraints.Reset();
                output = engine.Invoke("posternCompile", input).AsString();
            }
            catch (JavaScriptException e)
            {
                return Failed($"Vega-Lite refuses it: {Clip(e.Message)}");
            }
            catch (Exception e) when (e is TimeoutException or MemoryLimitExceededException or RecursionDepthOverflowException or StatementsCountOverflowException)
            {
                engine?.Dispose();
                engine = null;
                return Failed("It takes too long or too much memory to compile.");
            }
        }
        using var document = JsonDocument.Parse(output);
        var messages = document.RootElement.GetProperty("messages").EnumerateArray().Select(message => message.GetString() ?? "").ToList();
        if (messages.Count > 0)
            return new(null, [.. messages.Select(message => new ChartProblem("", $"Vega-Lite warns: {Clip(message)}", "Correct the chart until nothing is left to warn about."))]);

        var vega = JsonNode.Parse(document.RootElement.GetProperty("vega").GetRawText())!.AsObject();
        vega.Remove("$schema");
        if (ChartRules.CheckCompiled(vega) is { Count: > 0 } problems)
            return new(null, problems);
        var text = vega.ToJsonString();
        return new(new(Sha256.Hex(text), text), []);
    }

    private Engine Load()
    {
        var fresh = new Engine(options => options
            .LimitMemory(MemoryLimit)
            .TimeoutInterval(timeLimit)
            .LimitRecursion(400)
            .Strict());
        fresh.Execute(Prelude);
        fresh.Execute(script());
        fresh.Execute(Entry);
        return fresh;
    }

    private static ChartResult Failed(string problem) => new(null, [new("", problem, "Correct the chart; try it in the Vega-Lite editor with sample rows.")]);

    private static string Clip(string text) => text.Length <= 300 ? text : text[..300] + "…";

    /// <summary>Lets the interpreter go.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            engine?.Dispose();
            engine = null;
        }
    }

    private sealed record ChartResult(CompiledChart? Chart, IReadOnlyList<ChartProblem> Problems);
}
