using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Postern.Host.Cli;
using Postern.Host.Configuration;

namespace Postern.Host.Tests.Cli;

/// <summary><c>postern serve</c> in this process, without anybody who looks; and the executable as a process.</summary>
public sealed class ServeTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Serve_Ready_AnswersUntilItIsToldToStop()
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        using var error = new StringWriter();
        var listen = new Uri($"http://127.0.0.1:{FreePort()}");
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        var serving = ServeCommand.RunAsync(Settings(), Given.FrontEnd(folder), listen, ready.SetResult, error, stop.Token);
        await Task.WhenAny(ready.Task, serving);
        Assert.True(ready.Task.IsCompletedSuccessfully, error.ToString());
        using var http = new HttpClient { BaseAddress = listen };
        var live = await http.GetStringAsync(new Uri("/healthz/live", UriKind.Relative), stop.Token);
        var unknownHost = await http.GetAsync(new Uri("/", UriKind.Relative), stop.Token);
        await stop.CancelAsync();

        Assert.Equal("live", live);
        Assert.Equal(HttpStatusCode.NotFound, unknownHost.StatusCode);
        Assert.Equal(0, await serving);
        Assert.Empty(error.ToString());
    }

    [Fact]
    public async Task Serve_PortInUse_SaysSoInOneSentence()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();

        var ran = await ServeAsync("--listen", $"http://127.0.0.1:{((IPEndPoint)taken.LocalEndpoint).Port}");

        Assert.Equal(1, ran.Code);
        Assert.Equal("The address to listen on is taken by another program. Stop that program, or choose another address with --listen.", ran.Error.Trim());
        Assert.Empty(ran.Output);
    }

    [Fact]
    public async Task Serve_StoreThatCannotBeUsed_SaysSoInOneSentence()
    {
        folder.Write("data/postern.db", new string('x', 8192));

        var ran = await ServeAsync("--listen", "http://127.0.0.1:0");

        Assert.Equal(1, ran.Code);
        Assert.StartsWith($"The store {folder.In("data/postern.db")} cannot be used", ran.Error, StringComparison.Ordinal);
        Assert.Single(ran.Error.Trim().Split('\n'));
    }

    [Fact]
    public async Task Serve_NoFrontEnd_SaysHowToBuildIt()
    {
        var ran = await ServeAsync("--listen", "http://127.0.0.1:0", "--front-end", folder.In("absent"));

        Assert.Equal(1, ran.Code);
        Assert.Contains("The front end is not built", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_HttpsOriginWithoutListen_AsksForTheProxysAddress()
    {
        var configuration = Given.Demo(folder);
        configuration.Set("Postern:PublicOrigin", "https://analytics.example");

        var ran = await Verb.RunAsync("serve", "--config", folder.Write("postern.json", configuration.ToJsonString()), "--front-end", Given.FrontEnd(folder));

        Assert.Equal(1, ran.Code);
        Assert.Contains("--listen http://127.0.0.1:8080", ran.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("https://127.0.0.1:7300")]
    [InlineData("http://127.0.0.1:7300/path")]
    public async Task Serve_ListenThatIsNoAddress_IsRefused(string listen)
    {
        var ran = await ServeAsync("--listen", listen);

        Assert.Equal(1, ran.Code);
        Assert.Contains("--listen is no address to listen on", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_WorkbookThatCannotBePublished_NamesFileAndProblems()
    {
        var configuration = Given.Demo(folder);
        var file = folder.Write("broken.workbook.yaml", "workbook: broken\nschema: 1\n");
        configuration.Set(Given.Skyline + ":Workbooks", new JsonArray(file));

        var ran = await Verb.RunAsync(
            "serve", "--config", folder.Write("postern.json", configuration.ToJsonString()), "--front-end", Given.FrontEnd(folder), "--listen", "http://127.0.0.1:0");

        Assert.Equal(1, ran.Code);
        Assert.StartsWith($"{file} cannot be published:", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Executable_WithAnOverrideInTheEnvironment_UsesIt()
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in new[] { Path.Combine(AppContext.BaseDirectory, "postern.dll"), "redirects", "--config", Config() })
            start.ArgumentList.Add(argument);
        start.Environment["POSTERN__PUBLICORIGIN"] = "https://analytics.example";
        start.Environment["postern__tenants__SKYLINE__Hosts__0"] = "analytics.example";

        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.True(process.ExitCode == 0, await error);
        Assert.Contains("https://analytics.example/sign-in/callback", output, StringComparison.Ordinal);
        Assert.DoesNotContain("localhost", output, StringComparison.Ordinal);
    }

    private Task<Ran> ServeAsync(params string[] options)
    {
        string[] frontEnd = options.Contains("--front-end") ? [] : ["--front-end", Given.FrontEnd(folder)];
        return Verb.RunAsync(["serve", "--config", Config(), .. frontEnd, .. options]);
    }

    private string Config() => folder.Write("postern.json", Given.Demo(folder).ToJsonString());

    private PosternSettings Settings() => Given.Read(Given.Demo(folder)).Settings!;

    private static string FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
    }
}
