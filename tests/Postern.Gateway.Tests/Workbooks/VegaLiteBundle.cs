using Postern.Gateway.Workbooks;

namespace Postern.Gateway.Tests.Workbooks;

/// <summary>
/// The Vega-Lite bundle that the web build makes (<c>web/dist/vega-lite.iife.js</c>), or the one <c>POSTERN_VEGA_LITE</c> names.
/// One interpreter for all tests: loading it takes two seconds.
/// </summary>
internal static class VegaLiteBundle
{
    private static readonly string Path = Environment.GetEnvironmentVariable("POSTERN_VEGA_LITE") is { Length: > 0 } named
        ? named
        : System.IO.Path.Combine(Fixtures.Root(), "web", "dist", "vega-lite.iife.js");

    private static readonly Lazy<ChartCompiler> Shared = new(() => ChartCompiler.FromFile(Path));

    public static ChartCompiler Compiler
    {
        get
        {
            Assert.SkipUnless(File.Exists(Path), $"{Path} is missing: build the front end first (npm ci && npm run build in web/).");
            return Shared.Value;
        }
    }
}
