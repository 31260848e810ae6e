using System.CommandLine;
using Postern.Sandbox.Control;
using Postern.Sandbox.Issuers;

namespace Postern.Sandbox.Cli;

/// <summary><c>postern-sandbox mint</c>: tokens for tests, from a running sandbox.</summary>
internal static class MintCommand
{
    public static Command Create()
    {
        var url = ControlClient.Url();
        var issuer = new Option<string>("--issuer") { Description = "Which issuer.", DefaultValueFactory = _ => IssuerProfile.Workspace.Id };
        issuer.AcceptOnlyFromAmong([.. IssuerProfile.All.Select(profile => profile.Id)]);
        var user = new Option<string?>("--user") { Description = "For whom; the client itself when absent." };
        var client = new Option<string?>("--client") { Description = "For which client; 'postern' when absent." };
        var scopes = new Option<string[]>("--scope") { Description = "A scope; may be repeated.", AllowMultipleArgumentsPerToken = true };
        var command = new Command("mint", "Prints tokens, as the token endpoint would answer.") { url, issuer, user, client, scopes };
        command.SetAction((result, cancellation) => ControlClient.SendAsync(
            result.GetValue(url)!,
            HttpMethod.Post,
            "mint",
            new MintRequest(
                result.GetValue(issuer)!,
                result.GetValue(user),
                result.GetValue(client),
                result.GetValue(scopes) is { Length: > 0 } some ? some : null),
            result.InvocationConfiguration,
            cancellation));
        return command;
    }
}
