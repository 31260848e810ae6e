using System.Diagnostics;
using System.Globalization;
using Postern.Host.Cli;
using Postern.Host.Configuration;

namespace Postern.Host.Demo;

/// <summary>
/// The demo in the foreground. Children get this process's id and end when it does, however it ends; when one of them ends by itself,
/// so does the demo, and says so.
/// </summary>
internal static class DemoRun
{
    private static readonly TimeSpan StartWithin = TimeSpan.FromSeconds(60);

    public static async Task<int> RunAsync(
        DirectoryInfo state, bool fresh, int accessTokenSeconds, TextWriter output, TextWriter error, CancellationToken cancellation)
    {
        // Only what the demo itself makes: the folder is the user's choice and may hold other things.
        foreach (var part in new[] { "data", "keys", "sandbox" }.Select(name => Path.Combine(state.FullName, name)).Where(part => fresh && Directory.Exists(part)))
            Directory.Delete(part, recursive: true);
        Directory.CreateDirectory(Path.Combine(state.FullName, "data"));
        Directory.CreateDirectory(Path.Combine(state.FullName, "sandbox"));
        Environment.SetEnvironmentVariable("POSTERN__STORE__CONNECTIONSTRING", "Data Source=" + Path.Combine(state.FullName, "data", "postern.db"));
        Environment.SetEnvironmentVariable("POSTERN__KEYSTORE__DIRECTORY", Path.Combine(state.FullName, "keys"));
        Environment.SetEnvironmentVariable("POSTERN__TENANTS__SKYLINE__WORKBOOKS__0", ServeCommand.Locate("samples/workbooks"));
        if (Configured.Read(new FileInfo(Path.Combine(AppContext.BaseDirectory, "Demo", "postern.demo.json")), error) is not { } settings)
            return Configured.BadConfiguration;

        return await Configured.GuardAsync(settings, error, () => RunAsync(settings, state, accessTokenSeconds, output, error, cancellation));
    }

    private static async Task<int> RunAsync(
        PosternSettings settings, DirectoryInfo state, int accessTokenSeconds, TextWriter output, TextWriter error, CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        await using var children = new Children(stop, error);
        try
        {
            children.Start("The sandbox", Command("Postern.Sandbox", "postern-sandbox", "serve", "--port", "7310", "--data", Path.Combine(state.FullName, "sandbox"),
                "--access-token-seconds", accessTokenSeconds.ToString(CultureInfo.InvariantCulture)));
            children.Start("Skyline", Command("Skyline", "skyline"));
            await Task.WhenAll(
                AnswersAsync(new Uri("http://127.0.0.1:7310/oidc/.well-known/openid-configuration"), stop.Token),
                AnswersAsync(new Uri("http://127.0.0.1:7320/healthz/ready"), stop.Token));
            var code = await ServeCommand.RunAsync(settings, ServeCommand.Locate("web/dist"), settings.PublicOrigin, () => Announce(output, settings), error, stop.Token);
            return children.OneFailed ? Configured.Failed : code;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return children.OneFailed ? Configured.Failed : Configured.Ok;
        }
    }

    private static void Announce(TextWriter output, PosternSettings settings)
    {
        output.WriteLine($"Skyline   http://127.0.0.1:7320   start here: sign in as ana, ben or chloe");
        output.WriteLine($"Postern   {settings.PublicOrigin.GetLeftPart(UriPartial.Authority)}   the portal: my connections, revoke");
        output.WriteLine($"sandbox   http://127.0.0.1:7310   authorization servers and the data platform");
    }

    private static ProcessStartInfo Command(string project, string executable, params string[] arguments)
    {
        // Beside this project's output in a checkout, beside this executable in a distribution.
        var configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        var inCheckout = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", project, configuration, executable + ".dll"));
        var file = File.Exists(inCheckout) ? inCheckout : Path.Combine(AppContext.BaseDirectory, executable + ".dll");
        if (!File.Exists(file))
            throw new InvalidOperationException($"{executable} is not built: {inCheckout} is missing. Start the demo with ./run.");
        var start = new ProcessStartInfo("dotnet") { WorkingDirectory = Path.GetDirectoryName(file) };
        start.ArgumentList.Add(file);
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        start.ArgumentList.Add("--parent-pid");
        start.ArgumentList.Add(Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        start.Environment["POSTERN_SANDBOX_DATA"] = ServeCommand.Locate("web/node_modules/vega-datasets/data");
        start.Environment["SKYLINE__EMBEDSECRETS__SKYLINE"] = "demo-embed-secret-skyline";
        start.Environment["SKYLINE__EMBEDSECRETS__SKYLINE-PARTNERS"] = "demo-embed-secret-partners";
        return start;
    }

    private static async Task AnswersAsync(Uri address, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(StartWithin);
#pragma warning disable RS0030 // The demo asks its own children on loopback whether they are up.
        using var http = new HttpClient();
#pragma warning restore RS0030
        while (true)
        {
            try
            {
                using var response = await http.GetAsync(address, patience.Token);
                if (response.IsSuccessStatusCode)
                    return;
            }
            catch (HttpRequestException)
            {
                // Not up yet.
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                throw new InvalidOperationException($"{address} did not answer within {StartWithin.TotalSeconds:0} seconds. Is its port taken by another program?");
            }
            await Task.Delay(100, cancellation);
        }
    }
}
