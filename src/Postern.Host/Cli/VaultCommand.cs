using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Postern.Grants.Keys;
using Postern.Host.Composition;
using Postern.Model;
using Postern.Store;

namespace Postern.Host.Cli;

/// <summary><c>postern vault rotate|rotate-root|shred|verify</c>.</summary>
internal static class VaultCommand
{
    public static Command Create() => new("vault", "Rotates keys, shreds tenants, and counts what can be opened.") { Rotate(), RotateRoot(), Shred(), Verify() };

    private static Command Rotate()
    {
        var config = Configured.ConfigOption();
        var tenant = Configured.TenantOption("The tenant.", required: false);
        var all = new Option<bool>("--all") { Description = "All tenants that have a key." };
        var even = new Option<bool>("--new-version") { Description = "Make a new version even where an earlier rotation left old ones. Default: that rotation is finished." };
        var (rate, settle, json) = (RateOption(), SettleOption(), Configured.JsonOption());
        var command = new Command("rotate", "Gives tenants a new key version and moves all their records under it, while nodes serve. Run again after it was stopped, it goes on.")
            { config, tenant, all, even, rate, settle, json };
        command.Validators.Add(result =>
        {
            if (Configured.IsGiven(result, tenant) == Configured.IsGiven(result, all))
                result.AddError("Name one tenant with --tenant, or all with --all.");
        });
        command.SetAction((result, cancellation) => Configured.RunAsync(result, config, async (settings, output) =>
        {
            await using var rooms = PosternApplication.BuildRooms(settings);
            var tenants = result.GetValue(tenant) is { } one ? [one] : await rooms.GetRequiredService<VaultInventory>().TenantsAsync(cancellation);
            var lines = Lines(result);
            var reports = await rooms.GetRequiredService<KeyRotation>().RunAsync(
                tenants, result.GetValue(even), Configured.Operator, Pace(result, rate, settle), lines, cancellation);
            lines.End();
            if (result.GetValue(json))
                await output.WriteLineAsync(JsonSerializer.Serialize(reports, Configured.Json));
            else
                foreach (var report in reports)
                    await TellAsync(output, report);
            return reports.All(report => report.Unreadable == 0 && report.Kept.Count == 0) ? Configured.Ok : Configured.Failed;
        }));
        return command;
    }

    private static async Task TellAsync(TextWriter output, RotationReport report)
    {
        await output.WriteLineAsync(report.Version is { } version
            ? string.Create(CultureInfo.InvariantCulture, $"{report.Tenant}: seals under {version}; {report.Moved} rows moved, {report.Retired.Count} old versions removed.")
            : $"{report.Tenant}: has no key to rotate.");
        if (report.Unreadable > 0)
            await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{report.Tenant}: {report.Unreadable} rows do not open where they lie and were left as they are."));
        foreach (var (old, uses) in report.Kept)
            await output.WriteLineAsync($"{report.Tenant}: version {old} is kept, because of {string.Join(", ", uses.Select(use => $"{use.Rows} in {use.Table}"))}.");
    }

