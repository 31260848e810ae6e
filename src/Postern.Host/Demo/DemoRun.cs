using System.Diagnostics;
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
        if (fresh && state.Exists)
            state.Delete(recursive: true);
        Directory.CreateDirectory(Path.Combine(state.FullName, "data"));
        Directory.CreateDirectory(Path.Combine(state.FullName, "sandbox"));
        Environment.SetEnvironmentVariable("POSTERN__STORE__CONNECTIONSTRING", "Data Source=" + Path.Combine(state.FullName, "data", "postern.db"));
        Environment.SetEnvironmentVariable("POSTERN__KEYSTORE__DIRECTORY", Path.Combine(state.FullName, "keys"));
        Environment.SetEnvironmentVariable("POSTERN__TENANTS__SKYLINE__WORKBOOKS__0", ServeCommand.Locate("samples/workbooks"));
        if (Configured.Read(new FileInfo(Path.Combine(AppContext.BaseDirectory, "Demo", "postern.demo.json")), error) is not { } settings)
            return Configured.BadConfiguration;

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var sandbox = Start("Postern.Sandbox", "postern-sandbox", state, "serve", "--port", "7310", "--data", Path.Combine(state.FullName, "sandbox"),
            "--access-token-seconds", accessTokenSeconds.ToString(System.Globalization.CultureInfo.InvariantCulture));
        using var skyline = Start("Skyline", "skyline", state);
        var ended = WatchAsync(stop, error, ("The sandbox", sandbox), ("Skyline", skyline));
        try
        {
            await Task.WhenAll(
                AnswersAsync(new Uri("http://127.0.0.1:7310/oidc/.well-known/openid-configuration"), stop.Token),
                AnswersAsync(new Uri("http://127.0.0.1:7320/healthz/ready"), stop.Token));
            return await ServeCommand.RunAsync(settings, ServeCommand.Locate("web/dist"), settings.PublicOrigin, () => Announce(output, settings), error, stop.Token);
        }
        catch (OperationCanceledException)
        {
            return cancellation.IsCancellationRequested ? Configured.Ok : Configured.Failed;
        }
        finally
        {
            await stop.CancelAsync();
            Stop(sandbox);
            Stop(skyline);
            await ended;
        }
    }

    private static void Announce(TextWriter output, PosternSettings settings)
    {
        output.WriteLine($"Skyline   http://127.0.0.1:7320   start here: sign in as ana, ben or chloe");
        output.WriteLine($"Postern   {settings.PublicOrigin.GetLeftPart(UriPartial.Authority)}   the portal: my connections, revoke");
        output.WriteLine($"sandbox   http://127.0.0.1:7310   authorization servers and the data platform");
    }

    private static Process Start(string project, string executable, DirectoryInfo state, params string[] arguments)
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
        start.ArgumentList.Add(Environment.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture));
        start.Environment["POSTERN_SANDBOX_DATA"] = ServeCommand.Locate("web/node_modules/vega-datasets/data");
        start.Environment["SKYLINE__EMBEDSECRETS__SKYLINE"] = "demo-embed-secret-skyline";
        start.Environment["SKYLINE__EMBEDSECRETS__SKYLINE-PARTNERS"] = "demo-embed-secret-partners";
        return Process.Start(start) ?? throw new InvalidOperationException($"{executable} did not start.");
    }

    private static async Task WatchAsync(CancellationTokenSource stop, TextWriter error, params (string Name, Process Process)[] children)
    {
        var exits = children.Select(child => child.Process.WaitForExitAsync(stop.Token)).ToList();
        var first = await Task.WhenAny(exits);
        if (stop.IsCancellationRequested)
            return;
        var (name, process) = children[exits.IndexOf(first)];
        await error.WriteLineAsync($"{name} ended by itself with exit code {process.ExitCode}; the demo stops.");
        await stop.CancelAsync();
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

    private static void Stop(Process process)
    {
        try
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It ended in this moment.
        }
    }
}
