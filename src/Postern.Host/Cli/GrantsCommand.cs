using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Postern.Grants;
using Postern.Host.Composition;
using Postern.Model;
using Postern.Store;

namespace Postern.Host.Cli;

/// <summary><c>postern grants list|revoke|lift</c>.</summary>
internal static class GrantsCommand
{
    private const int ListLimit = 1000;

    private sealed record Line(Guid Id, string Subject, string Connection, GrantState State, ReconnectReason? Reason, int Generation, string Principal, string Scopes, DateTimeOffset? LastUsedAt);

    public static Command Create() => new("grants", "Lists and revokes grants, and lifts revocations.") { List(), Revoke(), Lift() };

    private static Command List()
    {
        var config = Configured.ConfigOption();
        var tenant = Configured.TenantOption("The tenant.", required: true);
        var connection = Configured.ConnectionOption("Only this connection.");
        var json = Configured.JsonOption();
        var command = new Command("list", $"Lists a tenant's grants, latest first, {ListLimit} at most; never a token.") { config, tenant, connection, json };
        command.SetAction((result, cancellation) => Configured.RunAsync(result, config, async (settings, output) =>
        {
            await using var rooms = PosternApplication.BuildRooms(settings);
            var filter = new GrantFilter { Connection = result.GetValue(connection), Limit = ListLimit };
            var grants = await rooms.GetRequiredService<PosternStore>().Grants.ListAsync(result.GetValue(tenant)!.Value, filter, cancellation);
            var lines = grants.Select(grant => new Line(
                grant.Id.Value, grant.Subject.Id, grant.Connection.Value, grant.State, grant.State == GrantState.Active ? null : grant.Reason,
                grant.Generation, grant.Principal.Name, grant.Scopes, grant.LastUsedAt)).ToList();
            if (result.GetValue(json))
            {
                await output.WriteLineAsync(JsonSerializer.Serialize(lines, Configured.Json));
                return Configured.Ok;
            }
            foreach (var line in lines)
            {
                await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                    $"{line.Id}  {line.State,-11} {line.Connection,-16} {line.Subject,-24} as {line.Principal}  generation {line.Generation}  last used {line.LastUsedAt?.ToString("u") ?? "never"}"));
            }
            if (lines.Count == 0)
                await output.WriteLineAsync("There are no grants.");
            return Configured.Ok;
        }));
        return command;
    }

    private static Command Revoke()
    {
        var config = Configured.ConfigOption();
        var tenant = Configured.TenantOption("The tenant.", required: true);
        var grant = new Argument<Guid>("grant") { Description = "The grant's id." };
        var command = new Command("revoke", "Revokes a grant: no query starts after this, on any node; a running node tells the authorization server.") { grant, config, tenant };
        command.SetAction((result, cancellation) => Configured.RunAsync(result, config, async (settings, output) =>
        {
            await using var rooms = PosternApplication.BuildRooms(settings);
            var revoked = await rooms.GetRequiredService<GrantDesk>().RevokeAsOperatorAsync(
                result.GetValue(tenant)!.Value, new GrantId(result.GetValue(grant)), Configured.Operator, cancellation);
            if (revoked)
                await output.WriteLineAsync("Revoked.");
            else
                await result.InvocationConfiguration.Error.WriteLineAsync("There is no such grant in this tenant, or it was revoked already.");
            return revoked ? Configured.Ok : Configured.Failed;
        }));
        return command;
    }

    private static Command Lift()
    {
        var config = Configured.ConfigOption();
        var tenant = Configured.TenantOption("The tenant.", required: true);
        var grant = new Argument<Guid>("grant") { Description = "The revoked grant's id." };
        var command = new Command("lift", "Lifts the revocation of a service connection's grant: the next query makes a new one.") { grant, config, tenant };
        command.SetAction((result, cancellation) => Configured.RunAsync(result, config, async (settings, output) =>
        {
            await using var rooms = PosternApplication.BuildRooms(settings);
            var lifted = await rooms.GetRequiredService<GrantDesk>().LiftRevocationAsync(
                result.GetValue(tenant)!.Value, new GrantId(result.GetValue(grant)), "operator:" + Environment.UserName, cancellation);
            if (lifted)
                await output.WriteLineAsync("Lifted.");
            else
                await result.InvocationConfiguration.Error.WriteLineAsync("There is no revoked grant of a service connection with this id in this tenant.");
            return lifted ? Configured.Ok : Configured.Failed;
        }));
        return command;
    }
}
