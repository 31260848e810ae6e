using Microsoft.AspNetCore.Http;
using Postern.Gateway.Http;
using Postern.Gateway.Tenants;
using Postern.Grants;
using Postern.Grants.Sessions;
using Postern.Model;
using Postern.Policy;

namespace Postern.Gateway.Sessions;

/// <summary>
/// The session of a request. Two cookies, never mixed: the portal's and a frame's. A page says which one it means
/// (<c>X-Postern-Session: portal|frame</c>, <c>?session=</c> where headers cannot be set), because a browser may hold both; without
/// a word, the portal's counts when it is there.
/// </summary>
internal sealed class SessionGate(GrantDesk desk)
{
    public const string PortalCookie = "__Host-postern";
    public const string FrameCookie = "__Host-postern-frame";
    public const string Header = "X-Postern-Session";

    public static Refusal NotSignedIn { get; } = new(RefusalKind.Unauthenticated, "You are not signed in, or your session ended.") { Code = "no-session" };

    public async ValueTask<Outcome<Session>> RequireAsync(HttpContext context)
    {
        var tenant = TenantGate.Of(context).Id;
        var word = context.Request.Headers[Header].ToString();
        if (word.Length == 0)
            word = context.Request.Query["session"].ToString();
        var kinds = word switch
        {
            "portal" => Portal,
            "frame" => Frame,
            _ => Both,
        };
        foreach (var kind in kinds)
        {
            if (CookieOf(context, kind) is { } cookie && await desk.Sessions.FindAsync(tenant, cookie, kind, context.RequestAborted) is { } session)
                return session;
        }
        return NotSignedIn;
    }

    /// <summary>Whoever asks, as policy sees them: what their session and tenant let them reach.</summary>
    public static Viewer ViewerOf(HttpContext context, Session session) =>
        new(session.Subject, session.Kind, session.Workbook, TenantGate.Of(context).Connections.ToHashSet());

    public static void Set(HttpContext context, OpenedSession opened)
    {
        var frame = opened.Session.Kind == SessionKind.Frame;
        Append(context.Response, frame ? FrameCookie : PortalCookie, opened.Cookie, frame);
    }

    public static void Clear(HttpContext context, SessionKind kind)
    {
        var name = kind == SessionKind.Frame ? FrameCookie : PortalCookie;
        context.Response.Headers.Append("Set-Cookie", $"{name}=; Path=/; Secure; HttpOnly; Max-Age=0; {Site(kind == SessionKind.Frame)}");
    }

    // Two cookies of our name mean that somebody planted one beside ours: neither is believed.
    private static string? CookieOf(HttpContext context, SessionKind kind)
    {
        var name = (kind == SessionKind.Frame ? FrameCookie : PortalCookie) + "=";
        string? found = null;
        foreach (var header in context.Request.Headers.Cookie)
        {
            foreach (var part in (header ?? "").Split(';', StringSplitOptions.TrimEntries))
            {
                if (!part.StartsWith(name, StringComparison.Ordinal))
                    continue;
                if (found is not null)
                    return null;
                found = part[name.Length..];
            }
        }
        return found;
    }

    // Partitioned is not in the framework's cookie options, so the header is written here; the value is base64url and needs no quoting.
    private static void Append(HttpResponse response, string name, SecretText value, bool frame) =>
        response.Headers.Append("Set-Cookie", $"{name}={Cookies.Value(value)}; Path=/; Secure; HttpOnly; {Site(frame)}");

    private static string Site(bool frame) => frame ? "SameSite=None; Partitioned" : "SameSite=Lax";

    private static readonly SessionKind[] Portal = [SessionKind.Portal];
    private static readonly SessionKind[] Frame = [SessionKind.Frame];
    private static readonly SessionKind[] Both = [SessionKind.Portal, SessionKind.Frame];
}
