using Microsoft.AspNetCore.Http;
using Postern.Grants.Connects;
using Postern.Model;

namespace Postern.Gateway.Http;

/// <summary>
/// The one place where the gateway writes a secret of its own making out of the process: session and binding secrets into cookies,
/// handles, codes and confirmations into the answers that are for exactly one window or back end. No token ever passes here.
/// </summary>
internal static class Cookies
{
    private const string BindingPrefix = "__Host-postern-b-";

#pragma warning disable RS0030 // Revealing is for Vault, OAuth and Grants; these secrets are made to be sent to one browser, once.
    public static string Value(SecretText secret) => secret.Reveal();
#pragma warning restore RS0030

    /// <summary>Binds a browser to the answer it will bring back, ten minutes at most.</summary>
    public static void SetBinding(HttpResponse response, string name, SecretText binding) =>
        response.Headers.Append("Set-Cookie", $"{BindingPrefix}{name}={Value(binding)}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600");

    /// <summary>The secret that this browser brings, or null.</summary>
    public static string? Binding(HttpContext context, string name) => context.Request.Cookies[BindingPrefix + name];

    /// <summary>
    /// Forgets the secret once its answer was judged, whatever came of it. While that cannot be done for now, it stays: the page may be
    /// loaded again.
    /// </summary>
    public static void EndBinding(HttpContext context, string name, Refusal? refused)
    {
        if (refused is null || !ConnectDesk.MayComeAgain(refused))
            context.Response.Headers.Append("Set-Cookie", $"{BindingPrefix}{name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
    }
}
