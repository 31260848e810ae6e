using System.CommandLine;
using Postern.Gateway.Workbooks;
using Postern.Grants.Definitions;
using Postern.Host.Composition;
using Postern.Store;

namespace Postern.Host.Cli;

/// <summary><c>postern workbook validate|publish</c>.</summary>
internal static class WorkbookCommand
{
    public static Command Create() => new("workbook", "Validates and publishes workbooks.") { Validate(), Publish() };

    private static Command Validate()
    {
        var files = new Argument<FileInfo[]>("files") { Description = "*.workbook.yaml files.", Arity = ArgumentArity.OneOrMore };
        var command = new Command("validate", "Checks workbook files in themselves, without a tenant.") { files };
        command.SetAction(async (result, cancellation) =>
        {
            var output = result.InvocationConfiguration.Output;
            var valid = true;
            foreach (var file in result.GetValue(files)!)
            {
                var report = WorkbookPublisher.Validate(await File.ReadAllTextAsync(file.FullName, cancellation));
                valid &= report.Value is not null;
                await output.WriteLineAsync(report.Value is null ? $"{file.Name}: {report.Problems.Length} errors" : $"{file.Name}: valid");
                foreach (var problem in report.Problems)
                    await output.WriteLineAsync("  " + problem);
            }
            return valid ? Configured.Ok : Configured.Failed;
        });
        return command;
    }

    private static Command Publish()
    {
        var config = Configured.ConfigOption();
        var frontEnd = ServeCommand.FrontEndOption();
        var command = new Command("publish", "Publishes the configuration's workbooks, policies and connections; running nodes take them over at once.") { config, frontEnd };
        command.SetAction(async (result, cancellation) =>
        {
            if (Configured.Read(result.GetValue(config), result.InvocationConfiguration.Error) is not { } settings)
                return Configured.BadConfiguration;
            await using var rooms = PosternApplication.BuildRooms(settings);
            await rooms.GetRequiredService<PosternStore>().MigrateAsync(cancellation);
            var charts = ChartCompiler.FromFile(Path.Combine(result.GetValue(frontEnd)!, "vega-lite.iife.js"));
            try
            {
                await new Seeding(rooms.GetRequiredService<DefinitionBook>(), new WorkbookPublisher(charts)).SeedAsync(settings, cancellation);
            }
            catch (WorkbookException refused)
            {
                await result.InvocationConfiguration.Error.WriteLineAsync(refused.Message);
                return Configured.Failed;
            }
            await result.InvocationConfiguration.Output.WriteLineAsync("Published.");
            return Configured.Ok;
        });
        return command;
    }
}