    private static Command RotateRoot()
    {
        var config = Configured.ConfigOption();
        var add = new Option<bool>("--add-only") { Description = "Only add a root key to the keyring, to copy its file to other machines before the next run promotes it." };
        var (rate, settle, json) = (RateOption(), SettleOption(), Configured.JsonOption());
        var command = new Command("rotate-root", "Wraps every tenant key by a new root key (file keyring) or by the service's newest version, while nodes serve; no record changes.")
            { config, add, rate, settle, json };
        command.SetAction((result, cancellation) => Configured.RunAsync(result, config, async (settings, output) =>
        {
            await using var rooms = PosternApplication.BuildRooms(settings);
            var rotation = rooms.GetRequiredService<RootRotation>();
            if (result.GetValue(add))
            {
                if (await rotation.AddAsync(Configured.Operator, cancellation) is not { } added)
                {
                    await result.InvocationConfiguration.Error.WriteLineAsync("The key store is a service: its keys are rotated there. Then run this without --add-only.");
                    return Configured.Failed;
                }
                await output.WriteLineAsync($"Root key {added} is in the keyring and does not wrap yet.");
                return Configured.Ok;
            }
            var lines = Lines(result);
            var report = await rotation.RunAsync(Configured.Operator, Pace(result, rate, settle), lines, cancellation);
            lines.End();
            if (result.GetValue(json))
            {
                await output.WriteLineAsync(JsonSerializer.Serialize(report, Configured.Json));
            }
            else
            {
                await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                    $"Root key {report.RootKeyId} wraps; {report.Rewrapped} tenant keys wrapped anew, {report.Destroyed.Count} old root keys destroyed, {report.Kept.Count} kept."));
                if (report.Unreadable > 0)
                    await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{report.Unreadable} tenant keys do not unwrap and were left as they are."));
            }
            return report.Unreadable == 0 ? Configured.Ok : Configured.Failed;
        }));
        return command;
    }

    private static Command Shred()
    {
        var config = Configured.ConfigOption();
        var tenant = Configured.TenantOption("The tenant.", required: true);
        var confirmed = new Option<string>("--confirm") { Description = "The tenant once more: what is destroyed cannot be had back.", Required = true };
        var wait = new Option<int>("--wait") { Description = "How many seconds the authorization servers are waited for.", DefaultValueFactory = _ => 60 };
        var abandon = new Option<bool>("--abandon-pending") { Description = "Destroy the keys although some authorization servers were not told; those tokens live until they end." };
        var receipt = new Option<FileInfo?>("--receipt") { Description = "Where to write the receipt. Default: shredded-TENANT.json here." };
        var command = new Command("shred", "Revokes all that a tenant granted, and destroys its key: nothing of it can be opened afterwards.") { config, tenant, confirmed, wait, abandon, receipt };
        command.Validators.Add(result =>
        {
            if (result.GetResult(tenant) is { Tokens: [var named, ..] } && result.GetResult(confirmed) is { Tokens: [var again, ..] } && named.Value != again.Value)
                result.AddError("--confirm must name the same tenant as --tenant.");
        });
        command.SetAction((result, cancellation) => Configured.RunAsync(result, config, async (settings, output) =>
        {
            await using var rooms = PosternApplication.BuildRooms(settings);
            var shredded = result.GetValue(tenant)!.Value;
            var outcome = await rooms.GetRequiredService<TenantShredder>().RunAsync(
                shredded, Configured.Operator, TimeSpan.FromSeconds(result.GetValue(wait)), result.GetValue(abandon), cancellation);
            if (outcome.Receipt is not { } issued)
            {
                await result.InvocationConfiguration.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                    $"{outcome.Pending} revocations are still to be told to authorization servers; nothing was destroyed. All sessions and grants are over. Run this again when they can be reached, or with --abandon-pending."));
                return Configured.Failed;
            }
            var path = result.GetValue(receipt)?.FullName ?? Path.GetFullPath($"shredded-{shredded}.json");
            await File.WriteAllTextAsync(path, JsonSerializer.Serialize(issued, Configured.Json), cancellation);
            await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                $"{shredded} is shredded: {issued.Receipt.Records.Values.Sum()} records left, {issued.Receipt.Readable} readable. Receipt: {path}"));
            await output.WriteLineAsync("Copies of the database from before open while a root key that had wrapped its key can be had: run postern vault rotate-root, and destroy the keyring's backups.");
            return issued.Receipt.Readable == 0 ? Configured.Ok : Configured.Failed;
        }));
        return command;
    }

    private static Command Verify()
    {
        var config = Configured.ConfigOption();
        var tenant = Configured.TenantOption("Only this tenant. Default: all that have a key or had one.", required: false);
        var receipt = new Option<FileInfo>("--receipt") { Description = "Check this receipt of a shredding as well: that this deployment wrote it, and that the log has it." }.AcceptExistingOnly();
        var json = Configured.JsonOption();
        var command = new Command("verify", "Opens everything that is sealed and counts what opens and what does not, by kind, key version and root key.") { config, tenant, receipt, json };
        command.SetAction((result, cancellation) => Configured.RunAsync(result, config, async (settings, output) =>
        {
            await using var rooms = PosternApplication.BuildRooms(settings);
            var inventory = rooms.GetRequiredService<VaultInventory>();
            var counted = new List<TenantInventory>();
            foreach (var one in result.GetValue(tenant) is { } named ? [named] : await inventory.TenantsAsync(cancellation))
                counted.Add(await inventory.CountAsync(one, cancellation));
            if (result.GetValue(json))
                await output.WriteLineAsync(JsonSerializer.Serialize(counted, Configured.Json));
            else
                foreach (var one in counted)
                    await TellAsync(output, one);
            var believed = result.GetValue(receipt) is not { } file || await BelieveAsync(rooms, file, output, cancellation);
            return believed && counted.All(one => one.IsSound) ? Configured.Ok : Configured.Failed;
        }));
        return command;
    }

    private static async Task TellAsync(TextWriter output, TenantInventory one)
    {
        await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
            $"{one.Tenant}: {one.Readable} readable, {one.Unreadable} unreadable{(one.Shredded ? ", shredded" : "")}"));
        foreach (var kind in one.Kinds)
            await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"  {kind.Kind,-20} {kind.Readable} readable, {kind.Unreadable} unreadable"));
        foreach (var version in one.Versions)
            await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"  key {version.Version} {version.State}, wrapped by {version.RootKey ?? "nothing"}: {version.Values} values"));
    }

    private static async Task<bool> BelieveAsync(ServiceProvider rooms, FileInfo file, TextWriter output, CancellationToken cancellation)
    {
        SignedReceipt? shown = null;
        try
        {
            shown = JsonSerializer.Deserialize<SignedReceipt>(await File.ReadAllTextAsync(file.FullName, cancellation), Configured.Json);
        }
        catch (JsonException)
        {
            // No receipt; said below.
        }
        if (shown?.Receipt is null || shown.Mac is null || !TenantId.TryParse(shown.Receipt.Tenant, out var tenant))
        {
            await output.WriteLineAsync($"{file.Name}: is no receipt.");
            return false;
        }
        var ours = await rooms.GetRequiredService<TenantShredder>().VerifyAsync(shown, cancellation);
        var told = (await rooms.GetRequiredService<AuditReader>().ListAsync(tenant, new AuditFilter { Kinds = [EventKind.ShredReceiptIssued] }, cancellation))
            .Any(record => record.Recorded?.Event.Facts.GetValueOrDefault("sha256") == shown.Receipt.ToDigest());
        await output.WriteLineAsync($"{file.Name}: {(ours ? "was written by this deployment" : "was NOT written by this deployment, or was edited")}; the log {(told ? "has" : "does NOT have")} it.");
        return ours && told;
    }

    private static RotationLines Lines(ParseResult result) =>
        new(result.InvocationConfiguration.Error, !Console.IsErrorRedirected && result.InvocationConfiguration.Error == Console.Error, TimeProvider.System);

    private static RotationPace Pace(ParseResult result, Option<int> rate, Option<int> settle) => new(result.GetValue(rate), TimeSpan.FromSeconds(result.GetValue(settle)));

    private static Option<int> RateOption() => AtLeastOne(new Option<int>("--rate")
    {
        Description = "How many rows a second are moved at most.",
        DefaultValueFactory = _ => (int)RotationPace.Default.RowsPerSecond,
    });

    private static Option<int> SettleOption() => AtLeastOne(new Option<int>("--settle")
    {
        Description = "How many seconds an old key stays after the last row was moved. Less than 90 is safe only while no node runs.",
        DefaultValueFactory = _ => (int)RotationPace.Default.Settle.TotalSeconds,
    });

    private static Option<int> AtLeastOne(Option<int> option)
    {
        option.Validators.Add(result =>
        {
            if (result.Tokens is [var given] && int.TryParse(given.Value, CultureInfo.InvariantCulture, out var value) && value < 1)
                result.AddError($"{option.Name} is at least 1.");
        });
        return option;
    }
}
