using System.Text.Json.Nodes;
using Postern.Gateway.Workbooks;

namespace Postern.Gateway.Tests.Workbooks;

public sealed class ChartTests
{
    private const string Line = """{"$schema":"https://vega.github.io/schema/vega-lite/v6.json","mark":"line","encoding":{"x":{"field":"bucket","type":"temporal"},"y":{"field":"amount","type":"quantitative"}}}""";

    [Theory]
    [InlineData("""{"mark":"bar","data":{"values":[1]}}""", ".data")]
    [InlineData("""{"mark":"bar","data":{"url":"x.csv"}}""", ".data")]
    [InlineData("""{"mark":"bar","DATA":{"url":"x.csv"}}""", ".DATA")]
    [InlineData("""{"mark":"bar","datasets":{"a":[1]}}""", ".datasets")]
    [InlineData("""{"mark":"bar","usermeta":{"embedOptions":{}}}""", ".usermeta")]
    [InlineData("""{"layer":[{"mark":"bar","data":{"name":"rows"}}]}""", ".layer[0].data")]
    [InlineData("""{"mark":"bar","transform":[{"lookup":"a","from":{"data":{"url":"x"},"key":"a"}}]}""", ".transform[0].from.data")]
    [InlineData("""{"mark":"bar","encoding":{"href":{"field":"a"}}}""", ".encoding.href")]
    [InlineData("""{"mark":"bar","encoding":{"url":{"field":"a"}}}""", ".encoding.url")]
    [InlineData("""{"mark":{"type":"bar","href":"x"}}""", ".mark.href")]
    [InlineData("""{"mark":"image"}""", ".mark")]
    [InlineData("""{"mark":{"type":"image","aspect":true}}""", ".mark.type")]
    [InlineData("""{"mark":"GeoShape"}""", ".mark")]
    [InlineData("""{"mark":"bar","projection":{"type":"mercator"}}""", ".projection")]
    [InlineData("""{"mark":"bar","encoding":{"color":{"value":" JavaScript:alert(1)"}}}""", ".encoding.color.value")]
    [InlineData("""{"mark":"bar","title":"https://elsewhere.example"}""", ".title")]
    [InlineData("""{"mark":"bar","config":{"background":"//elsewhere.example/x.png"}}""", ".config.background")]
    [InlineData("""{"mark":"bar","params":[{"name":"p","bind":{"input":"text"}}]}""", ".params[0].bind")]
    [InlineData("""{"mark":"bar","params":[{"name":"p","bind":{"element":"#x"}}]}""", ".params[0].bind.element")]
    [InlineData("""{"layer":[{"$schema":"x","mark":"bar"}]}""", ".layer[0].$schema")]
    public void Check_WhatLoadsLinksOrLeavesTheChart_IsRefused(string spec, string path)
    {
        var problems = ChartRules.Check(Spec(spec));

        Assert.Contains(problems, problem => problem.Path == path);
        Assert.All(problems, problem => Assert.NotEmpty(problem.Remedy));
    }

    [Theory]
    [InlineData("""{"data":[{"name":"rows","url":"x"}]}""")]
    [InlineData("""{"marks":[{"type":"image"}]}""")]
    [InlineData("""{"marks":[{"type":"rect","encode":{"update":{"href":{"value":"x"}}}}]}""")]
    [InlineData("""{"projections":[{"name":"p"}]}""")]
    [InlineData("""{"signals":[{"name":"s","bind":{"input":"range"}}]}""")]
    public void CheckCompiled_WhatLoadsOrLinks_IsRefused(string vega) => Assert.NotEmpty(ChartRules.CheckCompiled(Spec(vega)));

    [Fact]
    public void Check_GiantChart_IsRefused() =>
        Assert.Contains(ChartRules.Check(new JsonObject { ["layer"] = new JsonArray([.. Enumerable.Range(0, 6_000).Select(i => JsonValue.Create(i))]) }),
            problem => problem.Problem.Contains("parts", StringComparison.Ordinal));

    [Fact]
    public void Compile_Line_BecomesVegaOverTheRows()
    {
        var (chart, problems) = VegaLiteBundle.Compiler.Compile(Spec(Line));

        Assert.Empty(problems);
        var vega = Spec(chart!.Vega);
        Assert.Contains(vega["data"]!.AsArray(), data => (string?)data!["name"] == "rows");
        Assert.DoesNotContain(vega["data"]!.AsArray(), data => data!.AsObject().ContainsKey("url") || data!.AsObject().ContainsKey("values"));
        Assert.False(vega.ContainsKey("$schema"));
        Assert.Equal("fit", (string?)vega["autosize"]!["type"]);
        Assert.Contains("\"line\"", chart.Vega, StringComparison.Ordinal);
        Assert.Equal(64, chart.Hash.Length);
    }

    [Fact]
    public void Compile_SameChartTwice_IsTheSameResult()
    {
        var compiler = VegaLiteBundle.Compiler;

        Assert.Same(compiler.Compile(Spec(Line)).Chart, compiler.Compile(Spec(Line)).Chart);
    }

    [Theory]
    [InlineData("""{"mark":"zigzag","encoding":{"x":{"field":"a"}}}""")]
    [InlineData("""{"encoding":{"x":{"field":"a","type":"quantitative"}}}""")]
    [InlineData("""{"mark":"bar","encoding":{"nowhere":{"field":"a","type":"nominal"}}}""")]
    public void Compile_ChartThatMakesNoSense_IsAProblemWithRemedy(string spec)
    {
        var (chart, problems) = VegaLiteBundle.Compiler.Compile(Spec(spec));

        Assert.Null(chart);
        Assert.All(problems, problem => Assert.NotEmpty(problem.Remedy));
        Assert.NotEmpty(problems);
    }

    [Theory]
    [InlineData("while (true) {}")]
    [InlineData("const a = []; while (true) a.push('x'.repeat(100000) + a.length);")]
    [InlineData("(function f() { f(); })();")]
    public void Compile_CompilerThatRunsAway_IsStopped(string body)
    {
        using var compiler = new ChartCompiler(() => $"var vegaLite = {{ compile() {{ {body} }} }};", TimeSpan.FromMilliseconds(500));

        var (chart, problems) = compiler.Compile(Spec(Line));

        Assert.Null(chart);
        Assert.Contains("too long or too much", Assert.Single(problems).Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("System")]
    [InlineData("importNamespace")]
    [InlineData("require")]
    [InlineData("process")]
    [InlineData("fetch")]
    [InlineData("XMLHttpRequest")]
    public void Compile_CompilerThatLooksForTheMachine_FindsNothing(string name)
    {
        using var compiler = new ChartCompiler(() => $"var vegaLite = {{ compile() {{ return {{ spec: {{ found: typeof {name} }} }}; }} }};");

        Assert.Equal("""{"found":"undefined"}""", compiler.Compile(Spec(Line)).Chart?.Vega);
    }

    [Fact]
    public void Publish_ChartWithAddress_IsRefusedWithItsPath()
    {
        var text = Fixtures.Changed(Fixtures.Delays, "value: {field: flights}", "describe: d, chart: {mark: bar, encoding: {url: {field: flights}}}");

        var problem = Assert.Single(WorkbookReader.Read(text).Problems);

        Assert.Equal("pages[0].rows[0][0].chart.encoding.url", problem.Path);
    }

    private static JsonObject Spec(string json) => JsonNode.Parse(json)!.AsObject();
}
