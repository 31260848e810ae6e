using System.Globalization;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;

namespace Postern.Sandbox.Issuers;

/// <summary>The person signed in at this issuer in this browser, as its cookie remembers.</summary>
/// <param name="User">Who.</param>
/// <param name="Session">A random id of this sign-in, which forms are bound to.</param>
/// <param name="SignedInAt">When.</param>
/// <param name="SignedInFor">The digest of the request the sign-in was for; it satisfies that request's <c>prompt=login</c>.</param>
internal sealed record Visitor(DemoUser User, string Session, DateTimeOffset SignedInAt, string? SignedInFor)
{
    private const string SessionClaim = "session";
    private const string AtClaim = "at";
    private const string ForClaim = "for";

    /// <summary>Reads the cookie; <see langword="null"/> when nobody is signed in.</summary>
    public static async Task<Visitor?> ReadAsync(HttpContext context, IssuerDirectory directory)
    {
        var result = await context.AuthenticateAsync(CookieAuthenticationDefaults.AuthenticationScheme);
        return result.Principal is { } principal && directory.Find(principal.FindFirstValue(ClaimTypes.NameIdentifier)) is { } user
            ? new Visitor(
                user,
                principal.FindFirstValue(SessionClaim)!,
                DateTimeOffset.FromUnixTimeSeconds(long.Parse(principal.FindFirstValue(AtClaim)!, CultureInfo.InvariantCulture)),
                principal.FindFirstValue(ForClaim))
            : null;
    }

    /// <summary>A fresh sign-in with a session of its own.</summary>
    public static Visitor Arrive(DemoUser user, DateTimeOffset now, string request) =>
        new(user, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)), now, Digest(request));

    /// <summary>The digest by which a sign-in and a form remember a request.</summary>
    public static string Digest(string request) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(request)));

    /// <summary>Writes the cookie.</summary>
    public Task RememberAsync(HttpContext context)
    {
        var identity = new ClaimsIdentity(CookieAuthenticationDefaults.AuthenticationScheme);
        identity.AddClaim(new Claim(ClaimTypes.NameIdentifier, User.Id));
        identity.AddClaim(new Claim(SessionClaim, Session));
        identity.AddClaim(new Claim(AtClaim, SignedInAt.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture)));
        if (SignedInFor is not null)
        {
            identity.AddClaim(new Claim(ForClaim, SignedInFor));
        }

        return context.SignInAsync(CookieAuthenticationDefaults.AuthenticationScheme, new ClaimsPrincipal(identity));
    }

    /// <summary>Deletes the cookie.</summary>
    public static Task ForgetAsync(HttpContext context) => context.SignOutAsync(CookieAuthenticationDefaults.AuthenticationScheme);
}

/// <summary>Tells requests of our own pages from those of other sites.</summary>
internal static class RequestOrigin
{
    /// <summary>
    /// Whether no browser says that another site sent the request. Browsers always say so on a POST; programs that are not browsers
    /// send neither header, and have no cookies to be abused.
    /// </summary>
    public static bool IsOwn(HttpRequest request)
    {
        var origin = request.Headers.Origin.ToString();
        var site = request.Headers["Sec-Fetch-Site"].ToString();
        return (origin.Length == 0 || origin == $"{request.Scheme}://{request.Host}") && (site is "" or "same-origin" or "none");
    }
}
