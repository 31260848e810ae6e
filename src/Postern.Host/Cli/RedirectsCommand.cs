using System.CommandLine;
using System.Text.Json;
using Postern.Grants.Connects;
using Postern.Host.Composition;
using Postern.Host.Configuration;
using Postern.Model;
using Postern.OAuth;

namespace Postern.Host.Cli;

/// <summary>
/// <c>postern redirects</c>: every redirect URI to register, and where. A connection's depends on whether its server sends <c>iss</c>
/// (RFC 9207), so the servers are asked; of one that does not answer both are listed.
/// </summary>
internal static class RedirectsCommand
{
    private sealed record Registration(string Tenant, string For, string Issuer, string ClientId, string RedirectUri);

    public static Command Create()
    {
        var config = Configured.ConfigOption();
        var json = Configured.JsonOption();
        var command = new Command("redirects", "Lists every redirect URI to register at the authorization servers, exactly as it is sent. Asks each server for its metadata.") { config, json };
        command.SetAction((result, cancellation) => Configured.RunAsync(result, config, async (settings, output) =>
        {
            await using var rooms = PosternApplication.BuildRooms(settings);
            var registrations = await ListAsync(settings, rooms.GetRequiredService<OAuthClient>(), result.InvocationConfiguration.Error, cancellation);
            if (result.GetValue(json))
            {
                await output.WriteLineAsync(JsonSerializer.Serialize(registrations, Configured.Json));
                return Configured.Ok;
            }
            foreach (var group in registrations.GroupBy(registration => (registration.Issuer, registration.ClientId)))
            {
                await output.WriteLineAsync($"{group.Key.Issuer}  (client {group.Key.ClientId})");
                foreach (var uri in group.Select(registration => registration.RedirectUri).Distinct())
                    await output.WriteLineAsync($"  {uri}");
            }
            return Configured.Ok;
        }));
        return command;
    }

    private static async Task<List<Registration>> ListAsync(PosternSettings settings, OAuthClient oauth, TextWriter error, CancellationToken cancellation)
    {
        var registrations = new List<Registration>();
        foreach (var tenant in settings.Tenants)
        {
            var paths = new List<(Connection Connection, string[] Paths)>();
            foreach (var connection in tenant.Connections.Where(connection => connection.Identity == IdentityMode.User))
                paths.Add((connection, await PathsAsync(connection, oauth, error, cancellation)));

            foreach (var host in tenant.Tenant.Hosts)
            {
                var origin = new UriBuilder(settings.PublicOrigin) { Host = host }.Uri.GetLeftPart(UriPartial.Authority);
                var signIn = tenant.Tenant.SignIn.Client;
                registrations.Add(new(tenant.Tenant.Id.Value, "sign-in", signIn.Issuer, signIn.ClientId, origin + "/sign-in/callback"));
                registrations.AddRange(
                    from one in paths
                    from path in one.Paths
                    let client = one.Connection.Authorization
                    select new Registration(tenant.Tenant.Id.Value, one.Connection.Id.Value, client.Issuer, client.ClientId, origin + path));
            }
        }
        return registrations;
    }

    private static async Task<string[]> PathsAsync(Connection connection, OAuthClient oauth, TextWriter error, CancellationToken cancellation)
    {
        const string shared = "/oauth/callback";
        var known = await oauth.Metadata.GetAsync(connection.Authorization, cancellation);
        if (known.TryGet(out var metadata, out _))
            return [ConnectDesk.RedirectUriOf(shared, connection.Id, metadata)];
        await error.WriteLineAsync(
            $"{connection.Authorization.Issuer} gave no metadata, so it is not known which of its two redirect URIs the connection {connection.Id} uses; both are listed.");
        return [shared, ConnectDesk.OwnRedirectUri(shared, connection.Id)];
    }
}
