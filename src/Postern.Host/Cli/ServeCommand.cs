using System.CommandLine;
using Postern.Gateway.Workbooks;
using Postern.Grants.Definitions;
using Postern.Host.Composition;
using Postern.Host.Configuration;
using Postern.Store;

namespace Postern.Host.Cli;

/// <summary><c>postern serve</c>: the gateway, in the foreground.</summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        var config = Configured.ConfigOption();
        var listen = ListenOption();
        var frontEnd = FrontEndOption();
        var command = new Command("serve", "Runs the gateway in the foreground until it is told to stop (Ctrl-C, SIGTERM).") { config, listen, frontEnd };
        command.SetAction((result, cancellation) => Configured.RunAsync(result, config, (settings, output) => RunAsync(
            settings, result.GetValue(frontEnd)!, result.GetValue(listen) ?? settings.PublicOrigin,
            () => output.WriteLine($"Postern is ready at {settings.PublicOrigin.GetLeftPart(UriPartial.Authority)}"), result.InvocationConfiguration.Error, cancellation)));
        return command;
    }

    private static Option<Uri?> ListenOption() => new("--listen")
    {
        Description = "The address to listen on, plain http; a proxy in front ends TLS. Default: PublicOrigin.",
        CustomParser = result =>
        {
            if (Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out var address) && address.Scheme == Uri.UriSchemeHttp && address.PathAndQuery == "/")
                return address;
            result.AddError("--listen is no address to listen on. Write http://127.0.0.1:8080; TLS ends at a proxy in front.");
            return null;
        },
    };

    public static Option<string> FrontEndOption() => new("--front-end")
    {
        Description = "The folder of the built front end.",
        DefaultValueFactory = _ => Locate("web/dist"),
    };

    /// <summary>The compiler of charts in a built front end.</summary>
    /// <exception cref="InvalidOperationException">It is not built.</exception>
    public static ChartCompiler CompilerOf(string frontEnd) => ChartCompiler.FromFile(Path.Combine(frontEnd, "vega-lite.iife.js"));

    /// <summary>Migrates, seeds and serves until it is told to stop. What an operator can mend is told on <paramref name="error"/>.</summary>
    public static async Task<int> RunAsync(
        PosternSettings settings, string frontEnd, Uri listen, Action ready, TextWriter error, CancellationToken cancellation)
    {
        if (listen.Scheme != Uri.UriSchemeHttp)
        {
            await error.WriteLineAsync(
                $"Postern speaks plain http behind a proxy that ends TLS for {listen.GetLeftPart(UriPartial.Authority)}. " +
                "Name the address for that proxy, such as --listen http://127.0.0.1:8080.");
            return Configured.Failed;
        }
        return await Configured.GuardAsync(settings, error, async () =>
        {
            try
            {
                settings.Store.MakeFolder();
                await using var app = PosternApplication.Build(settings, frontEnd, listen);
                await app.Services.GetRequiredService<PosternStore>().MigrateAsync(cancellation);
                using var charts = CompilerOf(frontEnd);
                await new Seeding(app.Services.GetRequiredService<DefinitionBook>(), new WorkbookPublisher(charts)).SeedAsync(settings, cancellation);
                await StartAsync(app, cancellation);
                ready();
                await app.WaitForShutdownAsync(cancellation);
            }
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
                // Told to stop while it was starting.
            }
            return Configured.Ok;
        });
    }

    // Background work starts before the port is bound: when that fails, it ends in good order too.
    private static async Task StartAsync(WebApplication app, CancellationToken cancellation)
    {
        try
        {
            await app.StartAsync(cancellation);
        }
        catch
        {
            await app.StopAsync(CancellationToken.None);
            throw;
        }
    }

    /// <summary>A path of the checkout, from wherever the command runs within it; beside the executable otherwise.</summary>
    public static string Locate(string relative)
    {
        foreach (var start in new[] { Directory.GetCurrentDirectory(), AppContext.BaseDirectory })
        {
            for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
            {
                var candidate = Path.Combine(folder.FullName, relative);
                if (Path.Exists(candidate))
                    return candidate;
            }
        }
        return Path.Combine(AppContext.BaseDirectory, relative);
    }
}
