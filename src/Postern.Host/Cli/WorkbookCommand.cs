using System.CommandLine;
using System.Text.Json;
using Postern.Gateway.Workbooks;
using Postern.Grants.Definitions;
using Postern.Host.Composition;
using Postern.Store;

namespace Postern.Host.Cli;

/// <summary><c>postern workbook validate|publish|retire</c>.</summary>
internal static class WorkbookCommand
{
    private sealed record Verdict(string File, bool Valid, IReadOnlyList<WorkbookProblem> Problems);

    public static Command Create() => new("workbook", "Validates, publishes and retires workbooks.") { Validate(), Publish(), Retire() };

    private static Command Validate()
    {
        var files = new Argument<FileInfo[]>("files") { Description = "*.workbook.yaml files.", Arity = ArgumentArity.OneOrMore }.AcceptExistingOnly();
        var json = Configured.JsonOption();
        var frontEnd = ServeCommand.FrontEndOption();
        var command = new Command("validate", "Checks workbook files in themselves, without a tenant. Exit code 1 when one is not valid.") { files, json, frontEnd };
        command.SetAction(async (result, cancellation) =>
        {
            var output = result.InvocationConfiguration.Output;
            var verdicts = new List<Verdict>();
            ChartCompiler charts;
            try
            {
                charts = ServeCommand.CompilerOf(result.GetValue(frontEnd)!);
            }
            catch (InvalidOperationException notBuilt)
            {
                await result.InvocationConfiguration.Error.WriteLineAsync(notBuilt.Message);
                return Configured.Failed;
            }
            using var compiling = charts;
            var publisher = new WorkbookPublisher(charts);
            foreach (var file in result.GetValue(files)!)
            {
                var report = publisher.Validate(await File.ReadAllTextAsync(file.FullName, cancellation));
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
        var files = new Argument<FileInfo[]>("files") { Description = "Workbook files to publish beside the configuration's. Default: all that the configuration says.", Arity = ArgumentArity.ZeroOrMore }.AcceptExistingOnly();
        var tenant = Configured.TenantOption("The tenant to publish the files for; required with files.", required: false);
        var config = Configured.ConfigOption();
        var frontEnd = ServeCommand.FrontEndOption();
        var command = new Command("publish", "Publishes workbook files, or makes the store say what the configuration says; running nodes take it over at once.") { files, tenant, config, frontEnd };
        command.Validators.Add(result =>
        {
            if (result.GetResult(files) is { Tokens.Count: > 0 } && !Configured.IsGiven(result, tenant))
                result.AddError("Name the tenant to publish the files for: --tenant TENANT.");
        });
        command.SetAction((result, cancellation) => Configured.RunAsync(result, config, async (settings, output) =>
        {
            await using var rooms = PosternApplication.BuildRooms(settings);
            await rooms.GetRequiredService<PosternStore>().MigrateAsync(cancellation);
            using var charts = ServeCommand.CompilerOf(result.GetValue(frontEnd)!);
            var seeding = new Seeding(rooms.GetRequiredService<DefinitionBook>(), new WorkbookPublisher(charts));
            if (result.GetValue(files) is not { Length: > 0 } named)
            {
                await seeding.SeedAsync(settings, cancellation);
            }
            else
            {
                var id = result.GetValue(tenant)!.Value;
                var owner = settings.Tenants.FirstOrDefault(one => one.Tenant.Id == id)
                    ?? throw new InvalidOperationException($"The configuration has no tenant '{id}'. Check --tenant.");
                foreach (var file in named)
                    await seeding.PublishAsync(owner, file.FullName, Configured.Operator, cancellation);
            }
            await output.WriteLineAsync("Published.");
            return Configured.Ok;
        }));
        return command;
    }

    private static Command Retire()
    {
        var workbook = new Argument<string>("workbook") { Description = "The workbook's name." };
        var tenant = Configured.TenantOption("The tenant.", required: true);
        var config = Configured.ConfigOption();
        var command = new Command("retire", "Takes a workbook that was published with a file out of force: its frames end, and no query of it starts after this.") { workbook, tenant, config };
        command.SetAction((result, cancellation) => Configured.RunAsync(result, config, async (settings, output) =>
        {
            await using var rooms = PosternApplication.BuildRooms(settings);
            var (owner, name) = (result.GetValue(tenant)!.Value, result.GetValue(workbook)!);
            var standing = await rooms.GetRequiredService<PosternStore>().Definitions.CurrentAsync(owner, DefinitionKind.Workbook, name, cancellation);
            if (standing is { IsRetired: false, MadeBy: DefinitionRow.Configuration })
                throw new InvalidOperationException($"The workbook '{name}' comes from the configuration. Remove it there; the next start or 'postern workbook publish' retires it.");
            if (!await rooms.GetRequiredService<DefinitionBook>().RetireAsync(owner, DefinitionKind.Workbook, name, Configured.Operator, cancellation))
                throw new InvalidOperationException($"There is no workbook '{name}' in this tenant, or it was retired already.");
            await output.WriteLineAsync("Retired.");
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
