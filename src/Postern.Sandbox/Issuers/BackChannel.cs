using System.Net.Http.Headers;
using System.Text;
using Microsoft.AspNetCore;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using OpenIddict.Server.AspNetCore;
using Postern.Sandbox.Control;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace Postern.Sandbox.Issuers;

/// <summary>
/// Stands before the endpoints that clients call directly: applies scripted faults and logs every request, refused ones included.
/// </summary>
internal sealed class BackChannel(IssuerProfile profile, FaultScript faults, TrafficLog log, SecretsLog secrets, TimeProvider time) : IMiddleware
{
    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (profile.BackChannelAt(context.Request.Path) is not { } endpoint || !HttpMethods.IsPost(context.Request.Method)
            || !context.Request.HasFormContentType)
        {
            await next(context);
            return;
        }

        // Read first: OpenIddict finds the form already read, and a faulted request is logged as well.
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        if (await faults.ApplyAsync(endpoint, "before", context, profile.Id))
        {
            log.Request(endpoint, Describe(context, form, "fault:" + FaultScript.TakenBy(context)!.Kind));
            return;
        }

        var fault = FaultScript.TakenBy(context)?.Kind;
        if (fault == "drop-after-commit")
        {
            // Everything is done and stored, and not a byte of the answer leaves.
            context.Response.Body = Stream.Null;
        }

        await next(context);
        var response = context.GetOpenIddictServerResponse();
        secrets.Write(form["code"], form["code_verifier"], response?.AccessToken, response?.RefreshToken, response?.IdToken);
        log.Request(endpoint, Describe(context, form, response?.Error ?? "ok") with
        {
            Fault = fault,
            Subject = RefreshedSubject(context),
            IssuedRefreshFingerprint = TrafficLog.Fingerprint(response?.RefreshToken),
        });
        await faults.ApplyAsync(endpoint, "after", context, profile.Id);
    }

    private IssuerRequest Describe(HttpContext context, IFormCollection form, string outcome) => new()
    {
        At = time.GetUtcNow(),
        Issuer = profile.Id,
        Client = context.GetOpenIddictServerRequest()?.ClientId ?? ClientOf(context.Request, form),
        GrantType = form["grant_type"],
        Outcome = outcome,
        RefreshFingerprint = TrafficLog.Fingerprint((string?)form["refresh_token"] ?? (string?)form["token"]),
        CodeChallengeMethod = form["code_challenge_method"],
    };

    private static string? RefreshedSubject(HttpContext context) => context.Features.Get<OpenIddictServerAspNetCoreFeature>()?.Transaction?
        .GetProperty<ProcessAuthenticationContext>(typeof(ProcessAuthenticationContext).FullName!)?.RefreshTokenPrincipal?.GetClaim(Claims.Subject);

    private static string? ClientOf(HttpRequest request, IFormCollection form)
    {
        if (!AuthenticationHeaderValue.TryParse(request.Headers.Authorization, out var header) || header.Scheme != "Basic")
        {
            return form["client_id"];
        }

        Span<byte> credentials = stackalloc byte[512];
        return Convert.TryFromBase64String(header.Parameter ?? "", credentials, out var length)
            ? Uri.UnescapeDataString(Encoding.UTF8.GetString(credentials[..length]).Split(':')[0])
            : null;
    }
}
