using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Postern.Grants;
using Postern.Host.Composition;
using Postern.Model;
using Postern.Store;

namespace Postern.Host.Cli;

/// <summary><c>postern grants list|revoke</c>.</summary>
internal static class GrantsCommand
{
    private sealed record Line(Guid Id, string Subject, string Connection, string State, string? Reason, int Generation, string Principal, string Scopes, DateTimeOffset? LastUsedAt);

    public static Command Create() => new("grants", "Lists and revokes grants.") { List(), Revoke() };

    private static Option<string> TenantOption() => new("--tenant", "-t") { Description = "The tenant.", Required = true };

    private static Command List()
    {
        var config = Configured.ConfigOption();
        var tenant = TenantOption();
        var connection = new Option<string?>("--connection") { Description = "Only this connection." };
        var json = Configured.JsonOption();
        var command = new Command("list", "Lists a tenant's grants, latest first; never a token.") { config, tenant, connection, json };
        command.SetAction(async (result, cancellation) =>
        {
            if (Configured.Read(result.GetValue(config), result.InvocationConfiguration.Error) is not { } settings)
                return Configured.BadConfiguration;
            await using var rooms = PosternApplication.BuildRooms(settings);
            var filter = new GrantFilter
            {
                Connection = ConnectionId.TryParse(result.GetValue(connection), out var id) ? id : null,
                Limit = 1000,
            };
            var grants = await rooms.GetRequiredService<PosternStore>().Grants.ListAsync(TenantId.Parse(result.GetValue(tenant)!), filter, cancellation);
            var lines = grants.Select(grant => new Line(
                grant.Id.Value, grant.Subject.Id, grant.Connection.Value, grant.State.ToString(), grant.State == GrantState.Active ? null : grant.Reason.ToString(),
                grant.Generation, grant.Principal.Name, grant.Scopes, grant.LastUsedAt)).ToList();
            var output = result.InvocationConfiguration.Output;
            if (result.GetValue(json))
            {
                await output.WriteLineAsync(JsonSerializer.Serialize(lines, JsonSerializerOptions.Web));
                return Configured.Ok;
            }
            foreach (var line in lines)
            {
                await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                    $"{line.Id}  {line.State,-11} {line.Connection,-16} {line.Subject,-24} as {line.Principal}  generation {line.Generation}  last used {line.LastUsedAt:u}"));
            }
            return Configured.Ok;
        });
        return command;
    }

    private static Command Revoke()
    {
        var config = Configured.ConfigOption();
        var tenant = TenantOption();
        var grant = new Argument<Guid>("grant") { Description = "The grant's id." };
        var command = new Command("revoke", "Revokes a grant: no query starts after this, on any node; a running node tells the authorization server.") { grant, config, tenant };
        command.SetAction(async (result, cancellation) =>
        {
            if (Configured.Read(result.GetValue(config), result.InvocationConfiguration.Error) is not { } settings)
                return Configured.BadConfiguration;
            await using var rooms = PosternApplication.BuildRooms(settings);
            var revoked = await rooms.GetRequiredService<GrantDesk>().RevokeAsOperatorAsync(
                TenantId.Parse(result.GetValue(tenant)!), new GrantId(result.GetValue(grant)), "operator:" + Environment.UserName, cancellation);
            await result.InvocationConfiguration.Output.WriteLineAsync(revoked ? "Revoked." : "There is no such grant in this tenant, or it was revoked already.");
            return revoked ? Configured.Ok : Configured.Failed;
        });
        return command;
    }
}
