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

    private sealed record Verdict(string Log, bool Valid, long Checked, long Size, string Position, ChainFault? Fault, long? BadIndex, string[]? Standing)
    {
        public static Verdict Of(Verified one) => new(
            one.Log, one.IsValid, one.Report.Checked, one.Report.Head.Size, one.Report.Head.ToString(), one.Report.Fault, one.Report.BadIndex,
            one.Standing.Count == 0 ? null : [.. one.Standing.Select(fault => fault.ToString())]);
    }

    public static Command Create() => new("audit", "Verifies and exports the audit trail.") { Verify(), Export() };

    private static Command Verify()
    {
        var config = Configured.ConfigOption();
        var tenant = Configured.TenantOption("Only this tenant. Default: all tenants of the configuration, and Postern's own log.", required: false);
        var file = new Option<FileInfo>("--file") { Description = "Verify this export instead of the database; needs nothing else." }.AcceptExistingOnly();
        var known = KnownOption();
        var json = Configured.JsonOption();
        var command = new Command("verify", "Checks that no event was changed, removed, added or moved, and that what is in force is what the log says last. Exit code 1 names the first bad index.") { config, tenant, file, known, json };
        command.Validators.Add(result =>
        {
            if (Configured.IsGiven(result, known) && !Configured.IsGiven(result, tenant) && !Configured.IsGiven(result, file))
                result.AddError("A known position belongs to one log: name it with --tenant or --file.");
        });
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
                        reports.Add(new(log.Value, await reader.VerifyAsync(log, result.GetValue(known), cancellation), await standing.VerifyAsync(log, cancellation)));
                    return await PrintAsync(output, reports, result.GetValue(json));
                });
            }
            await using var input = export.OpenRead();
            return await PrintAsync(
                result.InvocationConfiguration.Output, [new(export.Name, await AuditExport.VerifyAsync(input, result.GetValue(known), cancellation), [])], result.GetValue(json));
        });
        return command;
    }

    private static Option<AuditHead?> KnownOption() => new("--known")
    {
        Description = "A position noted earlier, SIZE:HASH as this verb prints it: a log that was cut or written anew since then is found.",
        CustomParser = result =>
        {
            if (AuditHead.TryParse(result.Tokens[0].Value, out var head))
                return head;
            result.AddError("--known is no position. Write SIZE:HASH as 'postern audit verify' printed it, such as 12:9f2c… with 64 hexadecimal digits.");
            return null;
        },
    };

    private static Command Export()
    {
        var config = Configured.ConfigOption();
        var tenant = Configured.TenantOption("The tenant.", required: true);
        var from = new Option<long>("--from") { Description = "The first index. Exit code 1, and nothing is written, when the log does not reach it.", DefaultValueFactory = _ => 0 };
        from.Validators.Add(result =>
        {
            if (result.Tokens is [var first, ..] && first.Value.StartsWith('-'))
                result.AddError("--from is negative. Indexes count from 0.");
        });
        var to = new Option<long?>("--to") { Description = "The index after the last one. Default: the end." };
        var file = new Option<FileInfo?>("--output", "-o") { Description = "Write here instead of to standard output." };
        var command = new Command("export", "Writes a tenant's events as JSON lines that can be verified without Postern's database.") { config, tenant, from, to, file };
        command.SetAction((result, cancellation) => Configured.RunAsync(result, config, async (settings, _) =>
        {
            await using var rooms = PosternApplication.BuildRooms(settings);
            var reader = rooms.GetRequiredService<AuditReader>();
            var (owner, first) = (result.GetValue(tenant)!.Value, result.GetValue(from));
            if (!await reader.ReachesAsync(owner, first, cancellation))
            {
                var size = (await reader.HeadAsync(owner, cancellation))?.Size ?? 0;
                await result.InvocationConfiguration.Error.WriteLineAsync($"Nothing was exported: the log of '{owner}' has {size} entries and does not reach index {first}. The next one will be {size}.");
                return Configured.Failed;
            }
            await using var stream = result.GetValue(file)?.Create() ?? Console.OpenStandardOutput();
            await reader.ExportAsync(stream, owner, first, result.GetValue(to), cancellation);
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
