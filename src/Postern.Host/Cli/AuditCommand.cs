using System.CommandLine;
using System.Text.Json;
using Postern.Audit;
using Postern.Host.Composition;
using Postern.Model;
using Postern.Store;

namespace Postern.Host.Cli;

/// <summary><c>postern audit verify|export</c>.</summary>
internal static class AuditCommand
{
    private sealed record Verified(string Log, ChainReport Report, IReadOnlyList<StandingFault> Standing)
    {
        public bool IsValid => Report.IsValid && Standing.Count == 0;
    }

    private sealed record Verdict(string Log, bool Valid, long Checked, long Size, ChainFault? Fault, long? BadIndex, string[]? Standing)
    {
        public static Verdict Of(Verified one) => new(
            one.Log, one.IsValid, one.Report.Checked, one.Report.Head.Size, one.Report.Fault, one.Report.BadIndex,
            one.Standing.Count == 0 ? null : [.. one.Standing.Select(fault => fault.ToString())]);
    }

    public static Command Create() => new("audit", "Verifies and exports the audit trail.") { Verify(), Export() };

    private static Command Verify()
    {
        var config = Configured.ConfigOption();
        var tenant = Configured.TenantOption("Only this tenant. Default: all tenants of the configuration, and Postern's own log.", required: false);
        var file = new Option<FileInfo>("--file") { Description = "Verify this export instead of the database; needs nothing else." }.AcceptExistingOnly();
        var json = Configured.JsonOption();
        var command = new Command("verify", "Checks that no event was changed, removed, added or moved, and that what is in force is what the log says last. Exit code 1 names the first bad index.") { config, tenant, file, json };
        command.SetAction(async (result, cancellation) =>
        {
            if (result.GetValue(file) is not { } export)
            {
                return await Configured.RunAsync(result, config, async (settings, output) =>
                {
                    await using var rooms = PosternApplication.BuildRooms(settings);
                    var reader = rooms.GetRequiredService<AuditReader>();
                    var logs = result.GetValue(tenant) is { } one
                        ? [one]
                        : settings.Tenants.Select(definition => definition.Tenant.Id).Append(TenantId.Parse("postern"));
                    var standing = rooms.GetRequiredService<StandingVerifier>();
                    var reports = new List<Verified>();
                    foreach (var log in logs)
                        reports.Add(new(log.Value, await reader.VerifyAsync(log, null, cancellation), await standing.VerifyAsync(log, cancellation)));
                    return await PrintAsync(output, reports, result.GetValue(json));
                });
            }
            await using var input = export.OpenRead();
            return await PrintAsync(
                result.InvocationConfiguration.Output, [new(export.Name, await AuditExport.VerifyAsync(input, null, cancellation), [])], result.GetValue(json));
        });
        return command;
    }

    private static Command Export()
    {
        var config = Configured.ConfigOption();
        var tenant = Configured.TenantOption("The tenant.", required: true);
        var from = new Option<long>("--from") { Description = "The first index.", DefaultValueFactory = _ => 0 };
        var to = new Option<long?>("--to") { Description = "The index after the last one. Default: the end." };
        var file = new Option<FileInfo?>("--output", "-o") { Description = "Write here instead of to standard output." };
        var command = new Command("export", "Writes a tenant's events as JSON lines that can be verified without Postern's database.") { config, tenant, from, to, file };
        command.SetAction((result, cancellation) => Configured.RunAsync(result, config, async (settings, _) =>
        {
            await using var rooms = PosternApplication.BuildRooms(settings);
            await using var stream = result.GetValue(file)?.Create() ?? Console.OpenStandardOutput();
            await rooms.GetRequiredService<AuditReader>().ExportAsync(
                stream, result.GetValue(tenant)!.Value, result.GetValue(from), result.GetValue(to), cancellation);
            return Configured.Ok;
        }));
        return command;
    }

    private static async Task<int> PrintAsync(TextWriter output, IReadOnlyList<Verified> reports, bool json)
    {
        if (json)
            await output.WriteLineAsync(JsonSerializer.Serialize(reports.Select(Verdict.Of), Configured.Json));
        else
            foreach (var one in reports)
            {
                await output.WriteLineAsync($"{one.Log}: {one.Report}");
                foreach (var fault in one.Standing)
                    await output.WriteLineAsync($"{one.Log}: {fault}");
            }
        return reports.All(one => one.IsValid) ? Configured.Ok : Configured.Failed;
    }
}
