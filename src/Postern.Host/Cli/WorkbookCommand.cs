using System.CommandLine;
using System.Text.Json;
using Postern.Gateway.Workbooks;
using Postern.Grants.Definitions;
using Postern.Host.Composition;
using Postern.Store;

namespace Postern.Host.Cli;

/// <summary><c>postern workbook validate|publish</c>.</summary>
internal static class WorkbookCommand
{
    private sealed record Verdict(string File, bool Valid, IReadOnlyList<WorkbookProblem> Problems);

    public static Command Create() => new("workbook", "Validates and publishes workbooks.") { Validate(), Publish() };

    private static Command Validate()
    {
        var files = new Argument<FileInfo[]>("files") { Description = "*.workbook.yaml files.", Arity = ArgumentArity.OneOrMore }.AcceptExistingOnly();
        var json = Configured.JsonOption();
        var command = new Command("validate", "Checks workbook files in themselves, without a tenant. Exit code 1 when one is not valid.") { files, json };
        command.SetAction(async (result, cancellation) =>
        {
            var output = result.InvocationConfiguration.Output;
            var verdicts = new List<Verdict>();
            foreach (var file in result.GetValue(files)!)
            {
                var report = WorkbookPublisher.Validate(await File.ReadAllTextAsync(file.FullName, cancellation));
                verdicts.Add(new(file.Name, report.Value is not null, report.Problems));
            }
            if (result.GetValue(json))
                await output.WriteLineAsync(JsonSerializer.Serialize(verdicts, Configured.Json));
            else
                foreach (var verdict in verdicts)
                    await PrintAsync(output, verdict);
            return verdicts.All(verdict => verdict.Valid) ? Configured.Ok : Configured.Failed;
        });
        return command;
    }

    private static Command Publish()
    {
        var config = Configured.ConfigOption();
        var frontEnd = ServeCommand.FrontEndOption();
        var command = new Command("publish", "Publishes the configuration's workbooks, policies and connections; running nodes take them over at once.") { config, frontEnd };
        command.SetAction((result, cancellation) => Configured.RunAsync(result, config, async (settings, output) =>
        {
            await using var rooms = PosternApplication.BuildRooms(settings);
            await rooms.GetRequiredService<PosternStore>().MigrateAsync(cancellation);
            using var charts = ChartCompiler.FromFile(Path.Combine(result.GetValue(frontEnd)!, "vega-lite.iife.js"));
            await new Seeding(rooms.GetRequiredService<DefinitionBook>(), new WorkbookPublisher(charts)).SeedAsync(settings, cancellation);
            await output.WriteLineAsync("Published.");
            return Configured.Ok;
        }));
        return command;
    }

    private static async Task PrintAsync(TextWriter output, Verdict verdict)
    {
        var count = verdict.Problems.Count;
        await output.WriteLineAsync(verdict.Valid ? $"{verdict.File}: valid" : $"{verdict.File}: {count} {(count == 1 ? "error" : "errors")}");
        foreach (var problem in verdict.Problems)
            await output.WriteLineAsync("  " + problem);
    }
}
