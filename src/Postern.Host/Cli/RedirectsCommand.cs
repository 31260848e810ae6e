using System.CommandLine;
using System.Text.Json;
using Postern.Host.Configuration;

namespace Postern.Host.Cli;

/// <summary><c>postern redirects</c>: every redirect URI to register, and where.</summary>
internal static class RedirectsCommand
{
    private sealed record Registration(string Tenant, string For, string Issuer, string ClientId, string RedirectUri);

    public static Command Create()
    {
        var config = Configured.ConfigOption();
        var json = Configured.JsonOption();
        var command = new Command("redirects", "Lists every redirect URI to register at the authorization servers, exactly as it is sent.") { config, json };
        command.SetAction(result =>
        {
            if (Configured.Read(result.GetValue(config), result.InvocationConfiguration.Error) is not { } settings)
                return Configured.BadConfiguration;
            var output = result.InvocationConfiguration.Output;
            var registrations = Of(settings).ToList();
            if (result.GetValue(json))
            {
                output.WriteLine(JsonSerializer.Serialize(registrations, Configured.Json));
                return Configured.Ok;
            }
            foreach (var group in registrations.GroupBy(registration => (registration.Issuer, registration.ClientId)))
            {
                output.WriteLine($"{group.Key.Issuer}  (client {group.Key.ClientId})");
                foreach (var uri in group.Select(registration => registration.RedirectUri).Distinct())
                    output.WriteLine($"  {uri}");
            }
            return Configured.Ok;
        });
        return command;
    }

    private static IEnumerable<Registration> Of(PosternSettings settings)
    {
        foreach (var tenant in settings.Tenants)
        {
            foreach (var host in tenant.Tenant.Hosts)
            {
                var origin = new UriBuilder(settings.PublicOrigin) { Host = host }.Uri.GetLeftPart(UriPartial.Authority);
                var signIn = tenant.Tenant.SignIn.Client;
                yield return new(tenant.Tenant.Id.Value, "sign-in", signIn.Issuer, signIn.ClientId, origin + "/sign-in/callback");
                foreach (var connection in tenant.Connections.Where(connection => connection.Identity == Model.IdentityMode.User))
                    yield return new(tenant.Tenant.Id.Value, connection.Id.Value, connection.Authorization.Issuer, connection.Authorization.ClientId, origin + "/oauth/callback");
            }
        }
    }
}
