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
        var command = new Command("serve", "Runs the gateway.") { config, listen, frontEnd };
        command.SetAction(async (result, cancellation) =>
        {
            var error = result.InvocationConfiguration.Error;
            if (Configured.Read(result.GetValue(config), error) is not { } settings)
                return Configured.BadConfiguration;
            return await RunAsync(settings, result.GetValue(frontEnd)!, result.GetValue(listen) ?? settings.PublicOrigin,
                () => result.InvocationConfiguration.Output.WriteLine($"Postern is ready at {settings.PublicOrigin}"), error, cancellation);
        });
        return command;
    }

    private static Option<Uri?> ListenOption() => new("--listen")
    {
        Description = "The address to listen on. Default: PublicOrigin.",
        CustomParser = argument =>
        {
            if (Uri.TryCreate(argument.Tokens[0].Value, UriKind.Absolute, out var address) && (address.Scheme == Uri.UriSchemeHttp || address.Scheme == Uri.UriSchemeHttps))
                return address;
            argument.AddError("--listen is an address such as http://127.0.0.1:7300.");
            return null;
        },
    };

    public static Option<string> FrontEndOption() => new("--front-end")
    {
        Description = "The folder of the built front end.",
        DefaultValueFactory = _ => Locate("web/dist"),
    };

    private static Option<Uri?> ListenOption() => new("--listen")
    {
        Description = "The address to listen on, such as http://localhost:8080. Default: PublicOrigin.",
        CustomParser = argument =>
        {
            var text = argument.Tokens[0].Value;
            if (Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is ("http" or "https") && address.PathAndQuery == "/")
                return address;
            argument.AddError($"--listen: '{text}' is no address to listen on. Write scheme, host and port, such as http://localhost:8080.");
            return null;
        },
    };

    /// <summary>Migrates, seeds and serves until it is told to stop.</summary>
    public static async Task<int> RunAsync(
        PosternSettings settings, string frontEnd, Uri listen, Action ready, TextWriter error, CancellationToken cancellation)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(settings.Store.File)!);
            await using var app = PosternApplication.Build(settings, frontEnd, listen);
            await app.Services.GetRequiredService<PosternStore>().MigrateAsync(cancellation);
            var charts = ChartCompiler.FromFile(Path.Combine(frontEnd, "vega-lite.iife.js"));
            await new Seeding(app.Services.GetRequiredService<DefinitionBook>(), new WorkbookPublisher(charts)).SeedAsync(settings, cancellation);
            await app.StartAsync(cancellation);
            ready();
            await app.WaitForShutdownAsync(cancellation);
            return Configured.Ok;
        }
        catch (Exception known) when (known is WorkbookException or InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            await error.WriteLineAsync(known.Message);
            return Configured.Failed;
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
