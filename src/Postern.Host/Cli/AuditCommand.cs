using System.CommandLine;
using Postern.Audit;
using Postern.Host.Composition;
using Postern.Model;
using Postern.Store;

namespace Postern.Host.Cli;

/// <summary><c>postern audit verify|export</c>.</summary>
internal static class AuditCommand
{
    public static Command Create() => new("audit", "Verifies and exports the audit trail.") { Verify(), Export() };

    private static Command Verify()
    {
        var config = Configured.ConfigOption();
        var tenant = new Option<string?>("--tenant", "-t") { Description = "Only this tenant. Default: all tenants of the configuration, and Postern's own log." };
        var file = new Option<FileInfo?>("--file") { Description = "Verify this export instead of the database; needs nothing else." };
        var command = new Command("verify", "Checks that no event was changed, removed, added or moved. Exit code 1 names the first bad index.") { config, tenant, file };
        command.SetAction(async (result, cancellation) =>
        {
            var output = result.InvocationConfiguration.Output;
            if (result.GetValue(file) is { } export)
            {
                await using var input = export.OpenRead();
                return Report(output, export.Name, await AuditExport.VerifyAsync(input, null, cancellation)) ? Configured.Ok : Configured.Failed;
            }
            if (Configured.Read(result.GetValue(config), result.InvocationConfiguration.Error) is not { } settings)
                return Configured.BadConfiguration;
            await using var rooms = PosternApplication.BuildRooms(settings);
            var reader = rooms.GetRequiredService<AuditReader>();
            var tenants = result.GetValue(tenant) is { } one
                ? [TenantId.Parse(one)]
                : settings.Tenants.Select(definition => definition.Tenant.Id).Append(TenantId.Parse("postern")).ToList();
            var valid = true;
            foreach (var id in tenants)
                valid &= Report(output, id.Value, await reader.VerifyAsync(id, null, cancellation));
            return valid ? Configured.Ok : Configured.Failed;
        });
        return command;
    }

    private static Command Export()
    {
        var config = Configured.ConfigOption();
        var tenant = new Option<string>("--tenant", "-t") { Description = "The tenant.", Required = true };
        var from = new Option<long>("--from") { Description = "The first index.", DefaultValueFactory = _ => 0 };
        var to = new Option<long?>("--to") { Description = "The index after the last one. Default: the end." };
        var file = new Option<FileInfo?>("--output", "-o") { Description = "Write here instead of to standard output." };
        var command = new Command("export", "Writes a tenant's events as JSON lines that can be verified without Postern's database.") { config, tenant, from, to, file };
        command.SetAction(async (result, cancellation) =>
        {
            if (Configured.Read(result.GetValue(config), result.InvocationConfiguration.Error) is not { } settings)
                return Configured.BadConfiguration;
            await using var rooms = PosternApplication.BuildRooms(settings);
            await using var stream = result.GetValue(file)?.Create() ?? Console.OpenStandardOutput();
            await rooms.GetRequiredService<AuditReader>().ExportAsync(
                stream, TenantId.Parse(result.GetValue(tenant)!), result.GetValue(from), result.GetValue(to), cancellation);
            return Configured.Ok;
        });
        return command;
    }

    private static bool Report(TextWriter output, string what, ChainReport report)
    {
        output.WriteLine($"{what}: {report}");
        return report.IsValid;
    }
}
