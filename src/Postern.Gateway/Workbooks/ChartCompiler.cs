namespace Postern.Gateway.Workbooks;

/// <summary>Compiles Vega-Lite to Vega.</summary>
public sealed class ChartCompiler
{
    private readonly Func<string> script;

    /// <summary>A compiler over the text of the <c>vega-lite.iife.js</c> bundle; read when the first chart needs it.</summary>
    public ChartCompiler(Func<string> script) => this.script = script;

    /// <summary>A compiler over the bundle file that the web build makes.</summary>
    public static ChartCompiler FromFile(string path) => new(() => File.ReadAllText(path));

    internal string Script => script();
}
